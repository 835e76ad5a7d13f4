"""Scripted players that move through a generated map as people do, seeing the pose and the walkways, no pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from engine.action import Action
from worlds.doom.player import IN_PLACE, TOURS, ScriptedPlayer
from worlds.doom.steering import NEAR, PATIENCE, Place, Pose, bearing, distance, wrap
from worlds.doom.walkways import Walkways

ATTEMPTS = 4  # at finding a way when something is in it
STRIDE = 14.0  # a walk's usual length a frame with its turns, map units
TURNING = 20  # frames that turning round takes on the way
DOOR_REACH = 112.0  # begin to press `use` this near a door, map units


class Player(ScriptedPlayer):
    """Walks a map by its walkways. `act(pose)` gives the next action; `marks` says what the walk contained.

    homes: a few favourite places, gone back and forth between, looking the same way each time;
    explore: room after room; revisit: sees a place, stays away `gap` frames, comes back the same way
    (marks: "gap", "visit_start", "visit_end", "return_start", "return_end", frame numbers);
    stray: wherever keys lead, on at walls as well.
    """

    def __init__(
        self, ways: Walkways, seed: int, tour: str = "homes", gap: int = 64, tours: tuple[str, ...] = TOURS
    ) -> None:
        super().__init__(seed, tour, gap, tours)
        self.ways = ways

    def _life(self, tour: str) -> Iterator[Action]:
        lives = {"homes": self._homes, "explore": self._explore, "revisit": self._revisit, "stray": self._stray}
        return lives[tour]()

    # Whole lives: endless.

    def _homes(self) -> Iterator[Action]:
        start = self.ways.nearest(*self.pose[:2])
        reach = self.rng.choice((700.0, 1200.0, 2000.0, 1e9))
        around = [n for nodes in self.ways.rooms for n in nodes if self._between(start, n) < reach]
        nodes = self.rng.sample(around, min(len(around), self.rng.choice((2, 2, 3, 4))))
        homes = [(node, self._outlook(node)) for node in nodes]
        while True:
            node, heading = self.rng.choice(homes)
            yield from self._go(node)
            yield from self._look_about(heading)
            if self.rng.random() < 0.25:
                yield from self._out_and_back()
            if self.rng.random() < 0.15:
                yield from self._go(self._random_node())

    def _explore(self) -> Iterator[Action]:
        while True:
            yield from self._go(self._random_node())
            yield from self._aside()

    def _revisit(self) -> Iterator[Action]:
        self.habits = replace(self.habits, agility=max(2.0, self.habits.agility))
        for _ in range(self.rng.choice((0, 1))):
            yield from self._go(self._near_node(200, 600))
        in_place = self.gap < IN_PLACE
        while True:
            if in_place:
                yield from self.face(self._outlook(self.ways.nearest(*self.pose[:2])))
            yield from self.rest(4)
            start = self.frame
            yield from self._pan() if in_place else self._stroll()
            seen, end = self.trail[start:], self.frame
            if in_place:
                seen = seen[::-1]  # the way back of a pan is the pan the other way
                yield from self._turn_away(end)
            else:
                yield from self._walk_away(seen[0], end)
            back = self.frame
            returned = yield from self.follow(seen)
            if returned:
                self._came_back((start, end), back)
            yield from self._go(self._near_node(200, 900))

    # Parts of a life.

    def _stroll(self) -> Iterator[Action]:
        """Walk about near here for at least 48 frames."""
        begin = self.frame
        while self.frame - begin < 48:
            yield from self._go(self._near_node(96, 420), run=False)
            if self.rng.random() < 0.4:
                yield from self._glance()

    def _walk_away(self, home: Pose, since: int) -> Iterator[Action]:
        """Leave, and be back at the pose `home` about `gap` frames after `since`, never sooner."""
        while True:
            spare = (self.gap - (self.frame - since) - TURNING) * STRIDE - self._way_home(home)
            if spare < 96.0:
                break
            farthest = min(max(0.5 * spare, 128.0), 2500.0)
            yield from self._go(self._near_node(0.5 * farthest, farthest))
            if spare > 3000.0 and self.rng.random() < 0.3:
                yield from self._aside()
        self.pace = max(self.pace, 14.0)
        yield from self._go(self.ways.nearest(*home[:2]))
        yield from self._reach(home[:2], None, False, near=16.0)
        while self.frame - since < self.gap:
            yield Action((), (self.turn(self.pose[3] - 8.0), 0.0))
        yield from self.face(home[3], within=3.0)

    def _look_about(self, heading: float) -> Iterator[Action]:
        """Face a home's heading, and look to both sides of it."""
        self.change_pace()
        yield from self.face(heading)
        yield from self.rest(self.rng.choice((0, 3, 8, 20)))
        for _ in range(self.rng.choice((0, 1, 2))):
            yield from self.face(heading + self.rng.choice((-90, -45, 45, 90, 180)))
            yield from self.rest(self.rng.choice((0, 4, 10)))
            yield from self.face(heading)

    def _out_and_back(self) -> Iterator[Action]:
        """Walk somewhere and come back over the same poses, backwards or face about."""
        begin = self.frame
        yield from self._go(self._near_node(150, 800))
        trace = self.trail[begin:][::-1]
        if len(trace) < 4:
            return
        if self.rng.random() < 0.5:
            trace = [(x, y, z, angle + 180.0) for x, y, z, angle in trace]
            yield from self.face(trace[0][3])
        yield from self.follow(trace)

    def _aside(self) -> Iterator[Action]:
        """Something that people do between two ways."""
        self.change_pace()
        deeds: list[tuple[Callable[[], Iterator[Action]], float]] = [
            (self._glance, 0.3), (self._whirl, 0.12), (self._bump, 0.12),
            (self._pause, 0.16), (self._sidestep, 0.12), (self._nothing, 0.3),
        ]  # fmt: skip
        yield from self.rng.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]()

    def _glance(self) -> Iterator[Action]:
        """Turn away and back to the same heading."""
        heading = self.pose[3]
        yield from self.face(heading + self.rng.choice((-1, 1)) * self.rng.uniform(40, 180))
        yield from self.rest(self.rng.choice((0, 2, 6, 15)))
        yield from self.face(heading)

    def _whirl(self) -> Iterator[Action]:
        yield from self.spin(self.rng.choice((-1, 1)) * self.rng.choice((180, 360, 360, 720)), self.rng.uniform(4, 18))

    def _bump(self) -> Iterator[Action]:
        heading = self.pose[3] + self.rng.uniform(-60, 60)
        yield from self.push(("forward",), self.rng.randrange(10, 40), heading)
        yield from self.push(("back",), self.rng.randrange(4, 12), heading)

    def _pause(self) -> Iterator[Action]:
        yield from self.rest(self.rng.randrange(5, 40))

    def _sidestep(self) -> Iterator[Action]:
        key = self.rng.choice(("left", "right"))
        other = "right" if key == "left" else "left"
        frames = self.rng.randrange(5, 16)
        heading = self.pose[3]
        yield from self.push((key,), frames, heading)
        yield from self.push((other,), frames, heading)

    def _nothing(self) -> Iterator[Action]:
        yield from ()

    # Walking.

    def _go(self, goal: int, run: bool | None = None) -> Iterator[Action]:
        """Walk to a node by the shortest way, in one of several styles of looking."""
        self.change_pace()
        run = self.rng.random() < self.habits.haste if run is None else run
        style = self.rng.choices((None, "sway", "aside", "back"), (0.6, 0.2, 0.15, 0.05))[0]
        for _ in range(ATTEMPTS):
            way = self.ways.path(self.ways.nearest(*self.pose[:2]), goal)
            if len(way) > 1 and distance(self.pose, self.ways.points[way[0]]) < 64.0:
                way = way[1:]
            for node in way:
                arrived = yield from self._reach(self.ways.points[node], style, run)
                if not arrived:
                    break
                if self.rng.random() < 0.06:
                    yield from self._look_back(self.ways.points[node])
            else:
                return
            yield from self._reach(self.ways.points[self.ways.nearest(*self.pose[:2])], None, False)

    def _reach(self, place: Place, style: str | None, run: bool, near: float = NEAR) -> Generator[Action, None, bool]:
        """Walk straight to a place; False if something is in the way."""
        best, pushed = math.inf, 0
        offset = self.rng.choice((-1, 1)) * self.rng.uniform(25, 80)
        phase, tempo = self.rng.uniform(0, 6.28), self.rng.uniform(0.05, 0.2)
        while True:
            left = distance(self.pose, place)
            if left < near:
                return True
            if left < best - 1.0:
                best, pushed = left, 0
            if pushed > PATIENCE:
                key = self.rng.choice(("back", "left", "right"))
                yield from self.push((key,), self.rng.randrange(5, 12), self.pose[3])
                return False
            heading = bearing(self.pose, place)
            at_door = any(distance(self.pose, door) < DOOR_REACH for door in self.ways.doors)
            if style == "sway" and not at_door:
                heading += 0.6 * offset * math.sin(phase + tempo * self.frame)
            elif style == "aside" and not at_door:
                heading += offset
            elif style == "back" and not at_door:
                heading += 180.0
            yaw = self.turn(heading)
            turning = style is None and abs(wrap(heading - self.pose[3])) > 70.0 and left < 96.0
            keys = () if turning else self.keys_toward(place, run)
            pushed += bool(keys)
            if at_door and self.rng.random() < 0.3:
                keys = (*keys, "use")
            yield Action(keys, (yaw, 0.0))

    def _look_back(self, place: Place) -> Iterator[Action]:
        """Look over the shoulder for a moment, standing."""
        heading = self.pose[3]
        yield from self.face(heading + 180.0, within=20.0)
        yield from self.rest(self.rng.choice((0, 3, 8)))
        yield from self.face(heading if self.rng.random() < 0.5 else bearing(self.pose, place), within=20.0)

    def _outlook(self, node: int) -> float:
        """A heading from a node worth looking at: along one of its longest free ways, give or take."""
        here = self.ways.points[node]
        ways = sorted(self.ways.neighbours[node].items(), key=lambda item: -item[1])[:3]
        x, y = self.ways.points[self.rng.choice(ways)[0]]
        return math.degrees(math.atan2(y - here[1], x - here[0])) + self.rng.gauss(0.0, 20.0)

    def _random_node(self) -> int:
        return self.rng.choice(self.rng.choice(self.ways.rooms))

    def _near_node(self, least: float, most: float) -> int:
        """A node at the end of a walk so long; the one whose walk comes nearest if there is none."""
        lengths = self.ways.distances(self.ways.nearest(*self.pose[:2]))[0]
        fit = [node for node, length in lengths.items() if least <= length <= most]
        return self.rng.choice(fit) if fit else min(lengths, key=lambda node: abs(lengths[node] - least))

    def _between(self, one: int, two: int) -> float:
        return math.dist(self.ways.points[one], self.ways.points[two])

    def _way_home(self, home: Pose) -> float:
        """Length of the walk from here to a pose."""
        way = self.ways.path(self.ways.nearest(*self.pose[:2]), self.ways.nearest(*home[:2]))
        return sum(self._between(one, two) for one, two in zip(way, way[1:], strict=False))
