"""What all scripted players of the game share: a trail of poses, marks of what was done, and turns on the spot."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from engine.action import Action
from engine.errors import WorldError
from worlds.doom.steering import Hands, Pose, distance, wrap

TOURS = ("homes", "explore", "revisit", "stray")
STRAYING: tuple[tuple[str, ...], ...] = (
    ("forward",), ("forward", "run"), ("forward", "left"), ("forward", "right"), ("left",), ("right",), (),
)  # fmt: skip
IN_PLACE = 48  # frames: for shorter gaps there is no time to walk away


class ScriptedPlayer(Hands, ABC):
    """`act(pose)` gives the next action; `marks` says what the walk contained, in numbers of frames."""

    def __init__(self, seed: int, tour: str, gap: int, tours: tuple[str, ...] = TOURS) -> None:
        super().__init__(random.Random(f"{tour}/{seed}"))
        if tour not in tours:
            raise WorldError(f"there is no tour {tour!r} (tours: {', '.join(tours)})")
        if gap < 1:
            raise WorldError(f"a revisit's gap is at least 1 frame, not {gap}")
        self.gap = gap
        self.marks: dict[str, Any] = {"tour": tour}
        self.frame = 0
        self.trail: list[Pose] = []
        self._script = self._life(tour)

    def act(self, pose: Pose) -> Action:
        """The action that follows the frame seen from `pose`."""
        self.pose = pose
        self.trail.append(pose)
        action = next(self._script)
        self.frame += 1
        return action

    @abstractmethod
    def _life(self, tour: str) -> Iterator[Action]:
        """The actions of a tour, without end."""

    def _stray(self) -> Iterator[Action]:
        """Walk without looking where, on at walls for a while, and turn before them: what is seen from close by."""
        while True:
            self.change_pace()
            stopped = len(self.trail) > 4 and distance(self.trail[-1], self.trail[-4][:2]) < 4.0
            widest = 180.0 if stopped and self.rng.random() < 0.5 else 75.0
            heading = self.pose[3] + self.rng.uniform(-widest, widest)
            if self.rng.random() < 0.4:
                yield from self.face(heading)
            keys = self.rng.choices(STRAYING, (12, 3, 1, 1, 1, 1, 2))[0]
            yield from self.push(keys, self.rng.randrange(4, 32), heading)

    def _came_back(self, visit: tuple[int, int], back: int) -> None:
        """Mark a return that began at frame `back` and ends now, unless there was one before."""
        if "return_start" not in self.marks:
            self.marks |= {"gap": self.gap, "visit_start": visit[0], "visit_end": visit[1]}
            self.marks |= {"return_start": back, "return_end": self.frame}

    def _pan(self) -> Iterator[Action]:
        """Look from one side to another on the spot."""
        self.change_pace()
        heading = self.pose[3]
        side = self.rng.choice((-1, 1))
        begin = self.frame
        while self.frame - begin < 36:
            yield from self.face(heading + side * self.rng.uniform(30, 70))
            yield from self.rest(self.rng.randrange(2, 12))
            yield from self.face(heading - side * self.rng.uniform(0, 60))

    def _turn_away(self, since: int) -> Iterator[Action]:
        """Look elsewhere and back to the same heading, `gap` frames or a few more."""
        heading = self.pose[3]
        self.pace = self.rng.uniform(14.0, 22.0)
        before = self.trail[-6][3] if len(self.trail) > 5 else heading
        side = math.copysign(1.0, wrap(heading - before))  # on, away from what was just seen
        yield from self.face(heading + side * self.rng.uniform(80, 130), within=10.0)
        while 2 * (self.frame - since) < self.gap:
            yield Action((), (self.turn(self.pose[3]), 0.0))
        yield from self.face(heading, within=4.0)
        while self.frame - since < self.gap:
            yield Action((), (self.turn(heading), 0.0))
