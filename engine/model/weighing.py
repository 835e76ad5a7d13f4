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
        kept = cache.buffers[1]  # of these layers, [readers, 2, B, ...]
        shape = kept.shape[0], kept.shape[2], cache.slots
        self.noted = torch.empty(shape, device=kept.device)  # of each, when it last read

    def at(self, layer: int) -> Held | Weighed:
        held = self.cache.at(layer)
        if layer not in self.readers:
            return held
        return Weighed(held, self.noted[self.readers.index(layer)])

    def shares(self) -> Tensor:
        """Of all that the frame attended to in the last denoise step, the share of each slot: float32 [B, slots].

        It is the mean over the layers that read memory, their heads and the frame's tokens. What an empty slot gets
        is lost to the others: a key of zeros is attended to as well.
        """
        return self.noted.mean(dim=0)


class Weighed(NamedTuple):
    """One layer's context, and where to note what the slots get of its attention, [B, slots]."""

    held: Held
    noted: Tensor

    def join(self, query: Tensor, own: Tensor) -> tuple[Tensor, Tensor, object]:
        key, value, mask = self.held.join(query, own)
        scores = torch.matmul(query.float(), key.float().transpose(-1, -2)) / math.sqrt(query.shape[-1])
        shares = torch.softmax(scores, dim=-1)[..., : self.noted.shape[-1] * self.held.tokens]
        by_slot = shares.unflatten(-1, (-1, self.held.tokens)).sum(dim=-1)  # [B, heads, N, slots]
        self.noted.copy_(by_slot.mean(dim=(1, 2)))
        return key, value, mask
