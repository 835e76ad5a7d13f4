"""KV cache: preallocated keys and values of the memory slots, the recent frames and the frame being denoised."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.network import WorldModel
from engine.model.settings import HEAD_DIM


class KVCache:
    """For each generator layer, keys and values [B, heads, frames * tokens, head_dim].

    Frames lie in this order: memory slots (only in layers that read memory), recent frames as a
    ring, then the frame being denoised, which every denoise step writes anew. The order within
    a group means nothing: what is where is in the keys (rope.py).
    """

    def __init__(self, model: WorldModel, batch: int) -> None:
        settings = model.settings
        self.model, self.tokens = model, settings.frame_tokens
        self.slots, self.window = settings.memory_entries, settings.recent_frames
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        for layer in range(settings.layers):
            frames = self.window + 1 + (self.slots if settings.reads_memory(layer) else 0)
            shape = (batch, settings.heads, frames * self.tokens, HEAD_DIM)
            self.keys.append(torch.zeros(shape, dtype=model.dtype, device=model.device))
            self.values.append(torch.zeros_like(self.keys[-1]))

    def join(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, object]:
        """Write the denoised frame's own keys and values behind the context's; all of them, and no mask."""
        self.keys[layer][:, :, -self.tokens :] = key
        self.values[layer][:, :, -self.tokens :] = value
        return self.keys[layer], self.values[layer], None

    def write_recent(self, ring: int, tokens: Tensor, time: Tensor, pose: Tensor) -> None:
        """Commit one frame: context tokens [B, 1, tokens, dim] at time [B, 1] and pose [B, 1, 3] into ring slot `ring`."""
        place = self.model.place(time, pose)
        for layer, module in enumerate(self.model.generator.layers):
            start = (self.slots if self.model.settings.reads_memory(layer) else 0) + ring
            key, value = module.read_context(tokens, place, dated=True)  # type: ignore[operator]
            self._write(layer, start, key, value)

    def write_memory(self, slot: int, tokens: Tensor, pose: Tensor) -> None:
        """Show one memory entry, read as context tokens [B, 1, tokens, dim] at pose [B, 1, 3], in `slot`."""
        place = self.model.place(torch.zeros(pose.shape[:2], device=pose.device), pose)
        for layer, module in enumerate(self.model.generator.layers):
            if self.model.settings.reads_memory(layer):
                key, value = module.read_context(tokens, place, dated=False)  # type: ignore[operator]
                self._write(layer, slot, key, value)

    def _write(self, layer: int, frame: int, key: Tensor, value: Tensor) -> None:
        span = slice(frame * self.tokens, frame * self.tokens + key.shape[2])
        self.keys[layer][:, :, span] = key
        self.values[layer][:, :, span] = value
