"""How near things are, by looking: a plane sweep over the frames before.

A frame's own nearness is a guess from how it looks. Where the camera moved, older frames know better: nearness that is
right carries them onto this frame, nearness that is wrong beside it. So a few factors on the guess are tried, cell by
cell, and a small network says from how well each of them fits, and from how sharply, what the nearness is (plane
sweeps as in arXiv 1804.02505, around a guess as in 1912.06378).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.machine import constant, kept
from engine.model.reprojection import Moved, carry, move, rays
from engine.model.settings import ModelSettings

SHRINK = 4  # pixels on a side of what counts as one here
OLDER = 2  # frames just before this one that are carried over
STEPS = tuple(round(0.1 * step, 2) for step in range(-4, 5))  # logarithms of the factors on the guess
FACTORS = tuple(math.exp(step) for step in STEPS)
PULLS = tuple(0.015 * (step / 0.3) ** 2 for step in STEPS)  # towards the guess: what is added to each one's cost
SHARPNESS = 300.0  # of the choice among them, before training
UNSEEN = 0.1  # views: how much what is known of all factors counts for each


class Sweep(nn.Module):
    """A guess of each cell's nearness, and older frames -> a better one."""

    def __init__(self, settings: ModelSettings, hidden: int = 32) -> None:
        super().__init__()
        self.settings = settings
        told = len(FACTORS) + 3
        self.enter = nn.Conv2d(told, hidden, 3, padding=1)
        self.middle = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.leave = nn.Conv2d(hidden, len(FACTORS) + 1, 3, padding=1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)
        self.sharpness = nn.Parameter(torch.zeros(()))  # logarithm of what multiplies SHARPNESS

    def forward(
        self, picture: Tensor, guess: Tensor, pose: Tensor, older: Tensor, their: Tensor, there: Tensor
    ) -> Tensor:
        """Nearness [N, rows, columns], float32, of frames seen from `pose` [N, SIZE].

        picture: shrunk (see `shrink`), [N, 3, height, width]. guess: [N, rows, columns]. older: K frames [N, K, 3,
        height, width], shrunk, from poses `their` [N, K, SIZE], of which `there` [N, K] can be used.
        """
        with torch.no_grad():
            cost, seen = sweep_costs(self.settings, picture, guess, pose, older, their, there)
        steps, pulls = (constant(values, cost)[:, None, None] for values in (STEPS, PULLS))
        least = cost.amin(dim=1, keepdim=True)
        told = torch.cat([(cost - least) * 20, least * 10, seen, guess.unsqueeze(1).log()], dim=1)
        kind = self.enter.weight.dtype
        h = F.silu(self.enter(told.to(kind)))
        h = h + F.silu(self.middle(h))
        learnt, more = self.leave(h).float().split([len(FACTORS), 1], dim=1)
        share = torch.softmax(learnt - SHARPNESS * self.sharpness.float().exp() * (cost + pulls), dim=1)
        found = (share * steps).sum(dim=1) + more[:, 0]
        return guess * found.exp()

    def last(self, guess: Tensor, pictures: Tensor, seen_from: Tensor, count: Tensor | None = None) -> Tensor:
        """Nearness [B, n, rows, columns] of the last n of F frames in a row, of which `guess` is a guess.

        pictures: of all frames, shrunk, [B, F, 3, height, width], seen from poses [B, F, SIZE]. count: [B, 1], how many
        frames there were before the last one; F - 1, if not told.
        """
        batch, frames = pictures.shape[:2]
        now, older, age = _row(frames, guess.shape[1], guess.device)
        before = now if count is None else torch.minimum(now, count + now - (frames - 1))
        there = (before.unsqueeze(-1) >= age).expand(batch, len(now), len(age)).flatten(0, 1)
        given = pictures[:, now], guess, seen_from[:, now], pictures[:, older], seen_from[:, older]
        return self(*(part.flatten(0, 1) for part in given), there).unflatten(0, guess.shape[:2])

    def last_of_blocks(self, guess: Tensor, pictures: Tensor, seen_from: Tensor) -> Tensor:
        """Nearness [B, M, rows, columns] of the last frame of each of M blocks, of which `guess` is a guess.

        pictures: of the blocks' frames, shrunk, [B, M, frames, 3, height, width], seen from poses [B, M, frames, SIZE].
        """
        parts = (part.flatten(0, 1) for part in (guess.unsqueeze(2), pictures, seen_from))
        return self.last(*parts).view_as(guess)


def shrink(pictures: Tensor) -> Tensor:
    """Pictures [.., 3, height, width] at the size at which they are compared."""
    return F.avg_pool2d(pictures.flatten(0, -4), SHRINK).unflatten(0, pictures.shape[:-3])


def sweep_costs(
    settings: ModelSettings, picture: Tensor, guess: Tensor, pose: Tensor, older: Tensor, their: Tensor, there: Tensor
) -> tuple[Tensor, Tensor]:
    """How badly older frames fit this one where each factor puts them, [N, factors, rows, columns], and the share of
    them that sees a cell, [N, 1, rows, columns]. Arguments as of `Sweep`."""
    batch, views, _, height, width = older.shape
    half = math.tan(math.radians(settings.fov) / 2)
    focal = width / 2 / half * settings.pixel_aspect  # in rows of pixels
    ray, down = rays(height, width, half, focal, guess.device)
    back = move(pose.float().unsqueeze(1).expand_as(their), their.float())
    near = F.interpolate(guess.unsqueeze(1), (height, width), mode="bilinear", align_corners=False).flatten(2)
    near = near.unsqueeze(2) * constant(FACTORS, near)[:, None]  # [N, 1, factors, pixels]
    _, x, y, ahead = carry(near, ray, down, Moved(*(part.unsqueeze(-1) for part in back)))
    # As few axes as can be: a GPU joins tensors of more than four one by one.
    place = torch.stack([(x / half).flatten(0, 1), (y * (2 * focal / height)).flatten(0, 1)], dim=-1)
    place = place.nan_to_num().clamp(-4, 4)
    across, along = (place.abs() < 1).unbind(-1)
    inside = ahead & (across & along).view_as(ahead) & there[..., None, None]
    place = place.view(batch * views, -1, width, 2)  # all factors as one tall picture
    moved = F.grid_sample(older.flatten(0, 1).float(), place, padding_mode="border", align_corners=False)
    moved = moved.view(batch, views, 3, len(FACTORS), height, width)
    off = (moved - picture.float()[:, None, :, None]).abs().mean(dim=2)
    inside = inside.view(batch, views, len(FACTORS), height, width).to(off.dtype)
    rows, columns = settings.latent_shape[:2]
    cells = height // rows, width // columns
    both = torch.cat([(off * inside).sum(dim=1), inside.sum(dim=1)], dim=1).flatten(0, 1)
    both = F.avg_pool2d(both.unsqueeze(1), cells)
    both = F.avg_pool2d(both, 3, stride=1, padding=1).view(batch, 2, len(FACTORS), rows, columns)
    total, weight = both.unbind(1)
    typical = total.sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp(min=1e-3)
    cost = (total + UNSEEN * typical) / (weight + UNSEEN)  # where nobody sees a cell, every factor fits alike
    return cost, weight.mean(dim=1, keepdim=True) / views


@kept
def _row(frames: int, last: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The numbers of the last few of `frames`, [n]; of those that they are held against, [n, OLDER], 0 for those before
    the first; and by how many frames these come before, [OLDER]."""
    now, age = torch.arange(frames - last, frames, device=device), torch.arange(1, OLDER + 1, device=device)
    return now, (now.unsqueeze(1) - age).clamp(min=0), age
