"""How high the camera stands where it was before: the ground does not change while nobody looks.

A network that reads the camera's rise and fall off what it drew misjudges a step now and then, and this adds up. The
poses of memory's entries are a path over the ground: where the camera is on it, its height is known (as a loop is
closed in mapping, arXiv 1610.06475).
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.machine import constant

NARROW = 0.04  # pose units beside a path at which its height counts for e^-.5
LONGEST = 1.0  # pose units between two entries that follow one another; farther apart, the camera was put elsewhere
SETTLED = 5  # newest entries that say nothing: the eyes still rise and fall there
NEWER = 1e-5  # square pose units by which an entry is as if nearer than the one before it


def level(asked: Tensor, seen_from: Tensor, entries: Tensor, newest: Tensor) -> Tensor:
    """`asked` [B, SIZE], with the height of the path past it.

    seen_from: poses of N entries [B, N, SIZE], in the order of their numbers `entries` [B, N], -1 for none; newest: the
    newest entry's number, [B, 1].
    """
    if seen_from.shape[1] < 2:
        return asked
    start, end = seen_from[:, :-1], seen_from[:, 1:]
    way, off = end[..., :2] - start[..., :2], asked[:, None, :2] - start[..., :2]
    length = way.square().sum(dim=-1)
    along = ((off * way).sum(dim=-1) / length.clamp(min=1e-9)).clamp(0, 1)
    beside = (off - along.unsqueeze(-1) * way).square().sum(dim=-1)
    first, second = entries[:, :-1], entries[:, 1:]
    there = (first >= 0) & (second == first + 1) & (length < LONGEST**2) & (second <= newest - SETTLED)
    cost = beside - NEWER * first
    cost = torch.where(there, cost, constant((torch.inf,), cost))
    least, chosen = cost.min(dim=1, keepdim=True)
    height = torch.lerp(start[..., 3], end[..., 3], along).gather(1, chosen)
    trust = (beside.gather(1, chosen) / (-2 * NARROW**2)).exp() * least.isfinite()
    return torch.cat([asked[:, :3], torch.lerp(asked[:, 3:], height, trust)], dim=1)
