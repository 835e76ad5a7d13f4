"""How much a frame attends to each memory entry, measured beside its drawing; the drawing stays what it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from engine.model.kv_cache import Held, KVCache


class Weighing:
    """A KV cache as context that notes, of each layer that reads memory, what its attention gives to the slots."""

    def __init__(self, cache: KVCache) -> None:
        self.cache, self.readers = cache, cache.model.settings.memory_readers
        self.noted: dict[int, Tensor] = {}  # of each of these layers, when it last read: [B, slots]

    def at(self, layer: int) -> Held | Weighed:
        held = self.cache.at(layer)
        return Weighed(held, layer, self) if layer in self.readers else held

    def shares(self) -> Tensor:
        """Of all that the frame attended to in the last denoise step, the share of each slot: float32 [B, slots].

        It is the mean over the layers that read memory, their heads and the frame's tokens. What an empty slot gets
        is lost to the others: a key of zeros is attended to as well.
        """
        return torch.stack([*self.noted.values()]).mean(dim=0)


class Weighed(NamedTuple):
    """One layer's context, of which a `Weighing` is told."""

    held: Held
    layer: int
    weighing: Weighing

    def join(self, query: Tensor, own: Tensor) -> tuple[Tensor, Tensor, object]:
        key, value, mask = self.held.join(query, own)
        scores = torch.matmul(query.float(), key.float().transpose(-1, -2)) / math.sqrt(query.shape[-1])
        shares = torch.softmax(scores, dim=-1)[..., : self.weighing.cache.slots * self.held.tokens]
        by_slot = shares.unflatten(-1, (-1, self.held.tokens)).sum(dim=-1)  # [B, heads, N, slots]
        self.weighing.noted[self.layer] = by_slot.mean(dim=(1, 2))
        return key, value, mask
