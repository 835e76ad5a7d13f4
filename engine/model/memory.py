"""Memory model: compresses each finished block of frames into one frame's worth of compact tokens.

The entry it leaves is `memory_dim` numbers a token; the generator's layers project it to the keys
and values of one frame when they read it (MAG, arXiv 2512.18741, section 3.2, keeps every layer's
keys and values instead). It sees the block alone, so an entry never depends on when it was made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.model.layers import Layer, norm, rms
from engine.model.rope import Place
from engine.model.settings import ModelSettings


class MemoryModel(nn.Module):
    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.memory_layers))
        self.compress_tokens = nn.Linear(settings.dim, settings.memory_dim, bias=False)

    def compress(self, tokens: Tensor, place: Place) -> Tensor:
        """Context tokens of blocks [N, block_frames, tokens, dim] -> entries [N, tokens, memory_dim] of unit size.

        place: of all the block's tokens, positions relative to its last frame.
        """
        h = tokens
        for layer in self.layers:
            h = layer(h, place)
        return rms(self.compress_tokens(norm(h[:, -1])))


def quantise(entries: Tensor) -> tuple[Tensor, Tensor]:
    """Entries [.., tokens, memory_dim] -> int8 of the same shape and a float16 scale [.., tokens, 1]."""
    scale = entries.float().abs().amax(dim=-1, keepdim=True).clamp(min=1e-6) / 127
    return (entries.float() / scale).round().to(torch.int8), scale.half()


def restore(quantised: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """The inverse of `quantise`, up to rounding."""
    return (quantised.float() * scale.float()).to(dtype)


def as_kept(entries: Tensor) -> Tensor:
    """Entries as `restore` gives them back, so that keeping them loses nothing: a second rounding changes the last."""
    for _ in range(2):
        entries = restore(*quantise(entries), entries.dtype)
    return entries
