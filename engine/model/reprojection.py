"""Where what is about to be drawn was seen before: geometry, without a network.

A few earlier frames whose poses are known are carried into the coming view: each cell of their latents has a
nearness (1 / distance), so it is known where it comes to lie. What no frame shows stays empty. The generator
gets what they show (warping.py) as an input, and attends to all that this leaves open (compare image-based
memories, arXiv 2506.03141, 2506.18903).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model import pose as poses
from engine.model.machine import constant, kept
from engine.model.memory_bank import choose
from engine.model.settings import ModelSettings

NEAREST, FARTHEST = 20.0, 0.05  # bounds of nearness, 1 / pose units
BEHIND = 0.02  # a point this little in front of the camera, as a share of its distance, cannot be seen
GEOMETRY = 6  # numbers that describe how a cell was found
MANY = 64  # moves from which on a compiler is to work them out before they are spread over cells, not in each of these
COARSER = 0.5  # logarithm of how much farther away memory may have seen a cell that a frame just drawn leaves to it


class Shown(NamedTuple):
    """Frames that may be carried over, memory slots first; N is at least memory_entries + 1.

    pictures: [B, N, 3, height, width] in [-1, 1]; nearness: [B, N, rows, columns]; poses: [B, N, SIZE];
    there: bool [B, N]; own: bool [B, N], whether the network drew it, of those that can be the last frame.
    """

    pictures: Tensor
    nearness: Tensor
    poses: Tensor
    there: Tensor
    own: Tensor


class Found(NamedTuple):
    """Where in each of K views the cells of a coming frame lie.

    cell: indices [B, K, rows * columns]; geometry: [B, K, rows * columns, GEOMETRY], how differently it was
    seen; seen: bool [B, K, rows * columns]; nearness: of the coming frame's cells, as each view
    tells it, 0 where it does not. moved: from the coming frame to each view. All numbers in float32.
    """

    cell: Tensor
    geometry: Tensor
    seen: Tensor
    nearness: Tensor
    moved: Moved


class Moved(NamedTuple):
    """How a camera moved, [.., 1] each: forward, right and up as shares of nearness, and its turn."""

    forward: Tensor
    right: Tensor
    up: Tensor
    cos: Tensor
    sin: Tensor


class Picked(NamedTuple):
    """Which frames are carried into each of N coming ones: K of `Shown`, the last one first.

    rows and index, where in `Shown`: [N, 1] and [N, K]; there: bool [N, K]; pose: to look from, [N, SIZE]; own: bool
    [N], whether the network drew the last frame.
    """

    rows: Tensor
    index: Tensor
    there: Tensor
    pose: Tensor
    own: Tensor


def pick_views(settings: ModelSettings, shown: Shown, last: Tensor, asked: Tensor) -> Picked:
    """What is carried into frames seen from `asked` [B, F, SIZE]: the last frame [B, F], and the best of memory.

    Where the camera moves on, an entry at the last frame's own pose is that frame, and shows nothing more.
    """
    batch, frames = last.shape
    rows = _rows(batch, frames, last.device)
    index, pose = last.reshape(-1, 1), asked.flatten(0, 1)
    there, own = (part[rows.unsqueeze(1), index] for part in (shown.there, shown.own))
    if count := min(settings.references, settings.memory_entries):
        slots = slice(0, settings.memory_entries)
        now, theirs, ours = pose.float().unsqueeze(1), shown.poses[rows, slots], shown.poses[rows.unsqueeze(1), index]
        same = (theirs == ours).all(dim=-1) & (now != ours).any(dim=-1) & there
        found = choose(theirs, shown.there[rows, slots] & ~same, now, count, settings.fov)
        index, there = (torch.cat(pair, dim=1) for pair in zip((index, there), found, strict=True))
    return Picked(rows.unsqueeze(1), index, there, pose, own[:, 0])


def pick_one_too(picked: Picked, one: Tensor, asked: Tensor) -> Picked:
    """What was picked for the frames of B chunks, and then, for frames of theirs seen from `asked` [B, R, SIZE], frame
    `one` [B] of `Shown` alone."""
    rows, count = torch.arange(len(one), device=one.device).view(-1, 1, 1), picked.index.shape[1]
    first = torch.arange(count, device=one.device) == 0
    index = torch.where(first, one.view(-1, 1, 1), 0).expand(-1, asked.shape[1], -1)
    there = first.expand_as(index)
    more = rows.expand_as(index[..., :1]), index, there, asked, torch.zeros_like(there[..., 0])
    both = (torch.cat([old.unflatten(0, (len(one), -1)), new], dim=1) for old, new in zip(picked, more, strict=True))
    return Picked(*(part.flatten(0, 1) for part in both))


@kept
def _rows(batch: int, frames: int, device: torch.device) -> Tensor:
    return torch.arange(batch, device=device).repeat_interleave(frames)


@torch.no_grad()
def find_cells(settings: ModelSettings, nearness: Tensor, there: Tensor, filled: Tensor, pose: Tensor) -> Found:
    """Where in each of K views each cell of the frame seen from `pose` [B, SIZE] lies.

    nearness: of the views' cells [B, K, rows, columns]; there: their poses [B, K, SIZE]; filled: bool [B, K].
    """
    rows, columns = settings.latent_shape[:2]
    half = math.tan(math.radians(settings.fov) / 2)
    focal = columns / 2 / half * settings.pixel_aspect  # in rows of cells
    ray, down = rays(rows, columns, half, focal, pose.device)
    now, there, theirs = pose.float().unsqueeze(1), there.float(), nearness.float().flatten(2)
    forward, back = moves(there, now.expand_as(there))
    # Forward: where the views' own cells come to lie, so that the nearness of the coming frame's cells is known.
    near, x, y, ahead = carry(theirs, ray, down, forward)
    left, top = _cells(x, y, half, focal, rows, columns)
    asked = _spread(near, left, top, ahead, rows, columns)
    # Back: where each cell of the coming frame was.
    expected, x, y, ahead = carry(asked, ray, down, back)
    left, top = _cells(x, y, half, focal, rows, columns)
    inside = (left > -0.75) & (left < columns - 0.25) & (top > -0.75) & (top < rows - 0.25)
    seen = ahead & inside & (asked > 0) & filled.unsqueeze(-1)
    left, top = (torch.nan_to_num(part).clamp(-1e3, 1e3) for part in (left, top))  # a pose gone astray finds nothing
    c, r = left.round().clamp(0, columns - 1), top.round().clamp(0, rows - 1)
    index = (r * columns + c).long()
    found = theirs.gather(2, index)
    expected = expected.clamp(min=FARTHEST)
    magnified = (expected / asked.clamp(min=FARTHEST)).log().clamp(-3, 3)
    mistaken = (expected / found).log().clamp(-3, 3)
    turned = back.cos.expand_as(magnified)
    newest = constant((1.0, *[0.0] * (there.shape[1] - 1)), there)[:, None].expand_as(magnified)
    geometry = torch.stack([magnified, mistaken, mistaken.abs(), turned, asked.clamp(max=4), newest], dim=-1)
    return Found(index, geometry, seen, asked, back)


def leave_to_memory(found: Found, own: Tensor) -> Found:
    """The same, but that a last frame of the network's `own`, bool [N], shows nothing that memory knows as well.

    What is carried over from frame to frame is drawn anew each time and gets worse; a view of memory was drawn once.
    So the last frame counts only where no other view sees a cell, or all see it from much farther away.
    """
    as_well = (found.seen & (found.geometry[..., 0] > -COARSER))[:, 1:].any(dim=1) & own.unsqueeze(1)
    last = found.seen[:, :1] > as_well.unsqueeze(1)
    seen = torch.cat([last, found.seen[:, 1:]], dim=1)
    return Found(found.cell, found.geometry, seen, found.nearness, found.moved)  # not _replace, which no compiler takes


@kept
def rays(rows: int, columns: int, half: float, focal: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """How far to the right and down each cell lies, as shares of its distance: [rows * columns] each."""
    column = ((torch.arange(columns, device=device) + 0.5) / columns * 2 - 1) * half
    row = (torch.arange(rows, device=device) + 0.5 - rows / 2) / focal
    return column.expand(rows, -1).flatten(), row[:, None].expand(-1, columns).flatten()


def moves(there: Tensor, now: Tensor) -> tuple[Moved, Moved]:
    """From poses `there` [B, K, SIZE] to `now`, and back."""
    both = move(torch.stack([there, now]), torch.stack([now, there]))
    return Moved(*(part[0] for part in both)), Moved(*(part[1] for part in both))


def move(start: Tensor, end: Tensor) -> Moved:
    """From poses [.., SIZE] to others."""
    forward, right, angle, up = (part.unsqueeze(-1) for part in poses.way_between(start, end).unbind(-1))
    moved = Moved(forward, right, up, angle.cos(), angle.sin())
    if torch.compiler.is_compiling() and forward.numel() >= MANY:
        return Moved(*torch.stack(moved).unbind())
    return moved


def carry(nearness: Tensor, ray: Tensor, down: Tensor, moved: Moved) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points as they are seen after the camera `moved`, [B, *, 1].

    nearness: [B, *, N]; ray and down [N]: how far to the right and down they are, as shares of their distance.
    Returns nearness, ray and down there, and whether they lie ahead.
    """
    forward, right, up, cos, sin = moved
    along, across = 1 - nearness * forward, ray - nearness * right
    depth = along * cos + across * sin
    ahead = depth > BEHIND
    scale = depth.clamp(min=BEHIND).reciprocal()
    return nearness * scale, (across * cos - along * sin) * scale, (down + nearness * up) * scale, ahead


def _cells(x: Tensor, y: Tensor, half: float, focal: float, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Columns and rows of cells, from how far to the right and down they are, as shares of their distance."""
    middle, height = constant(((columns - 1) / 2, (rows - 1) / 2), x).unbind()
    return torch.add(middle, x, alpha=columns / 2 / half), torch.add(height, y, alpha=focal)


def _spread(near: Tensor, left: Tensor, top: Tensor, ahead: Tensor, rows: int, columns: int) -> Tensor:
    """Nearness [B, K, rows * columns] of a frame's cells, from points [B, K, N] that fall on or beside them.

    The nearest point counts. Cells that none falls on take their neighbours' farthest, twice; then 0.
    """
    r, c = (torch.stack([part.floor(), part.ceil()], dim=2) for part in (top, left))
    on = (ahead.unsqueeze(2) & (r >= 0) & (r < rows)).unsqueeze(3) & ((c >= 0) & (c < columns)).unsqueeze(2)
    index = (r * columns).unsqueeze(3) + c.unsqueeze(2)
    index = torch.where(on, index, constant((float(rows * columns),), index)).long()
    flat = near.new_zeros(*near.shape[:2], rows * columns + 1)
    flat.scatter_reduce_(2, index.flatten(2), near.repeat(1, 1, 4), "amax")
    grid = flat[..., :-1].unflatten(2, (rows, columns))
    farthest = constant((-1e4,), grid)
    for _ in range(2):
        known = grid > 0
        filled = -F.max_pool2d(torch.where(known, -grid, farthest), 3, stride=1, padding=1)
        grid = torch.where(known | (filled > 1e3), grid, filled)
    return grid.flatten(2).clamp(max=NEAREST)
