"""KV cache: preallocated keys and values of the memory slots, the recent frames and the frame being denoised."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.model.network import WorldModel
from engine.model.settings import HEAD_DIM


class Held(NamedTuple):
    """One layer's buffers [B, heads, frames * tokens, head_dim], the last `tokens` the denoised frame's."""

    keys: Tensor
    values: Tensor
    tokens: int

    def join(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, object]:
        """Write the denoised frame's own keys and values behind the context's; all of them, and no mask."""
        self.keys[:, :, -self.tokens :] = key
        self.values[:, :, -self.tokens :] = value
        return self.keys, self.values, None


class KVCache:
    """For each generator layer, keys and values [B, heads, frames * tokens, head_dim].

    Frames lie in this order: memory slots (only in layers that read memory), recent frames as a
    ring, then the frame being denoised, which every denoise step writes anew. The order within
    a group means nothing: what is where is in the keys (rope.py).
    """

    def __init__(self, model: WorldModel, batch: int, dtype: torch.dtype | None = None) -> None:
        settings = model.settings
        self.model, self.tokens = model, settings.frame_tokens
        self.slots, self.window = settings.memory_entries, settings.recent_frames
        self.readers = {layer: row for row, layer in enumerate(settings.memory_readers)}
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        for layer in range(settings.layers):
            frames = self.window + 1 + (self.slots if layer in self.readers else 0)
            shape = (batch, settings.heads, frames * self.tokens, HEAD_DIM)
            self.keys.append(torch.zeros(shape, dtype=dtype or model.dtype, device=model.device))
            self.values.append(torch.zeros_like(self.keys[-1]))

    def at(self, layer: int) -> Held:
        return Held(self.keys[layer], self.values[layer], self.tokens)

    def write_recent(self, ring: int, tokens: Tensor, time: Tensor, pose: Tensor) -> None:
        """Commit frames from ring slot `ring` on: context tokens [B, F, tokens, dim] at time [B, F] and pose."""
        kv = self.model.generator.recent(tokens, self.model.place(time, pose), dated=True)
        self.write_frames(ring, kv)

    def write_frames(self, ring: int, kv: Tensor) -> None:
        """The same from keys and values [layers, 2, B, heads, F * tokens, head_dim] that were made already."""
        for layer in range(len(self.keys)):
            self._write(layer, ring + (self.slots if layer in self.readers else 0), kv[layer])

    def write_memory(self, slot: int, kv: Tensor) -> None:
        """Show memory entries from `slot` on: keys and values [readers, 2, B, heads, F * tokens, head_dim]."""
        for layer, row in self.readers.items():
            self._write(layer, slot, kv[row])

    def write_slots(self, rows: Tensor, slots: Tensor, kv: Tensor) -> None:
        """Show K memory entries in slots [K] of sessions [K]: kv [readers, 2, K, heads, tokens, head_dim]."""
        for layer, reader in self.readers.items():
            for buffer, written in zip((self.keys[layer], self.values[layer]), kv[reader], strict=True):
                frames = buffer.unflatten(2, (-1, self.tokens))
                frames[rows, :, slots] = written

    def grow(self, slots: int) -> None:
        """Have at least `slots` memory slots; new ones are empty. Recent frames keep their content."""
        if slots <= self.slots:
            return
        held, more = self.slots * self.tokens, (slots - self.slots) * self.tokens
        for layer in self.readers:
            for buffers in (self.keys, self.values):
                old = buffers[layer]
                empty = old.new_zeros(*old.shape[:2], more, old.shape[3])
                buffers[layer] = torch.cat([old[:, :, :held], empty, old[:, :, held:]], dim=2)
        self.slots = slots

    def clear_memory(self) -> None:
        """Empty every memory slot."""
        for layer in self.readers:
            self.keys[layer][:, :, : self.slots * self.tokens] = 0
            self.values[layer][:, :, : self.slots * self.tokens] = 0

    def _write(self, layer: int, frame: int, kv: Tensor) -> None:
        span = slice(frame * self.tokens, frame * self.tokens + kv.shape[3])
        self.keys[layer][:, :, span] = kv[0]
        self.values[layer][:, :, span] = kv[1]
