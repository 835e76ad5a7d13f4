"""Memory model: compresses each finished block of frames into one frame's worth of compact tokens.

The entry it leaves is `memory_dim` numbers a token; the generator's layers project it to the keys
and values of one frame when they read it (MAG, arXiv 2512.18741, section 3.2, keeps every layer's
keys and values instead). It sees the block alone, so an entry never depends on when it was made.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.layers import Layer, norm, rms
from engine.model.machine import constant
from engine.model.rope import Place
from engine.model.settings import ModelSettings

LEVELS = 7  # of four bits, to either side of 0
SIGNS = 0x88  # bits by which half bytes from 1 to 15 become such from -7 to 7
SPARE = 2**6  # a scale's last bits are 0: with the three of a number it has as many others as bfloat16 has


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


def quantise(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers [.., n] in four bits each, of -7 to 7 times a scale: uint8 [.., (n + 1) // 2], float16 scale [.., 1].

    The first half of them lie in the lower bits. Scales are of few bits, so that what is restored is exact in bfloat16
    too, and the same however often it is kept.
    """
    size = torch.linalg.vector_norm(numbers, math.inf, dim=-1, keepdim=True) / LEVELS
    scale = (size.half().view(torch.int16) & -SPARE).view(torch.float16)  # less by a sixteenth at most: 7.44 becomes 7
    # Whole numbers from 1 on; of zeros whatever is made of 0 / 0, for their scale is 0.
    whole = torch.addcdiv(constant((LEVELS + 1.5,), size), numbers, scale).to(torch.uint8)
    if whole.shape[-1] % 2:
        whole = F.pad(whole, (0, 1))
    low, high = whole.chunk(2, dim=-1)
    return torch.add(low, high, alpha=16).bitwise_xor_(SIGNS), scale


def restore(quantised: Tensor, scale: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """The inverse of `quantise`, up to rounding: [.., count]."""
    both = quantised.unsqueeze(-2) * constant(((16,), (1,)), quantised)
    whole = (both.view(torch.int8) >> 4).flatten(-2)[..., :count]
    return torch.addcmul(constant((0.0,), quantised.new_empty(0, dtype=torch.float32)), whole, scale).to(dtype)


def as_kept(numbers: Tensor) -> Tensor:
    """Numbers [.., n] as `restore` gives them back, so that keeping them loses nothing."""
    return restore(*quantise(numbers), numbers.shape[-1], numbers.dtype)
