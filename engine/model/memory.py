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

LEVELS = 15  # of five bits, to either side of 0
IN_A_WORD = 3  # numbers of five bits
SIGNS = 0x4210  # bits by which fields from 1 to 31 become such from -15 to 15


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
    """Numbers [.., n] in five bits each, shares of the largest: int16 [.., words(n)], and that, float16 [.., 1].

    What they are restored to is the same however often they are kept: the largest stays as it is.
    """
    largest = torch.linalg.vector_norm(numbers, math.inf, dim=-1, keepdim=True).half()
    # Whole numbers from 1 to 31; of zeros whatever is made of 0 / 0, for the largest is 0.
    middle = constant((LEVELS + 1.5,), largest)
    whole = torch.addcdiv(middle, numbers, largest, value=LEVELS).to(torch.int16)
    if missing := -whole.shape[-1] % IN_A_WORD:
        whole = F.pad(whole, (0, missing))
    first, second, third = whole.chunk(IN_A_WORD, dim=-1)
    return first.add(second, alpha=2**5).add_(third, alpha=2**10).bitwise_xor_(SIGNS), largest


def words(count: int) -> int:
    """How many words of 16 bits `count` numbers take."""
    return -(-count // IN_A_WORD)


def restore(quantised: Tensor, largest: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """The inverse of `quantise`, up to rounding: [.., count]."""
    fields = quantised.unsqueeze(-2) * constant(((2**11,), (2**6,), (2,)), quantised)
    whole = (fields >> 11).flatten(-2)[..., :count]
    nothing = constant((0.0,), largest.new_empty(0, dtype=torch.float32))  # so one kernel makes float32 of both
    return torch.addcmul(nothing, whole, largest, value=1 / LEVELS).to(dtype)


def as_kept(numbers: Tensor) -> Tensor:
    """Numbers [.., n] as `restore` gives them back, so that keeping them loses nothing."""
    return restore(*quantise(numbers), numbers.shape[-1], numbers.dtype)
