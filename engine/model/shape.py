"""What was seen keeps its shape: how near a frame just drawn is, as earlier frames know it.

A frame's own nearness is a guess from how it looks, and a wall that the network draws from close by is blurred: its
guess puts the wall farther away, from step to step, until one walks through it. But where the points that earlier
frames show come to lie is known, and so is how near they are from there. That counts, where they agree with what is
around.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model.reprojection import Found

MISTAKEN = 0.2  # logarithm of how much nearer a view may be thought to be at a cell than it is there
APART = 0.3  # the same of a cell and the middle of what is around it
AROUND = 5  # cells on a side of that


def foretell(found: Found, grid: tuple[int, int]) -> Tensor:
    """How near the cells of N coming frames are, [N, *grid], as the middle one of the views that know it says; else 0.

    A view knows it if it sees the cell and is, where it was seen, as near as that makes it: points are spread over all
    cells that they touch, and would grow by that from frame to frame.
    """
    knows = found.seen & (found.geometry[..., 2] < MISTAKEN)
    if torch.compiler.is_compiling():
        return _middle_known(found.nearness, knows).unflatten(1, grid)
    told = torch.where(knows, found.nearness, torch.nan).nanmedian(dim=1).values
    return told.nan_to_num(nan=0.0).unflatten(1, grid)


def keep_shape(foretold: Tensor, guess: Tensor) -> Tensor:
    """Nearness [N, rows, columns] of frames just drawn: what was `foretold`, or their own `guess`.

    The guess counts where nothing was foretold, and in single cells that lie far off what is around them, which are
    mistakes that would be foretold again.
    """
    both = torch.where(foretold > 0, foretold, guess)
    return torch.where(_near_middle(both), both, guess)


def _near_middle(near: Tensor) -> Tensor:
    """Where numbers [N, rows, columns] are within APART of the middle one of those around them; at edges the outermost
    count again.

    That one is less than a bound if more than half of them are, and greater if more than half are: to count is less
    work than to sort.
    """
    wide = F.pad(near.unsqueeze(1), (AROUND // 2,) * 4, mode="replicate").squeeze(1)
    around = wide.unfold(1, AROUND, 1).unfold(2, AROUND, 1)
    times = (around / near[..., None, None]).flatten(3)
    below, above = (times < math.exp(APART)).sum(dim=3), (times > math.exp(-APART)).sum(dim=3)
    return torch.minimum(below, above) > AROUND**2 // 2


def _middle_known(near: Tensor, known: Tensor) -> Tensor:
    """The middle one of those of K numbers [N, K, .] that are `known`, the lesser of two, or 0: by its rank, for a
    compiler cannot sort."""
    view = torch.arange(near.shape[1], device=near.device).view(-1, 1)
    one, other = near.unsqueeze(1), near.unsqueeze(2)
    below = (other < one) | ((other == one) & (view.unsqueeze(1) < view))
    rank = (below & known.unsqueeze(2)).sum(dim=1)
    middle = (known.sum(dim=1, keepdim=True) - 1) // 2
    return torch.where(known & (rank == middle), near, 0).sum(dim=1)
