"""Revisits: whether one looks again at what one has looked at before, and how like it looks to then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from engine.core import Engine

# As far as this from where and how something was seen, it is seen again; beyond that, it is out of view.
NEAR_UNITS, NEAR_DEGREES = 0.2, 8.0
AWAY_UNITS, AWAY_DEGREES = 1.0, 60.0
DARK, FLAT = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # SSIM's constants, so that black and plain pictures have a figure


def consistency(engine: Engine, frame: np.ndarray, pose: Sequence[float] | None) -> float | None:
    """How like a frame, uint8 [height, width, 3], looks to the same view before one turned or went away, 0..1.

    pose: what it is seen from, (x, y, z, angle in degrees). None if this is no revisit. Small pictures are compared,
    so it tells whether things are where they were, not how sharp they are.
    """
    from engine.data.thumbnails import shrink  # brings torch: seconds, which the window need not wait for

    camera = engine.world.camera
    if pose is None or (entry := seen_before(engine.places, pose, camera.pose_unit)) is None:
        return None
    before, now = engine.thumbnail(entry), shrink(frame)
    turned = _turn(float(pose[3]), engine.places[entry, 2])
    return likeness(before, now, round(float(turned) / camera.fov * now.shape[1]))


def seen_before(places: np.ndarray, pose: Sequence[float], unit: float) -> int | None:
    """The memory entry of nearly the same view as from a pose, seen before the camera was last away from it.

    places: float32 [entries, 3], x, y, angle in degrees. unit: the length in the game that counts as 1.
    """
    distance = np.hypot(places[:, 0] - pose[0], places[:, 1] - pose[1]) / unit
    turn = np.abs(_turn(places[:, 2], float(pose[3])))
    away = np.flatnonzero((distance > AWAY_UNITS) | (turn > AWAY_DEGREES))
    if not len(away):
        return None
    before = slice(0, int(away[-1]))
    apart = distance[before] / NEAR_UNITS + turn[before] / NEAR_DEGREES
    return int(apart.argmin()) if len(apart) and apart.min() < 1.0 else None


def likeness(before: np.ndarray, now: np.ndarray, shift: int = 0) -> float:
    """SSIM of two small pictures, uint8 [height, width, 3], as wholes, 0..1.

    shift: columns by which what was seen before lies further to the right now.
    """
    width = before.shape[1]
    one = before[:, max(0, -shift) : width - max(0, shift)].astype(np.float64).reshape(-1, 3)
    two = now[:, max(0, shift) : width - max(0, -shift)].astype(np.float64).reshape(-1, 3)
    means, spreads = (one.mean(axis=0), two.mean(axis=0)), (one.var(axis=0), two.var(axis=0))
    shared = ((one - means[0]) * (two - means[1])).mean(axis=0)
    bright = (2 * means[0] * means[1] + DARK) / (means[0] ** 2 + means[1] ** 2 + DARK)
    alike = (2 * shared + FLAT) / (spreads[0] + spreads[1] + FLAT)
    return float(np.clip((bright * alike).mean(), 0.0, 1.0))


def _turn(angle: Any, other: Any) -> Any:
    """Degrees from `other` to `angle`, -180..180; anticlockwise is positive."""
    return (angle - other + 180.0) % 360.0 - 180.0
