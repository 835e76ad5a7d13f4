"""What memory keeps of one block, as one row of bytes: so that entries are moved between buffers in one go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.memory import words
from engine.model.settings import ModelSettings

ALIGNED = 16  # bytes that a row is a multiple of, so that numbers of any type can be read where they lie


class Entry(NamedTuple):
    """Entries [.., ...]: quantised tokens and their scales, each one's largest number; of the block's last frame the
    pose, quantised latent, its scales, and 1 / distance of each cell."""

    tokens: Tensor
    scales: Tensor
    poses: Tensor
    latents: Tensor
    latent_scales: Tensor
    nearness: Tensor


def layout(settings: ModelSettings) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and type of each part, in the order in which they lie in a row: the widest numbers first."""
    rows, columns, channels = settings.latent_shape
    return {
        "poses": ((poses.SIZE,), torch.float32),
        "scales": ((settings.frame_tokens, 1), torch.float16),
        "latent_scales": ((rows, columns, 1), torch.float16),
        "nearness": ((rows, columns), torch.float16),
        "tokens": ((settings.frame_tokens, words(settings.memory_dim)), torch.int16),
        "latents": ((rows, columns, words(channels)), torch.int16),
    }


def row_size(settings: ModelSettings) -> int:
    """Bytes of a row."""
    size = sum(math.prod(shape) * dtype.itemsize for shape, dtype in layout(settings).values())
    return -(-size // ALIGNED) * ALIGNED


def pack(settings: ModelSettings, parts: Sequence[Tensor]) -> Tensor:
    """Rows [.., bytes], uint8, of an Entry's parts, in its order."""
    named = dict(zip(Entry._fields, parts, strict=True))
    rows = []
    for name, (shape, dtype) in layout(settings).items():
        part = named[name].to(dtype)
        lead = part.shape[: part.ndim - len(shape)]
        rows.append(part.reshape(*lead, math.prod(shape)).contiguous().view(torch.uint8))
    if unused := row_size(settings) - sum(row.shape[-1] for row in rows):
        rows.append(rows[0].new_zeros(*rows[0].shape[:-1], unused))
    return torch.cat(rows, dim=-1)


def unpack(settings: ModelSettings, rows: Tensor) -> Entry:
    """The parts of rows [.., bytes], where they lie."""
    parts, begin = {}, 0
    for name, (shape, dtype) in layout(settings).items():
        end = begin + math.prod(shape) * dtype.itemsize
        parts[name] = rows[..., begin:end].view(dtype).unflatten(-1, shape)
        begin = end
    return Entry(**parts)
