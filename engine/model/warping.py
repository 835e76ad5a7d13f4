"""References made of pictures: earlier frames, moved into the coming view pixel by pixel, and read by a small network.

Where a cell of the coming view was seen is known from poses and nearness alone (`find_cells`), so earlier frames are
sampled there at the resolution of the picture, which keeps the texture that a shift within a cell would cost a
latent. Each view is read and weighed cell by cell; a small convolutional network makes a latent of the views' mean
(compare forward warping with depth as a generator's condition, arXiv 2509.26645; 2408.13252).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.codec import ResidualBlock
from engine.model.machine import kept
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

    def forward(self, shown: Shown, last: Tensor, asked: Tensor) -> Tensor:
        """last: [B, F], which of `shown` came just before each frame to draw; asked: poses [B, F, SIZE] to draw from.

        Returns [B, F, rows, columns, channels + 1]; the last channel says how sure it is, 0..1.
        """
        picked = self.pick(shown, last, asked)
        return self.read(self.carry_over(shown, picked)).unflatten(0, last.shape)

    def read(self, carried: Carried) -> Tensor:
        """The same of views that were carried over: [N, rows, columns, channels + 1]."""
        cells, told, seen = carried
        h = F.silu(self.enter(torch.cat([cells.flatten(0, 1), told.flatten(0, 1)], dim=1)))
        trust = self.trust(h).float().unflatten(0, seen.shape[:2])[:, :, 0]
        trust = trust.masked_fill(~seen, -1e4)
        weight = torch.softmax(torch.cat([trust, self.doubt.expand_as(trust[:, :1])], dim=1), dim=1)[:, :-1].to(h.dtype)
        merged = (weight.unsqueeze(2) * h.unflatten(0, seen.shape[:2])).sum(dim=1)
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
        return leave_to_memory(found, own)

    @torch.no_grad()
    def move(self, pictures: Tensor, picked: Picked, found: Found) -> Tensor:
        """Their pictures as they are seen from there (see `warp`)."""
        return warp(self.settings, pictures[picked.rows, picked.index], found.nearness, found.moved)

    @torch.no_grad()
    def carry_over(self, shown: Shown, picked: Picked) -> Carried:
        """Carry frames that were picked into the coming ones: geometry alone, nothing is learnt from it."""
        found = self.find(shown.nearness, shown.poses, picked)
        cells, grid = self.move(shown.pictures, picked, found), self.settings.latent_shape[:2]
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
    height, width = settings.height, settings.width
    size = height // GRID + 1, width // GRID + 1
    half = math.tan(math.radians(settings.fov) / 2)
    near = nearness.float().unflatten(2, settings.latent_shape[:2])
    near = F.interpolate(near, size, mode="bilinear", align_corners=False).flatten(2)
    tall = half * height / width / settings.pixel_aspect
    _, x, y, _ = carry(near, *_rays(height, width, size, half, tall, near.device), moved)
    place = torch.stack([x / half, y / tall], dim=2).nan_to_num().clamp(-4, 4).unflatten(3, size).flatten(0, 1)
    place = F.interpolate(place, (height, width), mode="bilinear", align_corners=True)
    # Positions are brought into the order of the cells, not the pixels that are found there: these take longer.
    (rows, columns), stride = settings.latent_shape[:2], settings.codec.stride
    place = place.unflatten(3, (columns, stride)).unflatten(2, (rows, stride)).permute(0, 1, 3, 5, 2, 4)
    place = place.reshape(len(place), 2, stride * stride, rows * columns).permute(0, 2, 3, 1)
    cells = F.grid_sample(pictures.flatten(0, 1).float(), place, padding_mode="border", align_corners=False)
    return cells.to(pictures.dtype).view(*pictures.shape[:2], 3 * stride * stride, rows, columns)


@kept
def _rays(
    height: int, width: int, size: tuple[int, int], half: float, tall: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """How far to the right and down a grid of the picture's points lies, as shares of their distance, flat."""
    column = (torch.linspace(0, width - 1, size[1], device=device) + 0.5) / width * 2 - 1
    row = (torch.linspace(0, height - 1, size[0], device=device) + 0.5) / height * 2 - 1
    return (column * half).expand(size).flatten(), (row * tall)[:, None].expand(size).flatten()
