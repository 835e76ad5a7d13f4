"""Where tokens are, in attention: time, row, and the camera's pose, as a rotary-like encoding.

A head's 64 channels are 26 pairs that are rotated, and 4 triples (a, b, s). Pairs turn by angles
that stand for time (4 pairs), the token's row (6) and the world direction of the token's ray (16).
The (a, b) of a triple turns with the ray too and is then shifted by s times the camera's position, so
that triples carry the group SE(2) of the camera's motion on the ground. Keys and values are
moved by their own place and queries by theirs; only the relative place survives in the product,
and the output is moved back into the query's place, so a layer knows how far what it read had to
travel (geometric transform attention, arXiv 2310.10375, eq. 5-7; rotary encoding, 2104.09864).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.settings import HEAD_DIM, ModelSettings

TIME_RATES = (1.0, 0.4, 0.16, 0.064)  # radians per frame
ROW_RATES = (1.2, 0.9, 0.6, 0.4, 0.2, 0.1)  # radians per row
RAY_RATES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)  # whole numbers: a full turn changes nothing
NUM_TIME = len(TIME_RATES)
PAIRS = NUM_TIME + len(ROW_RATES) + len(RAY_RATES)
TRIPLES = (HEAD_DIM - 2 * PAIRS) // 3
A, B, S = (slice(2 * PAIRS + k * TRIPLES, 2 * PAIRS + (k + 1) * TRIPLES) for k in range(3))  # a triple's channels


@dataclass
class Transform:
    """A linear map of head channels, one for each token: x * own + partner(x) * other, and a third term for triples."""

    own: Tensor  # [.., HEAD_DIM]
    other: Tensor  # [.., HEAD_DIM]
    third: Tensor  # [.., 3 * TRIPLES]

    def __call__(self, x: Tensor) -> Tensor:
        """x: [.., HEAD_DIM], tables broadcast against it."""
        a, b, s = x[..., A], x[..., B], x[..., S]
        partner = torch.cat([x[..., PAIRS : 2 * PAIRS], x[..., :PAIRS], b, a, a], dim=-1)
        y = torch.addcmul(x * self.own, partner, self.other)
        y[..., 2 * PAIRS :] += torch.cat([s, s, b], dim=-1) * self.third
        return y

    def spread(self, axes: int) -> Transform:
        """The same for channels with `axes` more axes between token and channel."""
        lead = (slice(None), slice(None), *(None,) * axes)
        return Transform(self.own[lead], self.other[lead], self.third[lead])

    def to(self, dtype: torch.dtype) -> Transform:
        return Transform(self.own.to(dtype), self.other.to(dtype), self.third.to(dtype))


@dataclass
class Place:
    """Where each token of a sequence is: the transforms that bring its channels into the world and back."""

    qkv: Transform  # [B, tokens, 3, 1, .]: for a layer's own queries, keys and values
    into: Transform  # [B, tokens, 1, 1, 1, .]: for keys and values of a context, of all layers
    back: Transform  # [B, tokens, 1, .]: for the output


def place_tokens(settings: ModelSettings, time: Tensor, pose: Tensor, dtype: torch.dtype) -> Place:
    """Places of all tokens of frames, as one sequence.

    time: [B, frames], frame index. pose: [B, frames, 3 or more]: x, y (pose units), heading (radians,
    clockwise). Angles are computed in float32; tables have type `dtype`.
    """
    angle, shift = _angles(settings, time, pose)
    cos, sin = angle.cos(), angle.sin()
    ray = (cos[..., NUM_TIME + len(ROW_RATES), None], sin[..., NUM_TIME + len(ROW_RATES), None])  # of rate 1
    c, s = (x.expand(*x.shape[:-1], TRIPLES) for x in ray)
    x, y = (part.expand_as(c) for part in shift.unbind(-1))
    one, zero = torch.ones_like(c), torch.zeros_like(c)
    own = torch.cat([cos, cos, c, c, one], dim=-1)
    into = Transform(own, torch.cat([-sin, sin, -s, s, zero], -1), torch.cat([x, y, zero], -1))
    ask = Transform(
        own, torch.cat([-sin, sin, -s, s, -(x * c + y * s)], -1), torch.cat([zero, zero, x * s - y * c], -1)
    )
    back = Transform(
        own,
        torch.cat([sin, -sin, s, -s, zero], -1),
        torch.cat([-(c * x + s * y), s * x - c * y, zero], -1),
    )
    joint = Transform(
        torch.stack([ask.own, into.own, into.own], dim=2).unsqueeze(3),
        torch.stack([ask.other, into.other, into.other], dim=2).unsqueeze(3),
        torch.stack([ask.third, into.third, into.third], dim=2).unsqueeze(3),
    )
    return Place(joint.to(dtype), into.spread(3).to(dtype), back.spread(1).to(dtype))


def _angles(settings: ModelSettings, time: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """Angles of the pairs [B, tokens, PAIRS] and positions [B, tokens, 2, 1], float32, of all tokens in order."""
    rows, columns = settings.grid
    device = time.device
    half = math.tan(math.radians(settings.fov) / 2)
    column = (torch.arange(columns, device=device) + 0.5) / columns * 2 - 1
    row = torch.arange(rows, device=device).repeat_interleave(columns).float() - (rows - 1) / 2
    still = torch.zeros(settings.registers, device=device)
    rays, row = torch.cat([torch.atan(column * half).repeat(rows), still]), torch.cat([row, still])
    lead = (*time.shape, settings.frame_tokens)

    def rates(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=device, dtype=torch.float32)

    time_angle = (time.float()[..., None, None] * rates(TIME_RATES)).expand(*lead, -1)
    row_angle = (row[:, None] * rates(ROW_RATES)).expand(*lead, -1)
    ray_angle = (pose[..., None, 2:3].float() + rays[:, None]) * rates(RAY_RATES)
    angle = torch.cat([time_angle, row_angle, ray_angle], dim=-1)
    shift = pose[..., None, :2].float().expand(*lead, 2)
    return angle.flatten(1, 2), shift.flatten(1, 2).unsqueeze(-2)


def dateless(dtype: torch.dtype, device: torch.device) -> Tensor:
    """[HEAD_DIM] that silences the time channels: a memory entry's age has no bound, a rotation's has."""
    keep = torch.ones(HEAD_DIM, device=device, dtype=dtype)
    keep[:NUM_TIME] = 0
    keep[PAIRS : PAIRS + NUM_TIME] = 0
    return keep
