"""Thumbnails: of each memory entry a small picture of what was seen, to show a person; the network never reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.errors import SaveError

WIDTH = 40  # pixels, at most


def shape_of(height: int, width: int) -> tuple[int, int, int]:
    """The shape of the thumbnail of a frame of `height` x `width` pixels."""
    times = _times(width)
    return height // times, width // times, 3


def shrink(frame: np.ndarray) -> np.ndarray:
    """The thumbnail of a frame, uint8 [height, width, 3]: each pixel the mean of a square of them."""
    height, width, _ = shape_of(*frame.shape[:2])
    times = _times(frame.shape[1])
    squares = frame[: height * times, : width * times].reshape(height, times, width, times, 3)
    return (squares.sum(axis=(1, 3), dtype=np.uint32) // times**2).astype(np.uint8)


def pack(thumbnails: Sequence[np.ndarray], shape: tuple[int, int, int]) -> Tensor:
    """All of them as one tensor for a file, uint8 [n, *shape]."""
    return torch.from_numpy(np.stack(thumbnails)) if thumbnails else torch.zeros(0, *shape, dtype=torch.uint8)


def unpack(packed: Tensor | None, count: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, ...]:
    """What `pack` was given; black ones if the file has none. Raises SaveError unless they are `count`."""
    if packed is None:
        return (np.zeros(shape, dtype=np.uint8),) * count
    if packed.dtype != torch.uint8 or tuple(packed.shape) != (count, *shape):
        found = f"{packed.dtype} {tuple(packed.shape)}"
        raise SaveError(f"the saved session is damaged: its {count} thumbnails are {found}")
    return tuple(packed.numpy())


def _times(width: int) -> int:
    return max(1, -(-width // WIDTH))
