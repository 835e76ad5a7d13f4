"""KV cache: preallocated keys and values of the memory slots, the recent frames and the frame being denoised."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from engine.model.network import WorldModel
from engine.model.settings import HEAD_DIM


def span(ring: int | Tensor, frames: int = 1) -> slice | Tensor:
    """The places in a ring from `ring` on, as an index; a tensor [1] is one place."""
    return slice(ring, ring + frames) if isinstance(ring, int) else ring


def wide(x: Tensor) -> Tensor:
    """The same memory as numbers of 16 bytes: where indices tell the places, a GPU finds one for each number."""
    return x.view(torch.complex128)


class Held(NamedTuple):
    """One layer's keys and values [2, B, heads, frames * tokens, head_dim], the last `tokens` the denoised frame's."""

    both: Tensor
    tokens: int

    def join(self, query: Tensor, own: Tensor) -> tuple[Tensor, Tensor, object]:
        """Write the denoised frame's own keys and values behind the context's; all of them, and no mask."""
        self.both[:, :, :, -self.tokens :] = own
        return self.both[0], self.both[1], None


class KVCache:
    """For each generator layer, keys and values [B, heads, frames * tokens, head_dim].

    Frames lie in this order: memory slots (only in layers that read memory), recent frames as a
    ring, then the frame being denoised, which every denoise step writes anew. The order within
    a group means nothing: what is where is in the keys (rope.py). Layers that are alike share a
    buffer [layers, 2, B, heads, frames * tokens, head_dim], so that all are written at once.
    """

    def __init__(self, model: WorldModel, batch: int, dtype: torch.dtype | None = None) -> None:
        settings = model.settings
        self.model, self.tokens = model, settings.frame_tokens
        self.slots, self.window = settings.memory_entries, settings.recent_frames
        readers = len(settings.memory_readers)  # every second layer, from the second on
        self.buffers: list[Tensor] = []  # of the layers that read no memory, then of those that do
        for layers, slots in ((settings.layers - readers, 0), (readers, self.slots)):
            frames = slots + self.window + 1
            shape = (layers, 2, batch, settings.heads, frames * self.tokens, HEAD_DIM)
            self.buffers.append(torch.zeros(shape, dtype=dtype or model.dtype, device=model.device))

    def at(self, layer: int) -> Held:
        return Held(self.buffers[layer % 2][layer // 2], self.tokens)

    def write_recent(self, ring: int | Tensor, tokens: Tensor, time: Tensor, pose: Tensor) -> None:
        """Commit frames from ring slot `ring` on: context tokens [B, F, tokens, dim] at time [B, F] and pose.

        ring: or, of a single frame, the slot as a tensor [1].
        """
        kv = self.model.generator.recent(tokens, self.model.place(time, pose), dated=True)
        self.write_frames(ring, kv)

    def write_frames(self, ring: int | Tensor, kv: Tensor) -> None:
        """The same from keys and values [layers, 2, B, heads, F * tokens, head_dim] that were made already."""
        kv = kv.unflatten(4, (-1, self.tokens))
        for first, buffer in enumerate(self.buffers):
            recent = buffer.unflatten(4, (-1, self.tokens))[:, :, :, :, -1 - self.window : -1]
            wide(recent)[:, :, :, :, span(ring, kv.shape[4])] = wide(kv[first::2])

    def write_memory(self, slot: int, kv: Tensor) -> None:
        """Show memory entries from `slot` on: keys and values [readers, 2, B, heads, F * tokens, head_dim]."""
        begin = slot * self.tokens
        self.buffers[1][:, :, :, :, begin : begin + kv.shape[4]] = kv

    def write_slots(self, rows: Tensor, slots: Tensor, kv: Tensor) -> None:
        """Show K memory entries in slots [K] of sessions [K]: kv [readers, 2, K, heads, tokens, head_dim]."""
        frames = self.buffers[1].unflatten(4, (-1, self.tokens))
        wide(frames)[:, :, rows, :, slots] = wide(kv.permute(2, 0, 1, 3, 4, 5))

    def empty_slots(self, rows: Tensor, slots: Tensor) -> None:
        """Have slots [K] of sessions [K] show nothing."""
        frames = self.buffers[1].unflatten(4, (-1, self.tokens))
        wide(frames)[:, :, rows, :, slots] = 0

    def grow(self, slots: int) -> None:
        """Have at least `slots` memory slots; new ones are empty. Recent frames keep their content."""
        if slots <= self.slots:
            return
        held, more = self.slots * self.tokens, (slots - self.slots) * self.tokens
        before, behind = self.buffers[1].tensor_split([held], dim=4)
        empty = before.new_zeros(*before.shape[:4], more, before.shape[5])
        self.buffers[1] = torch.cat([before, empty, behind], dim=4)
        self.slots = slots

    def clear(self) -> None:
        """Empty all of it."""
        for buffer in self.buffers:
            buffer.zero_()

    def clear_memory(self) -> None:
        """Empty every memory slot."""
        self.buffers[1][:, :, :, :, : self.slots * self.tokens] = 0
