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

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.machine import kept
from engine.model.settings import HEAD_DIM, ModelSettings

TIME_RATES = (1.0, 0.4, 0.16, 0.064)  # radians per frame
ROW_RATES = (1.2, 0.9, 0.6, 0.4, 0.2, 0.1)  # radians per row
RAY_RATES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)  # whole numbers: a full turn changes nothing
NUM_TIME = len(TIME_RATES)
PAIRS = NUM_TIME + len(ROW_RATES) + len(RAY_RATES)
TRIPLES = (HEAD_DIM - 2 * PAIRS) // 3
UNIT = NUM_TIME + len(ROW_RATES)  # the pair that turns by the ray's direction, at rate 1
# What the tables of a transform hold: numbers of each pair, or one for all triples; see `Transform` and `_numbers`.
OWN = "cos cos c c one"
ASK, INTO, BACK = (
    ("minus sin m s behind", "zero zero aside"),
    ("minus sin m s zero", "x y zero"),
    ("sin minus s m zero", "behind aside zero"),
)
A, B, S = (slice(2 * PAIRS + k * TRIPLES, 2 * PAIRS + (k + 1) * TRIPLES) for k in range(3))  # a triple's channels


@dataclass
class Transform:
    """A linear map of head channels, one for each token: x * own + partner(x) * other, and a third term for triples."""

    own: Tensor  # [.., HEAD_DIM]
    other: Tensor  # [.., HEAD_DIM]
    third: Tensor  # [.., 3 * TRIPLES]

    def __call__(self, x: Tensor) -> Tensor:
        """x: [.., HEAD_DIM], tables broadcast against it."""
        others = _others(x)
        y = torch.addcmul(x * self.own, others[..., :HEAD_DIM], self.other)
        y[..., 2 * PAIRS :].addcmul_(others[..., HEAD_DIM:], self.third)
        return y

    def spread(self, axes: int) -> Transform:
        """The same for channels with `axes` more axes between token and channel."""
        lead = (slice(None), slice(None), *(None,) * axes)
        return Transform(self.own[lead], self.other[lead], self.third[lead])


def _others(x: Tensor) -> Tensor:
    """The channels [.., HEAD_DIM + 3 * TRIPLES] that those of x are moved by: partners, and then third terms."""
    if not torch.is_grad_enabled():
        came_from = _came_from(x.device)
        if torch.compiler.is_compiling():  # which would write down what is joined
            return x[..., came_from]
    flat = x.flatten(2, -2) if x.dim() > 4 else x  # of more than four axes, a GPU joins parts one by one
    first, second, a, b, s = (flat[..., part] for part in (slice(PAIRS), slice(PAIRS, 2 * PAIRS), A, B, S))
    return torch.cat([second, first, b, a, a, s, s, b], dim=-1).view(*x.shape[:-1], -1)


class Matrices:
    """Transforms as one matrix for each token: on a CPU one product may take less time than a transform's eight passes.

    Several share axis 2 of x [B, tokens, .., HEAD_DIM], `spans` parts of it for each. Made when first used.
    """

    def __init__(self, dtype: torch.dtype, *transforms: Transform, spans: tuple[int, ...] = (-1,)) -> None:
        self.dtype, self.transforms, self.spans = dtype, transforms, spans

    @functools.cached_property
    def matrices(self) -> list[Tensor]:
        """[B, tokens, HEAD_DIM, HEAD_DIM] of each transform, to be multiplied from the right."""
        return [self._matrix(transform) for transform in self.transforms]

    def __call__(self, x: Tensor) -> Tensor:
        parts = x.split(self.spans, dim=2) if len(self.spans) > 1 else [x]
        moved = []
        for part, matrix in zip(parts, self.matrices, strict=True):
            moved.append(torch.matmul(part.flatten(2, -2), matrix))
        return (torch.cat(moved, dim=2) if len(moved) > 1 else moved[0]).view(x.shape)

    def _matrix(self, transform: Transform) -> Tensor:
        values = torch.cat([transform.own, transform.other, transform.third], dim=-1).to(self.dtype)
        matrix = values.new_zeros(*values.shape[:2], HEAD_DIM * HEAD_DIM)
        matrix.index_copy_(2, _ENTRIES.to(values.device), values)
        return matrix.unflatten(2, (HEAD_DIM, HEAD_DIM))


EVERY = list(range(HEAD_DIM))
OTHERS = EVERY[PAIRS : 2 * PAIRS] + EVERY[:PAIRS] + EVERY[B] + EVERY[A] + EVERY[A] + EVERY[S] + EVERY[S] + EVERY[B]


@kept
def _came_from(device: torch.device) -> Tensor:
    return torch.tensor(OTHERS, device=device)


def _entries() -> list[int]:
    """Where a transform's own, other and third numbers stand in its matrix: from * HEAD_DIM + to."""
    came_from, goes_to = EVERY + OTHERS, EVERY + EVERY + EVERY[A] + EVERY[B] + EVERY[S]
    return [start * HEAD_DIM + end for start, end in zip(came_from, goes_to, strict=True)]


_ENTRIES = torch.tensor(_entries())


@dataclass
class Place:
    """Where each token of a sequence is: the maps that bring its channels into the world and back."""

    qkv: Callable[[Tensor], Tensor]  # x [B, tokens, 3, heads, .]: for a layer's own queries, keys and values
    into: Callable[[Tensor], Tensor]  # x [B, tokens, layers, 2, heads, .]: for keys and values of a context
    back: Callable[[Tensor], Tensor]  # x [B, tokens, heads, .]: for the output


Maps = tuple[tuple[Tensor, Tensor], ...]  # `other` and `third` of the transforms that ask, bring and return


def place_tokens(
    settings: ModelSettings, time: Tensor, pose: Tensor, dtype: torch.dtype,
    tables: Callable[..., tuple[Tensor, Tensor, Tensor]] | None = None,
) -> Place:  # fmt: skip
    """Places of all tokens of frames, as one sequence.

    time: [B, frames], frame index. pose: [B, frames, 3 or more]: x, y (pose units), heading (radians,
    clockwise). Angles are computed in float32; tables have type `dtype`. tables: what computes them, in place of
    `find_tables`.
    """
    # In float32 products are the faster way for the tokens of a single frame alone.
    if _by_matrices(time.device) and (dtype != torch.float32 or time.numel() == 1):
        own, maps = find_maps(settings, time, pose)
        asking, bringing, returning = (Transform(own, *parts) for parts in maps)
        qkv = Matrices(dtype, asking, bringing, spans=(1, 2))
        return Place(qkv, Matrices(dtype, bringing), Matrices(dtype, returning))
    own, other, third = (tables or find_tables)(settings, time, pose, dtype)
    joint = Transform(own[:, :, None, None], other[:, :, :3, None], third[:, :, :3, None])
    bringing, returning = (Transform(own, other[:, :, index], third[:, :, index]) for index in (1, 3))
    return Place(joint, bringing.spread(3), returning.spread(1))


def find_tables(
    settings: ModelSettings, time: Tensor, pose: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """`own` [B, tokens, HEAD_DIM] of all transforms; `other` [B, tokens, 4, HEAD_DIM] and `third` [B, tokens, 4, .] of
    those for queries, keys, values and outputs."""
    numbers = _numbers(settings, time, pose).to(dtype)
    tables = numbers.index_select(-1, _columns((ASK, INTO, INTO, BACK), time.device))
    own, other, third = tables.split([HEAD_DIM, 4 * HEAD_DIM, 4 * 3 * TRIPLES], dim=-1)
    return own, other.unflatten(-1, (4, HEAD_DIM)), third.unflatten(-1, (4, 3 * TRIPLES))


def find_maps(settings: ModelSettings, time: Tensor, pose: Tensor) -> tuple[Tensor, Maps]:
    """The numbers of the transforms, float32 [B, tokens, .]: `own`, which is the same for all, and the rest."""
    tables = _numbers(settings, time, pose).index_select(-1, _columns((ASK, INTO, BACK), time.device))
    own, *parts = tables.split([HEAD_DIM] * 4 + [3 * TRIPLES] * 3, dim=-1)
    return own, tuple(zip(parts[:3], parts[3:], strict=True))


def _numbers(settings: ModelSettings, time: Tensor, pose: Tensor) -> Tensor:
    """All that the tables of transforms are made of, float32 [B, tokens, .], as `_columns` finds it."""
    angle, shift = _angles(settings, time, pose)
    cos, sin = angle.cos(), angle.sin()
    minus = -sin
    c, s = cos[..., UNIT, None], sin[..., UNIT, None]
    x, y = shift.unbind(-1)
    behind, aside = -(x * c + y * s), x * s - y * c
    return torch.cat(
        [cos, sin, minus, x, y, behind, aside, _one_and_zero(time.device).expand(*c.shape[:-1], 2)], dim=-1
    )


@kept
def _one_and_zero(device: torch.device) -> Tensor:
    return torch.arange(1, -1, -1, device=device, dtype=torch.float32)


@kept
def _columns(maps: tuple[tuple[str, str], ...], device: torch.device) -> Tensor:
    """Where `_numbers` has what the tables of transforms hold: `own`, each one's `other`, each one's `third`."""
    return torch.tensor(_find_columns(maps), device=device)


@functools.cache
def _find_columns(maps: tuple[tuple[str, str], ...]) -> list[int]:
    at = {name: [index * PAIRS + pair for pair in range(PAIRS)] for index, name in enumerate(("cos", "sin", "minus"))}
    at |= {short: [at[name][UNIT]] * TRIPLES for short, name in (("c", "cos"), ("s", "sin"), ("m", "minus"))}
    names = "x", "y", "behind", "aside", "one", "zero"
    at |= {name: [3 * PAIRS + index] * TRIPLES for index, name in enumerate(names)}
    tables = [OWN, *(other for other, _ in maps), *(third for _, third in maps)]
    return [column for table in tables for word in table.split() for column in at[word]]


def _by_matrices(device: torch.device) -> bool:
    return device.type == "cpu" and not torch.is_grad_enabled()


def _angles(settings: ModelSettings, time: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """Angles of the pairs [B, tokens, PAIRS] and positions [B, tokens, 2, 1], float32, of all tokens in order."""
    row_angle, rays, time_rates, ray_rates = _grid(*settings.grid, settings.registers, settings.fov, time.device)
    lead = (*time.shape, settings.frame_tokens)
    time_angle = (time.float()[..., None, None] * time_rates).expand(*lead, -1)
    ray_angle = (pose[..., None, 2:3].float() + rays) * ray_rates
    angle = torch.cat([time_angle, row_angle.expand(*lead, -1), ray_angle], dim=-1)
    shift = pose[..., None, :2].float().expand(*lead, 2)
    return angle.flatten(1, 2), shift.flatten(1, 2).unsqueeze(-2)


@kept
def _grid(rows: int, columns: int, registers: int, fov: float, device: torch.device) -> tuple[Tensor, ...]:
    """What is the same for every frame: row angles [tokens, .], ray directions [tokens, 1], rates of time and ray."""
    half = math.tan(math.radians(fov) / 2)
    column = (torch.arange(columns, device=device) + 0.5) / columns * 2 - 1
    row = torch.arange(rows, device=device).repeat_interleave(columns).float() - (rows - 1) / 2
    still = torch.zeros(registers, device=device)
    rays, row = torch.cat([torch.atan(column * half).repeat(rows), still]), torch.cat([row, still])
    time_rates, row_rates, ray_rates = (
        torch.tensor(values, device=device, dtype=torch.float32) for values in (TIME_RATES, ROW_RATES, RAY_RATES)
    )
    return row[:, None] * row_rates, rays[:, None], time_rates, ray_rates


@kept
def dateless(dtype: torch.dtype, device: torch.device) -> Tensor:
    """[HEAD_DIM] that silences the time channels: a memory entry's age has no bound, a rotation's has."""
    keep = torch.ones(HEAD_DIM, device=device, dtype=dtype)
    keep[:NUM_TIME].zero_()
    keep[PAIRS : PAIRS + NUM_TIME].zero_()
    return keep
