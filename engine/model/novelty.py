"""Whether memory knows a view already: what it knows is not kept once more.

Entries of as good as one view crowd out others that a later frame needs, and take room for nothing. So a block's entry
stays only where a few others, each seen from nearby, do not show all that its last frame shows, or where it looks
different from what they show: then something has changed (compare the keyframes that ORB-SLAM does without, arXiv
1502.00956).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model.memory_bank import coverage, probe_points
from engine.model.reprojection import Picked, Shown, find_cells
from engine.model.settings import ModelSettings

TOGETHER = 3  # entries that may know a view together
KNOWN = 0.9  # how well they cover it, 0..1, so that it counts as known
LEVEL = 0.25  # pose units by which an entry's camera may be higher or lower
DIFFERENT = 0.15  # colours, of 2 in all, by which a cell is beyond all that it was, and what is beside it
ASIDE = 0.3  # logarithm of how much nearer or farther than a cell what is seen in its place may be
CHANGED = 0.006  # share of cells that look different where something has changed
UNSEEN = 0.3  # share of cells that no entry may show of a view that is known


def is_known(settings: ModelSettings, shown: Shown, draw: Callable[[Picked], None] | None = None) -> Tensor:
    """Whether the memory slots show what the last frame shows: bool [B].

    draw: makes the pictures of those that are looked at, on a host that waits for nothing by knowing which.
    """
    last = settings.memory_entries
    now, entries = shown.poses[:, last], shown.poses[:, :last]
    index, there, known = find_cover(settings, entries, shown.there[:, :last], now)
    rows = torch.arange(len(now), device=now.device).unsqueeze(1)
    if draw is not None:
        if not known.any():
            return known
        draw(Picked(rows, index, there, now, known))
    own, cells = average(settings, shown.pictures[:, last]), average(settings, shown.pictures[rows, index])
    given = shown.nearness[rows, index], shown.poses[rows, index], there
    return known & looks_known(settings, own, now, cells, *given)


def find_cover(settings: ModelSettings, entries: Tensor, valid: Tensor, now: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of N entries, seen from [B, N, SIZE] and `valid` [B, N], those that cover best what `now` [B, SIZE] sees.

    Returns their indices [B, TOGETHER], which of these are one, and whether together they know the view: bool [B].
    """
    points = probe_points(now, settings.fov)
    viewer = now[:, None, :2].expand_as(points)
    level = (entries[..., 3] - now[:, None, 3]).abs() < LEVEL
    quality = coverage(entries, viewer, points, settings.fov) * (valid & level).unsqueeze(-1)
    covered, picked = torch.zeros_like(quality[:, :1]), []
    for _ in range(TOGETHER):
        index = torch.maximum(quality, covered).mean(dim=-1).argmax(dim=1, keepdim=True)
        row = quality.gather(1, index.unsqueeze(2).expand(-1, 1, quality.shape[-1]))
        covered = torch.maximum(covered, row)
        picked.append(index)
    index = torch.cat(picked, dim=1)
    return index, (valid & level).gather(1, index), covered.mean(dim=(1, 2)) >= KNOWN


def average(settings: ModelSettings, pictures: Tensor) -> Tensor:
    """The mean colours of the cells of pictures [.., 3, height, width], float32 [.., 3, rows, columns]."""
    cells = F.avg_pool2d(pictures.flatten(0, -4).float(), settings.codec.stride)
    return cells.unflatten(0, pictures.shape[:-3])


def looks_known(
    settings: ModelSettings, now: Tensor, pose: Tensor, cells: Tensor, nearness: Tensor, poses: Tensor, there: Tensor
) -> Tensor:
    """Whether what is seen from `pose` [B, SIZE] looks as all of K entries show it, each what it sees: bool [B].

    One that shows it as it was keeps being shown, so what is newer stays beside it, however well others show it.

    now: its cells' colours [B, 3, rows, columns]. cells: those of the entries, [B, K, 3, rows, columns], seen from
    `poses` [B, K, SIZE], with their nearness [B, K, rows, columns]; there: bool [B, K], which entries count.
    """
    around = torch.cat([cells, -cells], dim=2)
    around = F.max_pool2d(around.flatten(0, 1), 3, stride=1, padding=1).unflatten(0, there.shape).flatten(3)
    found = find_cells(settings, nearness, poses, there, pose)
    index = found.cell.unsqueeze(2).expand(-1, -1, 6, -1)
    most, least = around.gather(3, index).split(3, dim=2)  # the least with its sign turned
    own = now.flatten(2).unsqueeze(1)
    beyond = ((own - most).clamp(min=0) + (-own - least).clamp(min=0)).mean(dim=2)
    seen = found.seen & (found.geometry[..., 2] < ASIDE)
    unseen = ~seen.any(dim=1)
    changed = ((beyond > DIFFERENT) & seen).any(dim=1)
    return (changed.float().mean(dim=1) < CHANGED) & (unseen.float().mean(dim=1) < UNSEEN)
