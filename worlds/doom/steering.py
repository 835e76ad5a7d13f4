"""Hands of a scripted player: mouse motion with inertia, and the keys that walk toward a place by pose feedback."""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from engine.action import Action

Pose = tuple[float, float, float, float]  # x, y, z, angle in degrees anticlockwise
Place = tuple[float, float]

TURN_LIMIT = 25.0  # degrees a frame; the world takes 30
PATIENCE = 24  # frames to go on when something is in the way
NEAR = 32.0  # a place counts as reached within this distance, map units


def bearing(pose: Pose, place: Place) -> float:
    """Direction from a pose to a place, degrees anticlockwise."""
    return math.degrees(math.atan2(place[1] - pose[1], place[0] - pose[0]))


def wrap(angle: float) -> float:
    """The same angle from -180 to 180 degrees."""
    return (angle + 180.0) % 360.0 - 180.0


def distance(pose: Pose, place: Place) -> float:
    return math.hypot(place[0] - pose[0], place[1] - pose[1])


@dataclass
class Habits:
    """What makes one player's hands differ from another's, drawn per episode."""

    pace: float  # usual fastest turn, degrees per frame
    agility: float  # how fast a turn speeds up, degrees per frame per frame
    tremor: float  # unrest of the mouse, degrees per frame
    haste: float  # chance of running on a leg

    @staticmethod
    def draw(rng: random.Random) -> Habits:
        return Habits(
            rng.uniform(4.0, 12.0),
            rng.uniform(0.8, 3.5),
            rng.choice((0.0, 0.0, 0.1, 0.3, 0.5)),
            rng.choice((0.05, 0.2, 0.5)),
        )


class Hands:
    """Turns wishes (a heading, a place) into actions, frame by frame; every iterator here reads self.pose anew."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.habits = Habits.draw(rng)
        self.pose: Pose = (0.0, 0.0, 0.0, 0.0)
        self._rate = 0.0
        self._drift = 0.0
        self.pace = self.habits.pace

    def turn(self, heading: float) -> float:
        """Mouse yaw of this frame on the way to a heading: speeds up, slows down before it, trembles a little."""
        error = wrap(self.pose[3] - heading)  # positive: turn right
        stopping = math.sqrt(2.0 * self.habits.agility * abs(error)) * 0.8
        wish = math.copysign(min(self.pace, stopping, abs(error) * 0.5), error)
        change = max(-self.habits.agility, min(self.habits.agility, wish - self._rate))
        self._rate += change
        self._drift = 0.7 * self._drift + self.rng.gauss(0.0, self.habits.tremor)
        yaw = self._rate + self._drift
        if abs(error) < 0.4 and abs(self._rate) < 0.6:
            self._rate, yaw = 0.0, self._drift
        return max(-TURN_LIMIT, min(TURN_LIMIT, yaw))

    def keys_toward(self, place: Place, run: bool = False, heading: float | None = None) -> tuple[str, ...]:
        """The walking keys whose direction is nearest to the place's, seen from the present heading."""
        side = wrap(bearing(self.pose, place) - (self.pose[3] if heading is None else heading))  # positive: to the left
        keys = []
        if abs(side) < 67.5:
            keys.append("forward")
        elif abs(side) > 112.5:
            keys.append("back")
        if 22.5 < side < 157.5:
            keys.append("left")
        elif -157.5 < side < -22.5:
            keys.append("right")
        return (*keys, "run") if run else tuple(keys)

    def change_pace(self) -> None:
        """Turn faster or slower from now on, as people do."""
        self.pace = max(2.0, min(TURN_LIMIT, self.habits.pace * self.rng.lognormvariate(0.0, 0.5)))

    def face(self, heading: float, within: float = 2.0, limit: int = 60) -> Iterator[Action]:
        """Stand and turn to a heading."""
        for _ in range(limit):
            if abs(wrap(self.pose[3] - heading)) < within and abs(self._rate) < 2.0:
                return
            yield Action((), (self.turn(heading), 0.0))

    def rest(self, frames: int, heading: float | None = None) -> Iterator[Action]:
        """Stand still, at most trembling."""
        heading = self.pose[3] if heading is None else heading
        for _ in range(frames):
            yield Action((), (self.turn(heading), 0.0))

    def spin(self, degrees: float, rate: float) -> Iterator[Action]:
        """Turn on the spot by so many degrees (positive: right) at about `rate` degrees a frame."""
        turned = 0.0
        while abs(turned) < abs(degrees):
            wish = math.copysign(rate, degrees)
            self._rate += max(-self.habits.agility, min(self.habits.agility, wish - self._rate))
            turned += self._rate
            yield Action((), (max(-TURN_LIMIT, min(TURN_LIMIT, self._rate)), 0.0))

    def push(self, keys: Sequence[str], frames: int, heading: float) -> Iterator[Action]:
        """Hold keys whatever comes, such as a wall."""
        for _ in range(frames):
            yield Action(tuple(keys), (self.turn(heading), 0.0))

    def opening(self) -> tuple[str, ...]:
        """Keys that may open what is in the way."""
        return ()

    def follow(self, trace: Sequence[Pose], patience: int = PATIENCE) -> Generator[Action, None, bool]:
        """Go where a recorded trace went and look where it looked, frame by frame; False if something is in the way."""
        index = waited = 0
        while waited < patience:
            if index >= len(trace) - 1 and distance(self.pose, trace[-1][:2]) < 24.0:
                return True
            behind = distance(self.pose, trace[index][:2])
            ahead = trace[min(index + 2, len(trace) - 1)]
            gap = distance(self.pose, ahead[:2])
            yaw = max(-TURN_LIMIT, min(TURN_LIMIT, 0.6 * wrap(self.pose[3] - ahead[3])))
            self._rate = yaw
            keys = self.keys_toward(ahead[:2], run=gap > 56.0, heading=self.pose[3] - yaw) if gap > 12.0 else ()
            yield Action((*keys, *self.opening()), (yaw, 0.0))
            if behind < 64.0 and index < len(trace) - 1:
                index, waited = index + 1, 0
            else:
                waited += 1
        return False
