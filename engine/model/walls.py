"""Walls: a camera goes no further than what stands in its way lets it, and along it.

From actions alone nobody knows that a wall is there, and a generator that is asked for what is behind one makes it up,
so that the place is lost. What earlier frames show, and how near it is, says where things stand: points of all that
may be carried over, as far as they are as high as what stops a body.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from engine.model.machine import constant
from engine.model.reprojection import FARTHEST, Shown, rays
from engine.model.settings import ModelSettings

FEWEST = 6  # points that a wall is made of; fewer are a mistake
CLOSE = 0.3  # pose units from which, and from nearer, a frame knows well enough where something stands
ROUND = 5.0  # radii around the points in the way within which others tell how the wall runs


class Body(NamedTuple):
    """What goes through a world behind its camera, in pose units."""

    radius: float  # how near to the camera, along each axis of the ground, nothing can be
    below: float  # how far below the camera things stand in its way; lower ones are stepped over
    above: float  # the same above it; higher ones are passed under
    ahead: float = 0.0  # how much further than where it goes nothing can be, that it would go into


def stop(body: Body, settings: ModelSettings, shown: Shown, asked: Tensor, behind: Tensor | None = None) -> Tensor:
    """`asked` [B, SIZE], as far as nothing that `shown` shows stands in the way: else past it, or not at all.

    The camera is where the last of the frames shown was seen from; behind: how far its eyes are behind a step that its
    body is on already, [B].
    """
    points, solid = _points(body, settings, shown, behind)
    at = shown.poses[:, -1, :2].float()
    points, way = points - at.unsqueeze(1), asked[:, :2] - at
    hit = _in_the_way(body, points, solid, way)
    off = points - _mean(points, hit)
    around = solid & (off.square().sum(dim=-1) < (ROUND * body.radius) ** 2)
    off = (off - _mean(off, around)) * around.unsqueeze(-1)
    # How the wall runs there: the longer axis of these points.
    x, y = off.unbind(-1)
    angle = 0.5 * torch.atan2(2 * (x * y).sum(dim=1), (x.square() - y.square()).sum(dim=1))
    along = torch.stack([angle.cos(), angle.sin()], dim=-1)
    past = (way * along).sum(dim=-1, keepdim=True) * along
    past = torch.where(_many(_in_the_way(body, points, solid, past)), 0, past)
    return torch.cat([at + torch.where(_many(hit), past, way), asked[:, 2:]], dim=1)


def _points(body: Body, settings: ModelSettings, shown: Shown, behind: Tensor | None) -> tuple[Tensor, Tensor]:
    """What frames show, on the ground [B, N, 2], and which of it is as high as what stops a body: bool [B, N]."""
    rows, columns = settings.latent_shape[:2]
    half = math.tan(math.radians(settings.fov) / 2)
    ray, down = rays(rows, columns, half, columns / 2 / half * settings.pixel_aspect, shown.nearness.device)
    depth = shown.nearness.float().flatten(2).clamp(min=FARTHEST).reciprocal()
    x, y, heading, height = shown.poses.float().unsqueeze(-1).unbind(2)
    cos, sin, aside = heading.cos(), heading.sin(), depth * ray
    points = torch.stack([x + depth * cos - aside * sin, y + depth * sin + aside * cos], dim=-1)
    last = height[:, -1:] if behind is None else height[:, -1:] + behind[:, None, None]
    up = height - depth * down - last
    solid = (up > -body.below) & (up < body.above) & (depth < CLOSE) & shown.there.unsqueeze(-1)
    return points.flatten(1, 2), solid.flatten(1)


def _in_the_way(body: Body, points: Tensor, solid: Tensor, way: Tensor) -> Tensor:
    """Which of `solid` points [B, N, 2] a camera at 0 would come too near to on its `way` [B, 2]: bool [B, N]."""
    way = way.unsqueeze(1)
    square = way.square().sum(dim=-1, keepdim=True).clamp(min=1e-12)
    shrink = square.rsqrt()
    toward = way * shrink
    far = torch.addcmul(constant((body.ahead,), way), square, shrink)  # as far as it goes, and `ahead`
    along = (points * toward).sum(dim=-1, keepdim=True)
    nearest = torch.minimum(along, far) * toward  # where it comes nearest
    return solid & (along > 0).squeeze(-1) & ((points - nearest).abs().amax(dim=-1) < body.radius)


def _many(hit: Tensor) -> Tensor:
    return hit.sum(dim=1, keepdim=True) >= FEWEST


def _mean(points: Tensor, which: Tensor) -> Tensor:
    """Of some of the points [B, N, 2], bool [B, N]: [B, 1, 2], zeros if there are none."""
    weight = which.unsqueeze(-1).to(points.dtype)
    return (weight * points).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp(min=1)
