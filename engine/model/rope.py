"""Where tokens are, in attention: time, row, and the camera's pose, as a rotary-like encoding.

Each head's channels are 30 pairs and 4 scalars. Pairs are rotated by angles that stand for time
(4 pairs), the token's row (6) and the world direction of the token's ray (20); for the last four
pairs the ray's rotation is followed by a translation that mixes in the scalars, so that together
they carry the group SE(2) of the camera's motion on the ground. Keys and values are moved by
their own place and queries by theirs; only the relative place survives in the product, and the
output is moved back into the query's place, so a layer knows how far what it read had to travel
(geometric transform attention, arXiv 2310.10375, eq. 5-7; rotary encoding, arXiv 2104.09864).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.settings import ModelSettings

TIME_RATES = (1.0, 0.4, 0.16, 0.064)  # radians per frame
ROW_RATES = (1.2, 0.9, 0.6, 0.4, 0.2, 0.1)  # radians per row
RAY_RATES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)  # whole numbers: a full turn changes nothing
NUM_SHIFTED = 4  # pairs of rate 1 that are translated too
NUM_PAIRS = len(TIME_RATES) + len(ROW_RATES) + len(RAY_RATES) + NUM_SHIFTED
NUM_TIME = len(TIME_RATES)


@dataclass(frozen=True)
class Place:
    """Where each token of a sequence is. Leading axes are the caller's; tokens are next to last."""

    cos: Tensor  # [.., tokens, pairs]
    sin: Tensor  # [.., tokens, pairs]
    shift: Tensor  # [.., tokens, 2]: the camera's position, in the world's pose units

    def to(self, dtype: torch.dtype) -> Place:
        return Place(self.cos.to(dtype), self.sin.to(dtype), self.shift.to(dtype))

    def flat(self) -> Place:
        """[B, frames, tokens, .] -> [B, 1, frames * tokens, .], broadcasting over heads."""
        return Place(*(x.flatten(1, 2).unsqueeze(1) for x in (self.cos, self.sin, self.shift)))


def place_frames(settings: ModelSettings, time: Tensor, pose: Tensor) -> Place:
    """Places of all tokens of frames.

    time: [B, frames], frame index. pose: [B, frames, 3]: x, y (pose units), heading (radians,
    clockwise). Returns tables of shape [B, frames, frame_tokens, .], float32.
    """
    rows, columns = settings.grid
    device = time.device
    half = math.tan(math.radians(settings.fov) / 2)
    column = (torch.arange(columns, device=device) + 0.5) / columns * 2 - 1
    rays = torch.atan(column * half).repeat(rows)
    row = torch.arange(rows, device=device).repeat_interleave(columns).float() - (rows - 1) / 2
    still = torch.zeros(settings.registers, device=device)
    rays, row = torch.cat([rays, still]), torch.cat([row, still])

    def rates(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=device, dtype=torch.float32)

    lead = (*time.shape, settings.frame_tokens)
    time_angle = (time.float()[..., None, None] * rates(TIME_RATES)).expand(*lead, -1)
    row_angle = (row[:, None] * rates(ROW_RATES)).expand(*lead, -1)
    world_ray = pose[..., None, 2:].float() + rays[:, None]
    ray_angle = world_ray * rates((*RAY_RATES, *(1,) * NUM_SHIFTED))
    angle = torch.cat([time_angle, row_angle, ray_angle], dim=-1)
    shift = pose[..., None, :2].float().expand(*lead, 2)
    return Place(angle.cos(), angle.sin(), shift)


def _split(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return x[..., :NUM_PAIRS], x[..., NUM_PAIRS : 2 * NUM_PAIRS], x[..., 2 * NUM_PAIRS :]


def _rotate(a: Tensor, b: Tensor, place: Place) -> tuple[Tensor, Tensor]:
    return a * place.cos - b * place.sin, b * place.cos + a * place.sin


def _translate(pairs: Tensor, scalars: Tensor, amount: Tensor) -> Tensor:
    return torch.cat([pairs[..., :-NUM_SHIFTED], pairs[..., -NUM_SHIFTED:] + scalars * amount], dim=-1)


def move(x: Tensor, place: Place) -> Tensor:
    """Keys or values [.., tokens, head_dim] into the world: rotate pairs, then translate by the scalars."""
    a, b, s = _split(x)
    a, b = _rotate(a, b, place)
    a = _translate(a, s, place.shift[..., :1])
    b = _translate(b, s, place.shift[..., 1:])
    return torch.cat([a, b, s], dim=-1)


def move_query(x: Tensor, place: Place) -> Tensor:
    """Queries [.., tokens, head_dim]: the inverse transpose of `move`, so products depend on relative place alone."""
    a, b, s = _split(x)
    a, b = _rotate(a, b, place)
    s = s - a[..., -NUM_SHIFTED:] * place.shift[..., :1] - b[..., -NUM_SHIFTED:] * place.shift[..., 1:]
    return torch.cat([a, b, s], dim=-1)


def move_back(x: Tensor, place: Place) -> Tensor:
    """Attention outputs [.., tokens, head_dim] from the world into the query's own place: the inverse of `move`."""
    a, b, s = _split(x)
    a = _translate(a, s, -place.shift[..., :1])
    b = _translate(b, s, -place.shift[..., 1:])
    a, b = a * place.cos + b * place.sin, b * place.cos - a * place.sin
    return torch.cat([a, b, s], dim=-1)


def timeless(x: Tensor) -> Tensor:
    """Keys or values [.., head_dim] with silent time channels: a memory entry's age has no bound, a rotation's has."""
    keep = torch.ones(x.shape[-1], device=x.device, dtype=x.dtype)
    keep[:NUM_TIME] = 0
    keep[NUM_PAIRS : NUM_PAIRS + NUM_TIME] = 0
    return x * keep
