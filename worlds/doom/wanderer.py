"""A scripted player of any map: it knows no more of it than the poses it has been at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator

from engine.action import Action
from worlds.doom.player import IN_PLACE, TOURS, ScriptedPlayer
from worlds.doom.steering import Pose, bearing, distance, wrap

WANDER = "wander"
CELL = 96.0  # map units: places nearer than this count as one when it asks where it has been
CRUMB = 24.0  # map units between the places of a way back
STRIDE = 12.0  # map units that a way back takes a frame, with its turns
TURNING = 24  # frames that turning round takes
ARRIVED = 14.0  # map units from a way's end
BUMP = 3.0  # map units a frame: a walker slower than this is stopped by something
STOPPED = 4  # frames of that, and it is no accident
OPENING = 24  # frames that a door may take; a second `use` would close it
FALL = 40.0  # map units lost in FALLING frames: too high to climb back
FALLING = 4
LEAP = 80.0  # map units in one frame: a teleporter


class Wanderer(ScriptedPlayer):
    """Walks where it has not been, turns where it bumps, opens doors, and finds back along its own trail.

    explore, wander, homes: wander on, at times back the same way; revisit: wander for a visit, stay away `gap` frames,
    come back to the visit's beginning and do the visit again (marks as those of worlds.doom.tours.Player).
    """

    def __init__(self, seed: int, tour: str = "explore", gap: int = 64) -> None:
        super().__init__(seed, tour, gap, (*TOURS, WANDER))
        self.been: Counter[tuple[int, int]] = Counter()
        self.walls: set[tuple[tuple[int, int], int]] = set()  # cells and eighths of a circle where it was stopped
        self.crumbs: list[Pose] = []  # the way back, without loops
        self.stopped = 0  # frames in a row in which keys were held in vain
        self.lost = False  # whether the way back is cut off
        self._used = -OPENING
        self._course = 0.0
        self._walking = False

    def act(self, pose: Pose) -> Action:
        """The action that follows the frame seen from `pose`."""
        if self.trail:
            step = distance(pose, self.trail[-1][:2])
            self.stopped = self.stopped + 1 if self._walking and step < BUMP else 0
            fallen = len(self.trail) >= FALLING and self.trail[-FALLING][2] - pose[2] > FALL
            self.lost |= step > LEAP or fallen
        self.been[_cell(pose[0], pose[1])] += 1
        self._drop_crumb(pose)
        action = super().act(pose)
        self._walking = bool({"forward", "back", "left", "right"} & set(action.keys))
        return action

    def opening(self) -> tuple[str, ...]:
        """`use`, once, where it has been stopped."""
        if self.stopped < STOPPED or self.frame - self._used < OPENING:
            return ()
        self._used = self.frame
        return ("use",)

    # Whole lives: endless.

    def _life(self, tour: str) -> Iterator[Action]:
        self._course = self.pose[3]
        if tour == "stray":
            yield from self._stray()
        if tour == "revisit":
            yield from self._revisit()
        while True:
            self._begin_trail()
            yield from self._wander(self.rng.randrange(60, 300))
            if tour == "homes" or self.rng.random() < 0.2:
                yield from self._walk(self.crumbs)

    def _revisit(self) -> Iterator[Action]:
        yield from self._wander(self.rng.randrange(20, 120))
        while True:
            yield from self.rest(6)
            self._begin_trail()
            start = self.frame
            if self.gap < IN_PLACE:
                yield from self._pan()
                end = self.frame
                seen = self.trail[start:][::-1]
                yield from self._turn_away(end)
            else:
                yield from self._wander(self.rng.randrange(48, 72))
                seen, end = self.trail[start:], self.frame
                home = yield from self._away(seen[0], end)
                if not home:
                    continue
            back = self.frame
            returned = yield from self.follow(seen, patience=2 * OPENING)
            if returned and not self.lost:
                self._came_back((start, end), back)
            yield from self._wander(self.rng.randrange(60, 200))

    # Parts of a life.

    def _away(self, home: Pose, since: int) -> Generator[Action, None, bool]:
        """Leave, and be back at the pose `home` about `gap` frames after `since`; False if the way back is cut off.

        One stretch is explored; then it goes to and fro there, where it knows the way.
        """
        visit = self.crumbs[:]
        self._begin_trail()
        known: list[Pose] = []

        def left() -> float:
            return self.gap - (self.frame - since) - TURNING - CRUMB * (len(visit) + len(self.crumbs)) / STRIDE

        while left() > 0:
            if known:
                yield from self._walk(known[::-1], lambda: left() < 0)
            else:
                until = self.frame + self.rng.randrange(120, 240)
                while left() > 0 and self.frame < until:
                    yield from self._wander(6)
                known = self.crumbs[:]
            if not (yield from self._walk(self.crumbs)):
                return False
            if len(known) < 3:
                break
        if not (yield from self._walk(visit)):
            return False
        while self.frame - since < self.gap:
            yield Action((), (self.turn(self.pose[3] - 8.0), 0.0))
        yield from self.face(home[3], within=3.0)
        return not self.lost

    def _wander(self, frames: int) -> Iterator[Action]:
        """Walk about for so many frames."""
        until = self.frame + frames
        phase, tempo = self.rng.uniform(0.0, 6.28), self.rng.uniform(0.05, 0.2)
        while self.frame < until:
            if self.stopped >= STOPPED:
                yield from self._bumped()
            elif self.rng.random() < 0.015:
                self._choose_course()
            heading = self._course + 12.0 * math.sin(phase + tempo * self.frame)
            yaw = self.turn(heading)
            keys = ("forward",) if abs(wrap(heading - self.pose[3])) < 60.0 else ()
            yield Action(keys, (yaw, 0.0))

    def _bumped(self) -> Iterator[Action]:
        """Try what is in the way as if it were a door, and turn elsewhere if it is none."""
        mark = _cell(*self.pose[:2]), _eighth(self._course)
        if mark not in self.walls:
            for _ in range(OPENING):
                yield Action(("forward", *self.opening()), (self.turn(self._course), 0.0))
                if not self.stopped:
                    return
        self.walls.add(mark)
        self._choose_course()
        self.stopped = 0
        yield Action((), (self.turn(self._course), 0.0))

    def _choose_course(self) -> None:
        """Head for where it has been least, rather on than back, and not where it was stopped before."""
        self.change_pace()
        here = _cell(*self.pose[:2])

        def cost(heading: float) -> float:
            angle = math.radians(heading)
            ahead = [
                _cell(self.pose[0] + r * math.cos(angle), self.pose[1] + r * math.sin(angle)) for r in (96, 192, 320)
            ]
            known = sum(min(self.been[cell], 40) for cell in ahead) / 40
            return known + 2.0 * ((here, _eighth(heading)) in self.walls) + abs(wrap(heading - self.pose[3])) / 180

        headings = [self.rng.uniform(0.0, 360.0) for _ in range(12)]
        self._course = min(headings, key=lambda heading: cost(heading) + self.rng.uniform(0.0, 0.5))

    # The way back.

    def _begin_trail(self) -> None:
        self.crumbs, self.lost = [self.pose], False

    def _drop_crumb(self, pose: Pose) -> None:
        """Remember `pose` as a place of the way back, and forget the loop that ends here."""
        for index, crumb in enumerate(self.crumbs[:-1]):
            if distance(pose, crumb[:2]) < CRUMB and abs(pose[2] - crumb[2]) < CRUMB:
                del self.crumbs[index + 1 :]
                return
        if not self.crumbs or distance(pose, self.crumbs[-1][:2]) >= CRUMB:
            self.crumbs.append(pose)

    def _walk(self, way: list[Pose], stop: Callable[[], bool] | None = None) -> Generator[Action, None, bool]:
        """Walk along a way from its end to its beginning, or until `stop`; False if something cuts it off."""
        way, since = way[:], self.frame
        self.pace = max(self.pace, 14.0)
        while way and not self.lost and not (stop and stop()):
            left = distance(self.pose, way[-1][:2])
            if left < (ARRIVED if len(way) == 1 else 1.4 * CRUMB):
                way.pop()
                since = self.frame
                continue
            if self.frame - since > 3 * OPENING:
                return False
            heading = bearing(self.pose, way[-1][:2])
            yaw = self.turn(heading)
            keys = self.keys_toward(way[-1][:2]) if abs(wrap(heading - self.pose[3])) < 60.0 else ()
            yield Action((*keys, *self.opening()), (yaw, 0.0))
        return not self.lost


def _cell(x: float, y: float) -> tuple[int, int]:
    return math.floor(x / CELL), math.floor(y / CELL)


def _eighth(heading: float) -> int:
    return round(heading / 45.0) % 8
