"""How a camera goes on where the ground ends or rises, as a game of ticks has it: it falls, or steps up.

In the air nothing pushes and nothing brakes, and each tick it falls faster, until it lands. A step is climbed at once,
but the eyes catch up with it over some ticks. Both are known only where the ground is: of places that the session
walked before (terrain.py). Two ticks are a frame, and a frame shows the height of its first one: the eyes are put
where the feet were before the second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

STILL = 0.25  # ticks of gravity by which the height of a camera that stands may change in a frame
TOLERANCE = 0.6  # the same, between two heights that are one
LOOSE = 3.0  # the same, between the eyes and the ground of who does not fall: a network misjudges heights
FIRST = 2.0  # how far it falls in its first tick, in the same measure; then a whole one more in each
CATCH, FASTER = 1 / 8, 1 / 4  # share of a step by which the eyes rise in the tick after it; how much faster in each

Ground = Callable[[np.ndarray], np.ndarray]  # places [K, 2] -> heights of a camera that stands there [K], NaN: unknown


class Falls(NamedTuple):
    """What moves a camera up and down, in pose units."""

    gravity: float  # by how much a fall is faster in each tick
    climb: float  # the highest step that is climbed
    behind: float  # how far the eyes stay behind the feet at most


class Ticks(NamedTuple):
    """What moves it over the ground in a tick: the share of its speed that is left, and pushes, pose units forward and
    to the right, of what was held, [K, size] -> [K, 2]."""

    kept: float
    push: Callable[[np.ndarray], np.ndarray]


class Feet(NamedTuple):
    """Between two ticks, [K] each, in ticks of gravity: how high a camera on these feet stands, how fast they fall,
    how far the eyes are behind, how fast these catch up, and whether the feet are on the ground."""

    height: np.ndarray
    speed: np.ndarray
    behind: np.ndarray
    catching: np.ndarray
    stand: np.ndarray


class Foreseen(NamedTuple):
    """Of the coming frame: poses [K, SIZE], and which of their numbers the ground decides, bool [K, SIZE]. And how far
    the eyes are before it behind where its feet come to, [K], pose units."""

    poses: np.ndarray
    sure: np.ndarray
    behind: np.ndarray


def foresee(
    falls: Falls, ticks: Ticks, poses: np.ndarray, actions: np.ndarray, yaw: np.ndarray, ground: Ground
) -> Foreseen:
    """From where the coming frame is seen, as far as the ground decides.

    poses: of the last three frames [K, 3, SIZE]; actions: of the last and the coming one [K, 2, size]; yaw: radians [K]
    that the coming one turns. Where the feet stay on the ground, the way is left to whoever knows it.
    """
    here, motion, heading = poses[:, 2, :2], poses[:, 2, :2] - poses[:, 1, :2], poses[:, 2, 2]
    before, coming = (ticks.push(actions[:, index]) for index in (0, 1))
    heights = poses[..., 3] / falls.gravity
    climbing = heights[:, 2] - heights[:, 1] > 2 * STILL
    middle, now = (ground(place) / falls.gravity for place in (here - motion / 2, here))
    known = ~np.isnan(middle)
    middle, now = np.where(known, middle, heights[:, 2]), np.where(np.isnan(now), middle, now)
    now = np.where(np.isnan(now), middle, now)
    feet = _feet(heights, middle)
    # The last frame's second tick, and what it and the first had to do with the ground.
    braked = feet.stand & ~(known & _fell(heights))
    push = _turn(before, heading) * feet.stand[:, None]
    first = (motion - push) / (1 + np.where(braked, ticks.kept, 1.0))[:, None]
    speed = first * np.where(braked, ticks.kept, 1.0)[:, None] + push
    plain, top = feet.stand & braked, feet.height
    for tick in range(2):
        floor = _floor(falls, now, feet.height, climbing)
        on = feet.height <= floor
        speed = speed * np.where(on, ticks.kept, 1.0)[:, None]
        feet = _move(feet, floor)
        top = np.maximum(top, feet.height)
        plain &= on & feet.stand
        feet = _catch_up(feet, falls.behind / falls.gravity)
        if tick == 0:
            speed = speed + _turn(coming, heading + yaw / 2) * feet.stand[:, None]
            here = here + speed
            found = ground(here) / falls.gravity
            now = np.where(np.isnan(found), now, found)
    here = here + speed + _turn(coming, heading + yaw) * feet.stand[:, None]
    behind = np.maximum(top - heights[:, 2], 0.0) * known * falls.gravity
    told = np.stack([*here.T, heading + yaw, (feet.height - feet.behind) * falls.gravity], axis=1)
    sure = known & ~np.isnan(found)
    flies = known & ~plain
    return Foreseen(told, np.stack([flies, flies, np.zeros_like(flies), flies | sure], axis=1), behind)


def _feet(heights: np.ndarray, ground: np.ndarray) -> Feet:
    """After the first tick of the last frame: of the last three frames' heights [K, 3] and the ground [K] then."""
    eyes, rise = heights[:, 2], heights[:, 2] - heights[:, 1]
    above, below = eyes > ground + np.where(rise < -1.5, TOLERANCE, LOOSE), eyes < ground - TOLERANCE
    climbing = rise > 2 * STILL  # what rises does not fall: then the ground is as high as the eyes, or higher
    speed = np.where(rise > -0.5, FIRST, np.where(rise > -FIRST - 1, FIRST + 1, (1 - rise) / 2 + 1))
    behind = np.where(below, ground - eyes, 0.0)
    began = np.abs(rise - CATCH * (behind + rise)) < 0.15  # in the second tick that the frame shows
    catching = np.where(began, rise + FASTER, (rise + FASTER) / 2 + FASTER)
    catching = np.where(climbing, catching, CATCH * behind) * below
    falling = above & ~climbing
    return Feet(np.where(above, eyes, ground), speed * falling, behind, catching, ~falling)


def _fell(heights: np.ndarray) -> np.ndarray:
    """Whether what stands now landed in the last tick that a frame shows: nothing braked it yet. bool [K]."""
    rise, before = heights[:, 2] - heights[:, 1], heights[:, 1] - heights[:, 0]
    fell = np.where(before > -0.5, 0.5, np.where(before > -FIRST - 1, FIRST, (1 - before) / 2))
    return (rise < -0.5) & (-rise > fell + 1 + TOLERANCE / 2)


def _floor(falls: Falls, ground: np.ndarray, feet: np.ndarray, climbing: np.ndarray) -> np.ndarray:
    """Where the feet come to stand: on the same ground, on lower, or on a step that is not too high."""
    same = (np.abs(ground - feet) <= TOLERANCE) | (ground > feet + falls.climb / falls.gravity + TOLERANCE)
    return np.where(same | (climbing & (ground < feet)), feet, ground)


def _move(feet: Feet, floor: np.ndarray) -> Feet:
    """Up or down in one tick."""
    on = feet.height <= floor
    step = np.where(on, floor - feet.height, 0.0)
    behind = feet.behind + step
    catching = np.where(step > 0, CATCH * behind, feet.catching)
    fallen = feet.height - feet.speed
    stand = on | (fallen <= floor)
    speed = np.where(stand, 0.0, np.where(feet.speed > 0, feet.speed + 1, FIRST))
    return Feet(np.maximum(fallen, floor), speed, behind, catching, stand)


def _catch_up(feet: Feet, most: float) -> Feet:
    """The eyes in one tick, which stay no farther behind than `most`."""
    left = np.minimum(feet.behind - feet.catching, most)
    return feet._replace(behind=np.maximum(left, 0), catching=np.where(left > 0, feet.catching + FASTER, 0.0))


def _turn(way: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Ways over the ground [K, 2], turned by [K] radians, clockwise."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([way[:, 0] * cos - way[:, 1] * sin, way[:, 0] * sin + way[:, 1] * cos], axis=1)
