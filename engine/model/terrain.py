"""How high the ground is where a session walked: told by the heights of its camera, tick by tick.

A camera is no measure of the ground while it falls, or while the eyes catch up with a step that was climbed. But how
both go on is known (falls.py), so that from one level stretch to the next the ground under each tick can be told: of a
fall, where it began and where it landed; of a climb, each of its steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.model.falls import CATCH, FASTER, FIRST, STILL, TOLERANCE, Falls

CELL = 0.25  # side of a cell of the index, pose units
AROUND = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))  # cells that are looked into
MOST = 48  # newest spots, and as many edges, kept of a cell
LATER = 8  # newest frames that say nothing yet: a mistake would prove itself right
FEWEST = 3  # frames of a session that tell how it moves
LONGEST = 48  # frames between two level ones; more are neither fall nor climb
STEP = 0.1  # pose units between two ticks; farther apart, the camera was put elsewhere
HARD = 6.0  # ticks of gravity a tick: who lands faster has the eyes dip, until they are level again
LOWEST = 0.9  # step that is climbed, in ticks of gravity
APART = 0.004  # pose units between two spots; nearer ones are left out
WIDE, DEEP = 0.055, 0.04  # pose units beside and beyond where an edge was crossed, within which it tells the ground
REACH = 0.07  # pose units to the nearest spot, which tells it elsewhere
DOUBT = 0.125  # the same, to where it stood lower than where it fell from, which tells it before what it fell over

Place = tuple[float, float]


class Index:
    """Rows of numbers, of which the first two are a place, by cells of the ground."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.cells: dict[tuple[int, int], np.ndarray] = {}  # [MOST, size]
        self.counts: dict[tuple[int, int], int] = {}  # rows that were ever put into one
        self.bounds: dict[tuple[int, int], tuple[float, float]] = {}  # least and greatest third number of these

    def put(self, *row: float) -> None:
        """Keep one more row, in place of the oldest where there is no room."""
        cell = math.floor(row[0] / CELL), math.floor(row[1] / CELL)
        count = self.counts.get(cell, 0)
        if not count:
            self.cells[cell] = np.zeros((MOST, self.size))
        self.cells[cell][count % MOST] = row
        self.counts[cell] = count + 1
        least, greatest = self.bounds.get(cell, (math.inf, -math.inf))
        self.bounds[cell] = min(least, row[2]), max(greatest, row[2])

    def near(self, x: float, y: float) -> list[tuple[int, int]]:
        """The cells near a place in which there is a row."""
        column, row = math.floor(x / CELL), math.floor(y / CELL)
        return [cell for dx, dy in AROUND if (cell := (column + dx, row + dy)) in self.cells]

    def within(self, cells: Sequence[tuple[int, int]], value: float, most: float) -> bool:
        """Whether all third numbers that were ever put into these cells are less than `most` away from a value."""
        bounds = [self.bounds[cell] for cell in cells]
        return all(value - most < least and greatest < value + most for least, greatest in bounds)

    def rows(self, cells: Sequence[tuple[int, int]]) -> np.ndarray:
        """All that is kept of these cells, [n, size]."""
        found = [self.cells[cell][: self.counts[cell]] for cell in cells]
        return np.concatenate(found) if found else np.zeros((0, self.size))


class Terrain:
    """Of one session: every place it was at, and what that tells of the ground, as heights of a camera that stands."""

    def __init__(self, falls: Falls) -> None:
        self.falls = falls
        self.path: list[Sequence[float]] = []  # poses of all frames
        self.done = 0  # how many of them were read
        self.run: list[Sequence[float]] = []  # poses since the last level frame, which is the first of them
        self.held: Place | None = None  # where its last tick was, of which the next frames may tell that it fell
        self.last: tuple[Place, float] | None = None  # the newest tick that is kept, and its ground
        self.spots = Index(4)  # x, y, the ground, and from how high it fell over it; infinity: it stood there
        self.edges = Index(7)  # x, y, half of the way over it, x, y, the ground before and after, the latter's last

    def add(self, pose: Sequence[float]) -> None:
        """Take the pose [SIZE] of the next frame."""
        self.path.append(pose)
        while self.done < len(self.path) - LATER:
            self._read(self.path[self.done])
            self.done += 1

    def near(self) -> tuple[np.ndarray, np.ndarray] | None:
        """What is known around its last place: spots [n, 4] and edges [m, 7], as they are kept. None if the ground goes
        on as it is there, or nothing is known."""
        if len(self.path) < FEWEST:
            return None
        x, y, _, height = self.path[-1]
        spots, edges, most = self.spots.near(x, y), self.edges.near(x, y), TOLERANCE * self.falls.gravity
        if not edges and self.spots.within(spots, height, most):
            return None
        known = self.spots.rows(spots)
        level = np.abs(known[:, 2] - height).max(initial=0.0) < most
        return None if level and not edges else (known, self.edges.rows(edges))

    def _read(self, pose: Sequence[float]) -> None:
        self.run.append(pose)
        if len(self.run) == 1:
            return
        if abs(pose[3] - self.run[-2][3]) >= STILL * self.falls.gravity:
            if len(self.run) > LONGEST:
                self.run, self.held, self.last = [pose], None, None
            return
        places = [self.held or (self.run[0][0], self.run[0][1])]
        for (x, y, *_), (next_x, next_y, *_) in zip(self.run, self.run[1:], strict=False):
            places += [(x, y), ((x + next_x) / 2, (y + next_y) / 2)]
        highest, most = self.falls.climb / self.falls.gravity + TOLERANCE, self.falls.behind / self.falls.gravity
        grounds, tops = under([one[3] / self.falls.gravity for one in self.run], highest, most)
        for place, ground, top in zip(places[:-1], grounds, tops, strict=False):
            self._keep(place, ground * self.falls.gravity, top * self.falls.gravity)
        self.run, self.held = [pose], places[-1]

    def _keep(self, place: Place, ground: float, top: float) -> None:
        """Keep the ground at a tick, NaN where it is not known, and the edge between it and the one before."""
        if math.isnan(ground):
            self.last = None
            return
        if self.last is not None:
            (x, y), before = self.last
            way = place[0] - x, place[1] - y
            changed, length = abs(ground - before) > TOLERANCE * self.falls.gravity, math.hypot(*way)
            if length < APART and not changed:
                return
            if changed and length < STEP:
                along = abs(way[0]) >= abs(way[1])  # edges run along the axes, mostly
                half = (way[0] / 2, 0.0) if along else (0.0, way[1] / 2)
                middle = (x + place[0]) / 2, (y + place[1]) / 2
                self.edges.put(*middle, *half, before, ground, top)
        self.spots.put(*place, ground, top)
        self.last = place, ground


def ground_at(places: np.ndarray, spots: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The ground at places [K, 2], as spots [K, n, 4] and edges [K, m, 7] around each tell it, [K]; NaN if unknown."""
    found, top, rows = np.full(len(places), np.nan), np.full(len(places), np.inf), np.arange(len(places))
    square = np.square(spots[..., :2] - places[:, None]).sum(axis=-1)
    if spots.shape[1]:
        nearest = square.argmin(axis=1)
        known = square[rows, nearest] < REACH**2
        found, top = np.where(known, spots[rows, nearest, 2], found), spots[rows, nearest, 3]
    if edges.shape[1]:
        off, over = places[:, None] - edges[..., :2], edges[..., 2:4]
        half = np.abs(over).sum(axis=-1)  # from the middle to either tick
        way = over / np.maximum(half, 1e-9)[..., None]
        along, beside = (off * way).sum(axis=-1), np.abs((off * way[..., ::-1]).sum(axis=-1))
        beyond = np.abs(np.abs(along) - half)
        cost = np.where((beside < WIDE) & (beyond < DEEP), beyond + beside, np.inf)
        nearest = cost.argmin(axis=1)
        after, known = along[rows, nearest] > 0, np.isfinite(cost[rows, nearest])
        found = np.where(known, edges[rows, nearest, np.where(after, 5, 4)], found)
        top = np.where(known, np.where(after, edges[rows, nearest, 6], np.inf), top)
    doubtful = np.isfinite(top)
    if doubtful.any():
        lower = np.isinf(spots[..., 3]) & (spots[..., 2] < top[:, None]) & doubtful[:, None]
        square = np.where(lower, square, np.inf)
        nearest = square.argmin(axis=1)
        found = np.where(square[rows, nearest] < DOUBT**2, spots[rows, nearest, 2], found)
    return found


def under(heights: Sequence[float], highest: float, most: float) -> tuple[list[float], list[float]]:
    """The ground under each tick of frames, from the first one's second tick to the last one's first, [2 n - 1]; and
    from how high it fell over it, infinity where it stood.

    heights: of the camera in n frames, in ticks of gravity, as is the `highest` step that is climbed, and how far the
    eyes are behind at `most`. The first and the last are level, those between are not.
    """
    found, tops = [math.nan] * (2 * len(heights) - 1), [math.inf] * (2 * len(heights) - 1)
    found[0] = feet = top = heights[0]
    fall, behind, speed, rising = 0.0, 0.0, 0.0, 0  # rising: the first tick of a climb
    air: list[int] = []  # ticks in the air since it fell from the `top`, over ground that is as high as where it lands
    for frame in range(1, len(heights)):
        change, tick = heights[frame] - heights[frame - 1], 2 * frame - 1  # the first of two that the frame tells of
        if change < STILL and rising:
            if change <= -STILL or not abs(feet - heights[frame]) <= TOLERANCE:
                found[rising:tick] = [math.nan] * (tick - rising)
            rising = 0
        if change >= STILL and fall <= HARD:
            rising, fall, air = rising or tick, 0.0, []
            following = heights[frame + 1] - heights[frame]
            behind, speed, steps = _climb(behind, speed, change, following, highest, most)
            found[tick], found[tick + 1] = feet + steps[0], feet + sum(steps)
            feet += sum(steps)
            continue
        feet, behind, speed = heights[frame], 0.0, 0.0
        if abs(change) < STILL:
            found[tick] = found[tick + 1] = feet
            fall = 0.0
        elif fall > HARD:
            air += [tick, tick + 1]
        else:
            top = top if fall else heights[frame - 1]
            fall, begun = _fall(fall, -change)
            air += [tick - 1, tick, tick + 1] if begun else [tick, tick + 1]
            if not fall and heights[frame + 1] - feet > STILL:
                fall = math.nan  # who steps up at once may have landed lower
        if not fall or math.isnan(fall):
            for one in air:
                found[one], tops[one] = (feet, top) if not fall else (math.nan, math.inf)
            fall, air = 0.0, []
    return found, tops


def _fall(speed: float, drop: float) -> tuple[float, bool]:
    """How fast it falls after a frame that shows a drop, 0 if it landed, NaN if this is no fall; and whether it began
    in the tick before the two that the frame tells of. speed: in the frame before."""
    if not speed:
        whole = drop >= 2 * FIRST + 1 - STILL
        return (FIRST, False) if drop <= FIRST + STILL else (FIRST + 1 if whole else 0.0, True)
    both = 2 * speed + 3
    if abs(drop - both) < STILL:
        return speed + 2, False
    return (0.0 if drop < both else math.nan), False


def _climb(
    behind: float, speed: float, rise: float, following: float, highest: float, most: float
) -> tuple[float, float, tuple[float, float]]:
    """How far the eyes are behind after a frame that shows a rise, how fast they catch up, and the step climbed in
    each of two ticks, NaN if it can be none. following: the next frame's rise, which tells between them."""
    once, faster = _caught(behind, speed)
    still = abs(behind - _caught(once, faster)[0] - rise) < 0.1
    second, first = rise - behind + once, (rise - FASTER) / 2  # how fast they catch up after a step in either tick
    late, sunk = second / CATCH - once, rise + most - behind  # a step in the second tick: the eyes behind it, or sunk
    early, deep = first / CATCH - behind, (rise + most - FASTER) / (1 + CATCH) - behind  # the same in the first tick
    fast, slow = CATCH * (once + sunk), CATCH * (behind + deep)
    might = [
        (*_caught(once, faster), 0.0, 0.0, still),
        (once + late - second, second + FASTER, 0.0, late, once + late - second <= most),
        (behind + early - 2 * first - FASTER, first + 2 * FASTER, early, 0.0, behind + early - first <= most),
        (most, fast + FASTER, 0.0, sunk, once + sunk - fast > most),
        (most - slow - FASTER, slow + 2 * FASTER, deep, 0.0, behind + deep - slow > most),
    ]
    best, least = (0.0, 0.0, (math.nan, math.nan)), math.inf
    for left, then, *steps, fits in might:
        off = min(abs(left - _caught(*_caught(left, then))[0] - following), 0.5)
        if fits and left > -0.1 and off < least and not 0 < sum(steps) < LOWEST and 0 <= sum(steps) < highest:
            best, least = (left, then, (steps[0], steps[1])), off
    return best


def _caught(behind: float, speed: float) -> tuple[float, float]:
    """`falls.catch_up` of one camera."""
    left = behind - speed
    return (left, speed + FASTER) if left > 0 else (0.0, 0.0)
