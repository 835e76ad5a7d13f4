"""References made of pictures: earlier frames, moved into the coming view pixel by pixel, and read by a small network.

Where a cell of the coming view was seen is known from poses and nearness alone (`find_cells`), so earlier frames are
sampled there at the resolution of the picture, which keeps the texture that a shift within a cell would cost a
latent. Each view is read and weighed cell by cell; a small convolutional network makes a latent of the views' mean
(compare forward warping with depth as a generator's condition, arXiv 2509.26645; 2408.13252).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.codec import ResidualBlock
from engine.model.machine import kept, sample_in_parts
from engine.model.reprojection import (
    GEOMETRY,
    Found,
    Moved,
    Picked,
    Shown,
    carry,
    find_cells,
    leave_to_memory,
    pick_views,
)
from engine.model.settings import ModelSettings

GRID = 4  # pixels between the points at which positions are computed; between them they are interpolated
UNSEEN = -1e4  # trust in a view where it does not show a cell: so little that it weighs exactly nothing
AT_ONCE = 256  # cells by which more are read at once: oneDNN takes a millisecond for each number that it has not met


class Carried(NamedTuple):
    """Views as they are seen from where each of N coming frames is: K of each, cell by cell.

    cells: their pixels, [N, K, 3 * stride * stride, rows, columns]; told: how each was seen, and whether it was, [N, K,
    GEOMETRY + 1, rows, columns]; seen: bool [N, K, rows, columns].
    """

    cells: Tensor
    told: Tensor
    seen: Tensor


class Reprojector(nn.Module):
    """Pictures seen before and a pose to look from -> a latent of what they show from there, and how sure that is."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        hidden, stride = settings.reference_dim, settings.codec.stride
        self.enter = nn.Conv2d(3 * stride**2 + GEOMETRY + 1, hidden, 1)
        self.trust = nn.Conv2d(hidden, 1, 1)
        self.doubt = nn.Parameter(torch.zeros(()))
        self.blocks = nn.Sequential(ResidualBlock(hidden), ResidualBlock(hidden))
        self.leave = nn.Conv2d(hidden, settings.codec.latent_channels, 3, padding=1)

    def forward(self, shown: Shown, last: Tensor, asked: Tensor) -> tuple[Tensor, Found]:
        """last: [B, F], which of `shown` came just before each frame to draw; asked: poses [B, F, SIZE] to draw from.

        Returns [B, F, rows, columns, channels + 1], of which the last channel says how sure it is, 0..1; and where the
        cells of B * F frames were found.
        """
        picked = self.pick(shown, last, asked)
        found = self.find(shown.nearness, shown.poses, picked)
        return self.read(self.carry_over(shown, picked, found)).unflatten(0, last.shape), found

    def read(self, carried: Carried) -> Tensor:
        """The same of views that were carried over: [N, rows, columns, channels + 1]."""
        return self.leave_with(*self.merge(*self._read_views(carried), carried.seen))

    def read_found(self, shown: Shown, picked: Picked, found: Found) -> Tensor:
        """`read` of what `carry_over` gives."""
        views = self.read_views(shown.pictures, picked, found, self.find_points(found))
        return self.leave_with(*self.merge(*views, found.seen.unflatten(2, self.settings.latent_shape[:2])))

    def read_views(self, pictures: Tensor, picked: Picked, found: Found, points: Tensor) -> tuple[Tensor, Tensor]:
        """Each of M views for itself: [M, hidden, rows, columns], and how far it is trusted, float32 [M, 1, ., .]."""
        if not torch.compiler.is_compiling():
            return self._read_views(self._carry(pictures, picked, found, points))
        kind, numbers = self.enter.weight.dtype, self.enter.in_channels
        channels = sample_by_channel(self.settings, pictures, picked, points)
        # A stack of so many that a compiler writes it down, so that it joins the rest where it is written; and eights,
        # for a GPU multiplies them faster.
        parts = *found.geometry.unbind(-1), found.seen, *[torch.zeros_like(found.seen)] * (-numbers % 8)
        told = torch.stack([part.to(kind) for part in parts], dim=-1)
        given = torch.cat([*channels, told], dim=-1)
        h = F.linear(given, F.pad(self.enter.weight.flatten(1), (0, -numbers % 8)), self.enter.bias)
        h = F.silu(h).flatten(0, 1)
        assert self.trust.bias is not None
        trust = (h * self.trust.weight.flatten()).sum(dim=-1, keepdim=True) + self.trust.bias
        h, trust = (x.transpose(1, 2).unflatten(2, self.settings.latent_shape[:2]) for x in (h, trust))
        return h, trust.float()

    def _read_views(self, carried: Carried) -> tuple[Tensor, Tensor]:
        h = F.silu(self.enter(torch.cat([carried.cells.flatten(0, 1), carried.told.flatten(0, 1)], dim=1)))
        return h, self.trust(h).float()

    def merge(self, h: Tensor, trust: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of K views that are `seen`, [N, hidden, rows, columns], and their shares in it, [N, K, ., .]."""
        trust = trust.unflatten(0, seen.shape[:2])[:, :, 0]
        weight = self._weigh(trust.masked_fill(~seen, UNSEEN)).to(h.dtype)
        return (weight.unsqueeze(2) * h.unflatten(0, seen.shape[:2])).sum(dim=1), weight

    @torch.no_grad()
    def read_seen(self, shown: Shown, picked: Picked, found: Found) -> Tensor:
        """`read` of what `carry_over` gives for one coming frame, up to rounding: [1, rows, columns, channels + 1].

        Only cells that are seen are sampled and read: n of them, the others weigh nothing. The host waits for n.
        """
        grid, dtype = self.settings.latent_shape[:2], self.enter.weight.dtype
        seen, pictures = found.seen[0], [shown.pictures[picked.rows[0, 0], index] for index in picked.index[0]]
        view, cell = seen.nonzero(as_tuple=True)
        told = F.pad(found.geometry[0, view, cell], (0, 1), value=1.0).to(dtype)
        cells = warp_seen(self.settings, pictures, found.nearness, found.moved, seen).to(dtype)
        told = F.pad(torch.cat([cells, told], dim=1), (0, 0, 0, -len(cell) % AT_ONCE))
        h = F.silu(F.linear(told, self.enter.weight.flatten(1), self.enter.bias))
        trust = torch.full(seen.shape, UNSEEN, device=h.device)
        trust[view, cell] = F.linear(h, self.trust.weight.flatten(1), self.trust.bias)[: len(cell), 0].float()
        weight = self._weigh(trust[None]).to(dtype)
        weighed = weight[0, view, cell, None].float() * h[: len(cell)]  # added up in no less than float32
        merged = weighed.new_zeros(seen.shape[1], h.shape[1]).index_add_(0, cell, weighed).to(dtype)
        return self.leave_with(merged.unflatten(0, grid)[None].permute(0, 3, 1, 2), weight.unflatten(2, grid))

    def _weigh(self, trust: Tensor) -> Tensor:
        """What share each of K views has in a cell, as far as each is trusted there, [N, K, ...]: the rest is doubt."""
        return torch.softmax(torch.cat([trust, self.doubt.expand_as(trust[:, :1])], dim=1), dim=1)[:, :-1]

    def leave_with(self, merged: Tensor, weight: Tensor) -> Tensor:
        """[N, hidden, rows, columns] and the shares [N, K, rows, columns] -> [N, rows, columns, channels + 1]."""
        latent = self.leave(F.silu(self.blocks(merged)))
        both = torch.cat([latent, weight.sum(dim=1, keepdim=True).to(latent.dtype)], dim=1)
        return both.permute(0, 2, 3, 1)

    def pick(self, shown: Shown, last: Tensor, asked: Tensor) -> Picked:
        """What is carried over (see `pick_views`)."""
        return pick_views(self.settings, shown, last, asked)

    def find(self, nearness: Tensor, seen_from: Tensor, picked: Picked) -> Found:
        """Where the cells of the coming frames lie in the frames that were picked of those of `Shown`."""
        rows, index, there, pose, own = picked
        found = find_cells(self.settings, nearness[rows, index], seen_from[rows, index], there, pose)
        return leave_to_memory(found, own) if self.settings.trusts_memory else found

    def find_points(self, found: Found) -> Tensor:
        """Where points of what is seen from there lie in them (see `find_points`)."""
        return find_points(self.settings, found.nearness, found.moved)

    @torch.no_grad()
    def carry_over(self, shown: Shown, picked: Picked, found: Found) -> Carried:
        """Carry frames that were picked into the coming ones, whose cells were `found` in them: geometry alone, nothing
        is learnt from it."""
        return self._carry(shown.pictures, picked, found, self.find_points(found))

    def _carry(self, pictures: Tensor, picked: Picked, found: Found, points: Tensor) -> Carried:
        grid = self.settings.latent_shape[:2]
        cells = sample(self.settings, pictures[picked.rows, picked.index], points)
        told = torch.cat([found.geometry, found.seen.unsqueeze(-1)], dim=-1)
        told = told.movedim(-1, 2).unflatten(3, grid).to(cells.dtype)
        return Carried(cells, told, found.seen.unflatten(2, grid))


def warp(settings: ModelSettings, pictures: Tensor, nearness: Tensor, moved: Moved) -> Tensor:
    """Pictures [B, K, 3, height, width] as they are seen from where a camera looks now.

    moved: from there to where the pictures were seen from. nearness: of the cells of the coming frame
    [B, K, rows * columns]; 0 where it is not known, which counts as infinitely far. Beyond its edge a picture goes
    on as it ends. Returns each cell's pixels as its channels, as
    `F.pixel_unshuffle` orders them: [B, K, 3 * stride * stride, rows, columns].
    """
    return sample(settings, pictures, find_points(settings, nearness, moved))


def find_pixels(settings: ModelSettings, points: Tensor) -> Tensor:
    """Where each pixel of cells lies between `points`: [B * K, stride * stride, cells, 2]; on a GPU, which reads and
    writes what lies side by side at once, [B * K, cells, stride * stride, 2].

    Positions are brought into the order of the cells, not the pixels that are found there: these take longer.
    """
    place = F.interpolate(points, (settings.height, settings.width), mode="bilinear", align_corners=True)
    (rows, columns), stride = settings.latent_shape[:2], settings.codec.stride
    place = place.unflatten(3, (columns, stride)).unflatten(2, (rows, stride))
    if place.is_cuda:
        return place.permute(0, 2, 4, 3, 5, 1).reshape(len(place), rows * columns, stride * stride, 2)
    place = place.permute(0, 1, 3, 5, 2, 4).reshape(len(place), 2, stride * stride, rows * columns)
    return place.permute(0, 2, 3, 1)


def sample(settings: ModelSettings, pictures: Tensor, points: Tensor) -> Tensor:
    """The pixels of pictures [B, K, 3, height, width] between the `points` in them, as `warp` returns them: on a GPU
    with the channels of a cell side by side."""
    (rows, columns), stride = settings.latent_shape[:2], settings.codec.stride
    place = find_pixels(settings, points)
    cells = F.grid_sample(pictures.flatten(0, 1).float(), place, padding_mode="border", align_corners=False)
    shape = *pictures.shape[:2], 3 * stride * stride, rows, columns
    if not place.is_cuda:
        return cells.to(pictures.dtype).view(shape)
    cells = cells.transpose(1, 2).to(pictures.dtype, memory_format=torch.contiguous_format)
    return cells.flatten(2).transpose(1, 2).view(shape)


def sample_by_channel(settings: ModelSettings, pictures: Tensor, picked: Picked, points: Tensor) -> list[Tensor]:
    """For a compiler, `sample` of those picked of pictures [B, N, 3, height, width], up to rounding: red, green, blue,
    [B, K, cells, stride * stride].

    It finds once for all of them where a pixel lies, and writes that nowhere. Nothing is stacked: of a stack it would
    work out every part for each of them.
    """
    (rows, columns, _), stride = settings.latent_shape, settings.codec.stride
    (above, down), (left, right) = (
        [part.view(shape).expand(rows, columns, stride, stride).reshape(rows * columns, -1) for part in between]
        for between, shape in (
            (_between(settings.height, stride, points.shape[2], points.device), (rows, 1, stride, 1)),
            (_between(settings.width, stride, points.shape[3], points.device), (1, columns, 1, stride)),
        )
    )
    ends = []
    for part, size in zip(points.unbind(1), (settings.width, settings.height), strict=True):
        upper, lower = (_mix(part[:, row, left], part[:, row, left + 1], right) for row in (above, above + 1))
        place = ((_mix(upper, lower, down) + 1) * (size / 2) - 0.5).clamp(0, size - 1).unflatten(0, picked.index.shape)
        first = place.floor()
        ends.append((first.long(), (first + 1).clamp(max=size - 1).long(), place - first))
    (x, next_x, across), (y, next_y, down) = ends
    frame = picked.rows[:, :, None, None], picked.index[:, :, None, None]
    channels = []
    for picture in pictures.unbind(2):
        upper, lower = (
            _mix(picture[*frame, row, x].float(), picture[*frame, row, next_x].float(), across) for row in (y, next_y)
        )
        channels.append(_mix(upper, lower, down).to(pictures.dtype))
    return channels


def _mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first + (second - first) * share


def warp_seen(
    settings: ModelSettings, pictures: Sequence[Tensor], nearness: Tensor, moved: Moved, seen: Tensor
) -> Tensor:
    """What `warp` makes of those cells that are `seen`, bool [K, rows * columns], up to rounding: view by view, in
    float32, [n, 3 * stride * stride].

    pictures: K of [3, height, width], with nearness [1, K, rows * columns] and `moved` of one coming frame.
    """
    columns, stride = settings.latent_shape[1], settings.codec.stride
    points = find_points(settings, nearness, moved)
    # Between the points of a row everywhere, which takes little; between rows of points only in cells that are seen.
    across = F.interpolate(points.flatten(0, 2)[None], settings.width, mode="linear", align_corners=True)
    parts = across.view(-1, stride)  # one in each cell's column, of each row of points, of x and y of each view
    (view, cell), tall = seen.nonzero(as_tuple=True), points.shape[2] * columns  # of x, after which y comes
    first, share = _between(settings.height, stride, points.shape[2], points.device)
    row, column = cell // columns, cell % columns
    x = (view * 2 * tall + column).unsqueeze(1) + first[row] * columns
    above, share = torch.stack([x, x + tall]).flatten(), share[row].expand(2, -1, -1).reshape(-1, 1)
    place = torch.lerp(parts.index_select(0, above), parts.index_select(0, above + columns), share)
    place = place.view(2, len(cell), stride * stride).permute(1, 2, 0)
    cells, counts = place.new_empty(len(cell), 3, stride * stride), seen.sum(dim=1).tolist()
    for picture, where, found in zip(pictures, place.split(counts), cells.split(counts), strict=True):
        if len(where):
            found.copy_(sample_in_parts(picture.float(), where, torch.get_num_threads()))
    return cells.flatten(1)


def find_points(settings: ModelSettings, nearness: Tensor, moved: Moved) -> Tensor:
    """Where a grid of the coming frame's points lies in each view, as `F.grid_sample` counts: [B * K, 2, ., .]."""
    height, width = settings.height, settings.width
    size = height // GRID + 1, width // GRID + 1
    half = math.tan(math.radians(settings.fov) / 2)
    near = nearness.float().unflatten(2, settings.latent_shape[:2])
    near = F.interpolate(near, size, mode="bilinear", align_corners=False).flatten(2)
    tall = half * height / width / settings.pixel_aspect
    _, x, y, _ = carry(near, *_rays(height, width, size, half, tall, near.device), moved)
    return torch.stack([x / half, y / tall], dim=2).nan_to_num().clamp(-4, 4).unflatten(3, size).flatten(0, 1)


@kept
def _between(pixels: int, stride: int, points: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which of `points` rows lies above each row of pixels, and how far down from it to the next, [rows, stride];
    and so of columns."""
    where = torch.arange(pixels, device=device) * ((points - 1) / (pixels - 1))
    first = where.long().clamp(max=points - 2)
    return first.view(-1, stride), (where - first).view(-1, stride)


@kept
def _rays(
    height: int, width: int, size: tuple[int, int], half: float, tall: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """How far to the right and down a grid of the picture's points lies, as shares of their distance, flat."""
    column = (torch.linspace(0, width - 1, size[1], device=device) + 0.5) / width * 2 - 1
    row = (torch.linspace(0, height - 1, size[0], device=device) + 0.5) / height * 2 - 1
    return (column * half).expand(size).flatten(), (row * tall)[:, None].expand(size).flatten()
