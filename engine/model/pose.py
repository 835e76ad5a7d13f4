"""Camera poses as the network sees them: [x, y, heading, height], heading in radians, clockwise as seen from above."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.model.machine import constant

NOISE = 0.12  # of a motion read off a frame, scaled
TOGETHER = (1.0, 1.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)
SIZE = 4  # numbers of a pose, and of a motion
MOTION_SCALE = (8.0, 8.0, 2.0, 8.0)  # brings one frame's motion (pose units, but for the turn's radians) to about 1


def from_game(poses: Tensor, pose_unit: float) -> Tensor:
    """Game poses [.., 4] (x, y, z, angle in degrees, anticlockwise) -> [.., SIZE]; NaN becomes 0."""
    x, y, z, angle = poses.unbind(-1)
    return torch.nan_to_num(torch.stack([x / pose_unit, -y / pose_unit, -torch.deg2rad(angle), z / pose_unit], dim=-1))


def to_game(pose: Tensor, pose_unit: float) -> tuple[float, float, float, float]:
    """One pose [SIZE] -> (x, y, z, angle in degrees within 0..360)."""
    x, y, heading, height = (float(value) for value in pose)
    return x * pose_unit, -y * pose_unit, height * pose_unit, -math.degrees(heading) % 360.0


def wrap(angle: Tensor) -> Tensor:
    """Angles in radians, brought into -pi..pi."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def turn(pose: Tensor, yaw: Tensor) -> Tensor:
    """`pose` [.., SIZE] with its heading turned by yaw [..] degrees, right positive."""
    return torch.cat([pose[..., :2], (pose[..., 2] + torch.deg2rad(yaw)).unsqueeze(-1), pose[..., 3:]], dim=-1)


def motion_between(start: Tensor, end: Tensor) -> Tensor:
    """Motion [.., SIZE] from pose `start` to `end`: (forward, right, turn, up) seen from `start`, scaled to about 1."""
    motion = way_between(start, end)
    return motion * constant(MOTION_SCALE, motion)


def way_between(start: Tensor, end: Tensor) -> Tensor:
    """The same in pose units and radians."""
    forward, right, up = _along(start, end, start[..., 2])
    return torch.stack([forward, right, wrap(end[..., 2] - start[..., 2]), up], dim=-1)


def _along(start: Tensor, end: Tensor, heading: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far it is from one pose to another: forward and to the right of a heading, and up."""
    delta, cos, sin = end[..., :2] - start[..., :2], heading.cos(), heading.sin()
    forward = delta[..., 0] * cos + delta[..., 1] * sin
    right = delta[..., 1] * cos - delta[..., 0] * sin
    return forward, right, end[..., 3] - start[..., 3]


def looking_back(previous: Tensor, current: Tensor) -> Tensor:
    """Motion from pose `previous` to `current` [.., SIZE] in the axes of `current`'s heading, scaled."""
    ahead, aside, up = _along(previous, current, current[..., 2])
    motion = torch.stack([ahead, aside, wrap(current[..., 2] - previous[..., 2]), up], dim=-1)
    return motion * constant(MOTION_SCALE, motion)


def advance(start: Tensor, motion: Tensor) -> Tensor:
    """The pose that `motion` (scaled, as `motion_between` gives it) leads to from `start`."""
    ground, rest = (motion / constant(MOTION_SCALE, motion)).split(2, dim=-1)
    return start + torch.cat([rotate(ground, start[..., 2]), rest], dim=-1)


def rotate(way: Tensor, angle: Tensor) -> Tensor:
    """Ways over the ground [.., 2], turned by [..] radians, clockwise."""
    cos, sin = angle.cos(), angle.sin()
    if torch.compiler.is_compiling():  # which knows no complex numbers; they take fewer kernels
        first, second = way.unbind(-1)
        return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return torch.view_as_real(torch.view_as_complex(way.contiguous()) * torch.complex(cos, sin))


def settle(motion: Tensor) -> Tensor:
    """What a frame shows of how the camera strayed from where it was asked to be [.., SIZE], scaled, less its noise.

    What is far below NOISE is taken for nothing, for it would add up; what is far above it is kept (as by a Wiener
    filter): along the ground, of the turn and of the height, each for itself.
    """
    strength = motion.square() @ constant(TOGETHER, motion)
    return motion * (strength / (strength + NOISE**2))


def relative_to(pose: Tensor, anchor: Tensor) -> Tensor:
    """Poses [B, N, SIZE] with positions measured from anchor [B, 2]; headings and heights stay absolute."""
    return torch.cat([pose[..., :2] - anchor.unsqueeze(1), pose[..., 2:]], dim=-1)
