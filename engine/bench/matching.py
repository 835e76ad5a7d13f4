"""How well two pictures match if the camera turned, or what they show moved, by so much: what a probe reads motion off.

A sweep tries every candidate and keeps how wrong each is, as plane sweeps do for depth and cost volumes for flow
(arXiv 1709.02371). Costs are scaled by their own mean, so that neither contrast nor sharpness shows in them. All
lengths in pictures are tangents, as shares of the distance along the camera's axis, so any size of picture will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

FINE = (96, 160)  # rows and columns of the pictures that are matched
GRID = (6, 10)  # patches of a picture, rows and columns
# How far each patch is looked for, in rows and columns of FINE, of pictures half as large, and of a quarter.
REACH = ((2, 3), (4, 6), (4, 8))
BANDS = (4, 10)  # parts of the picture, rows and columns, that each tell of a turn for themselves
CYLINDER_ROWS = 24
TURN_STEP = 0.5  # degrees between turns that are tried
FLOOR = 0.01  # of a cost's mean, on the scale 0 to 1: what is less says nothing
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Lens:
    """A pinhole camera's half picture, as shares of the distance, and the largest turn to try, in degrees."""

    half: float  # to the side
    tall: float  # upwards
    limit: float = 0.0

    @staticmethod
    def of(fov: float, pixel_aspect: float, height: int, width: int, limit: float) -> Lens:
        half = math.tan(math.radians(fov) / 2)
        return Lens(half, half * height / width / pixel_aspect, limit)

    @property
    def reach(self) -> int:
        """Columns of the cylinder in the largest turn."""
        return round(self.limit / TURN_STEP)

    @property
    def turns(self) -> Tensor:
        """Degrees of the turns that `turn_costs` tries, right positive."""
        return torch.arange(-self.reach, self.reach + 1) * TURN_STEP


@dataclass(frozen=True)
class Views:
    """Frames as a probe looks at them: grey [N, 1, *FINE] and the colours of patches [N, 3, *GRID], both 0..1."""

    grey: Tensor
    colours: Tensor


def look(frames: Tensor) -> Views:
    """Shrink frames, uint8 [N, height, width, 3]."""
    pixels = frames.movedim(-1, 1).float() / 255
    small = F.interpolate(pixels, FINE, mode="bilinear", antialias=True)
    grey = (small * small.new_tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)
    return Views(grey, F.adaptive_avg_pool2d(small, GRID))


def blur(grey: Tensor, sigma: float) -> Tensor:
    """Pictures [N, 1, rows, columns] after a Gaussian of `sigma` pixels."""
    if sigma <= 0:
        return grey
    reach = math.ceil(3 * sigma)
    weight = torch.exp(-torch.arange(-reach, reach + 1, device=grey.device).square() / (2 * sigma**2))
    weight = (weight / weight.sum()).view(1, 1, 1, -1)
    across = F.conv2d(F.pad(grey, (reach, reach, 0, 0), mode="replicate"), weight)
    return F.conv2d(F.pad(across, (0, 0, reach, reach), mode="replicate"), weight.mT)


def turned(grey: Tensor, yaw: Tensor, lens: Lens) -> Tensor:
    """Pictures [N, 1, rows, columns] as they look after the camera has turned right by yaw [N] degrees.

    Beyond its edge a picture goes on as it ends.
    """
    rows, columns = grey.shape[2:]
    x, y = _middles(columns, grey) * lens.half, _middles(rows, grey) * lens.tall
    angle = x.atan() + torch.deg2rad(yaw.to(grey)).unsqueeze(1)
    seen = angle.clamp(-1.5, 1.5).tan()
    longer = ((1 + seen.square()) / (1 + x.square())).sqrt()
    place = torch.stack(
        [
            (seen / lens.half).unsqueeze(1).expand(-1, rows, -1),
            y[None, :, None] * longer.unsqueeze(1) / lens.tall,
        ],
        dim=-1,
    )
    return F.grid_sample(grey, place.clamp(-4, 4), padding_mode="border", align_corners=False)


def turn_costs(grey: Tensor, lens: Lens) -> tuple[Tensor, Tensor]:
    """For each picture but the first of [N, 1, *FINE]: how wrong each of `lens.turns` since the one before it is.

    Returns costs [N - 1, bands, turns], and what share of a band each turn leaves in sight [bands, turns]. On a
    cylinder a turn is a shift.
    """
    wide = _cylinder(grey, lens)
    columns, reach = wide.shape[2], lens.reach
    new, old = wide[1:], F.pad(wide[:-1], (reach, reach))
    there = F.pad(wide.new_ones(columns), (reach, reach)).unfold(0, columns, 1)
    band = _pool(columns, BANDS[1], wide)
    seen = there @ band
    found = []
    for row in range(BANDS[0]):
        part = slice(row * CYLINDER_ROWS // BANDS[0], (row + 1) * CYLINDER_ROWS // BANDS[0])
        off = (old[:, part].unfold(2, columns, 1) - new[:, part].unsqueeze(2)).abs_().mean(dim=1)
        found.append((off * there) @ band / seen.clamp(min=1e-6))
    costs = torch.stack(found, dim=1).movedim(-1, 2).flatten(1, 2)
    seen = seen.mT.repeat(BANDS[0], 1)
    mean = (costs * seen).sum(dim=2, keepdim=True) / seen.sum(dim=1, keepdim=True)
    return (costs / (mean + FLOOR) - 1) * (seen > 0), seen


def shift_costs(old: Tensor, new: Tensor) -> Tensor:
    """How wrong it is that a patch of `new` was elsewhere in `old`, both [N, 1, *FINE]: [N, SHIFT_COSTS, *GRID].

    Of each size of picture every shift of REACH, and the logarithm of their mean.
    """
    parts = []
    for level, (tall, wide) in enumerate(REACH):
        one, other = (F.avg_pool2d(picture, 2**level)[:, 0] for picture in (old, new))
        costs = _shifts(one, other, tall, wide)
        mean = costs.mean(dim=1, keepdim=True)
        parts += [costs / (mean + FLOOR) - 1, (mean + FLOOR).log() - math.log(10 * FLOOR)]
    return torch.cat(parts, dim=1)


SHIFT_COSTS = sum((2 * tall + 1) * (2 * wide + 1) + 1 for tall, wide in REACH)


def _shifts(old: Tensor, new: Tensor, tall: int, wide: int) -> Tensor:
    rows, columns = new.shape[1:]
    patch = _pool(columns, GRID[1], new)
    padded = F.pad(old.unsqueeze(1), (wide, wide, tall, tall), mode="replicate")[:, 0].unfold(2, columns, 1)
    found = []
    for top in range(2 * tall + 1):
        off = (padded[:, top : top + rows] - new.unsqueeze(2)).abs_()
        found.append((off @ patch).unflatten(1, (GRID[0], -1)).mean(dim=2).movedim(2, 1))
    return torch.cat(found, dim=1)


def _cylinder(grey: Tensor, lens: Lens) -> Tensor:
    """Pictures as seen on a cylinder around the camera, [N, CYLINDER_ROWS, columns], TURN_STEP degrees a column."""
    widest = math.degrees(math.atan(lens.half))
    columns = max(BANDS[1], round(2 * widest / TURN_STEP))
    x = torch.deg2rad(_middles(columns, grey) * widest).tan()
    y = _middles(CYLINDER_ROWS, grey)[:, None] * (1 + x.square()).sqrt() / (1 + 0.5 * lens.half**2) ** 0.5
    place = torch.stack([(x / lens.half).expand(CYLINDER_ROWS, -1), y], dim=-1)
    place = place.expand(len(grey), -1, -1, -1)
    return F.grid_sample(grey, place, padding_mode="border", align_corners=False)[:, 0]


def _middles(count: int, like: Tensor) -> Tensor:
    """Middles of `count` equal parts of -1..1."""
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) * 2 / count - 1


def _pool(size: int, parts: int, like: Tensor) -> Tensor:
    """[size, parts]: multiplies into the mean of each of `parts` runs of a whole."""
    which = torch.arange(size, device=like.device) * parts // size
    one = F.one_hot(which, parts).to(like.dtype)
    return one / one.sum(dim=0)
