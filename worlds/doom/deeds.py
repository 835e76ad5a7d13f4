"""A scripted player who changes something of a generated map, leaves, and comes back to look at it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from engine.action import Action
from worlds.doom import things
from worlds.doom.maps import DoomMap
from worlds.doom.player import IN_PLACE
from worlds.doom.steering import Place, bearing, distance
from worlds.doom.tours import Player
from worlds.doom.walkways import Walkways, clear_ways

DEEDS = ("door", "item", "monster")
FROM, TO = 112.0, 330.0  # map units from which a thing is looked at
NEAREST = 3  # targets of which one is chosen
GLIDE = 64.0  # map units that a walker may end beside the place he comes back to
WATCH = 40  # frames of a look
SHOOTING = 90  # frames: enough for the toughest of the monsters
OPENING = 20  # frames that a door takes
ALWAYS_TAKEN = (2014, 2015, 2013, 2018, 2007, 2008, 2048, 2049, 8)  # pick-ups that a healthy player takes, too


@dataclass(frozen=True)
class Target:
    """A thing to change, a node to look at it from, and where to stand to change it."""

    place: Place
    lookout: int
    reach: Place


class Doer(Player):
    """door: open one; item: take one; monster: shoot one. Before and after it looks from the same place.

    A map without such a thing is walked about. marks: "deed", "place", and frame numbers "visit_start", "visit_end"
    (the look before), "visit_again" (the look after begins), "left", "return_start", "return_end" (back after `gap`).
    """

    def __init__(self, level: DoomMap, seed: int, deed: str, gap: int = 64) -> None:
        start = next((thing.x, thing.y) for thing in level.builder.things if thing.type == things.PLAYER_START)
        monsters = [(thing.x, thing.y) for thing in level.builder.things if thing.type in things.MONSTERS]
        ways = level.walkways.around(monsters, start) if monsters else level.walkways
        super().__init__(ways, seed, deed, gap, DEEDS)
        self.targets = targets_of(level, ways, deed)

    def _life(self, tour: str) -> Iterator[Action]:
        self.marks["deed"] = tour
        while self.targets and "return_end" not in self.marks:
            lengths = self.ways.distances(self.ways.nearest(*self.pose[:2]))[0]
            near = sorted(self.targets, key=lambda target: lengths.get(target.lookout, math.inf))[:NEAREST]
            target = self.rng.choice(near)
            self.targets.remove(target)
            yield from self._try(tour, target)
        while True:
            yield from self._go(self._near_node(200.0, 1500.0))

    def _try(self, deed: str, target: Target) -> Generator[Action, None, None]:
        if not (yield from self._stand(target)):
            return
        start = self.frame
        yield from self._watch(target.place)
        end = self.frame
        yield from {"door": self._open, "item": self._take, "monster": self._shoot}[deed](target)
        if not (yield from self._stand(target)):
            return
        again = self.frame
        yield from self._watch(target.place)
        left, home = self.frame, self.pose
        if self.gap < IN_PLACE:
            yield from self._turn_away(left)
        else:
            yield from self._walk_away(home, left)
        if distance(self.pose, home[:2]) > GLIDE:
            return
        yield from self.face(bearing(self.pose, target.place))
        back = self.frame
        yield from self._watch(target.place)
        self._came_back((start, end), back)
        self.marks |= {"place": list(target.place), "visit_again": again, "left": left}

    def _stand(self, target: Target) -> Generator[Action, None, bool]:
        """Go to the target's lookout and face the target; False if something is in the way."""
        place = self.ways.points[target.lookout]
        yield from self._go(target.lookout, run=False)
        arrived = yield from self._reach(place, None, False, near=14.0)
        self.change_pace()
        yield from self.face(bearing(self.pose, target.place))
        return arrived

    def _watch(self, place: Place) -> Iterator[Action]:
        """Look at a place, a little to one side, and to the other."""
        until = self.frame + WATCH
        side = self.rng.choice((-1, 1)) * self.rng.uniform(6.0, 14.0)
        while self.frame < until:
            yield from self.face(bearing(self.pose, place) + side)
            yield from self.rest(self.rng.randrange(2, 8))
            side = -side
        yield from self.face(bearing(self.pose, place))

    def _open(self, target: Target) -> Iterator[Action]:
        yield from self._reach(target.reach, None, False)
        yield from self.face(bearing(self.pose, target.place))
        yield from self.push(("forward", "use"), 2, bearing(self.pose, target.place))
        yield from self.rest(OPENING)

    def _take(self, target: Target) -> Iterator[Action]:
        yield from self._reach(target.reach, None, False, near=12.0)

    def _shoot(self, target: Target) -> Iterator[Action]:
        yield from self.push(("attack",), SHOOTING, bearing(self.pose, target.place))


def targets_of(level: DoomMap, ways: Walkways, deed: str) -> list[Target]:
    """What there is on a map for a deed; each target once, with the farthest lookout that sees it."""
    found = []
    for place, reach in _places(level, deed):
        room = level.walkways.room_of[level.walkways.nearest(*reach)]
        nodes = [n for n in ways.rooms[room] if FROM <= math.dist(ways.points[n], place) <= TO]
        seen = clear_ways(level.builder, [ways.points[node] for node in nodes], reach)
        fit = [node for node, free in zip(nodes, seen, strict=True) if free]
        if fit:
            found.append(Target(place, max(fit, key=lambda node: math.dist(ways.points[node], place)), reach))
    return found


def _places(level: DoomMap, deed: str) -> Iterator[tuple[Place, Place]]:
    """Places of a deed's things, and where to stand to change each."""
    ways = level.walkways
    for door in ways.doors if deed == "door" else ():
        yield door, ways.points[ways.nearest(*door)]
    kinds = {"door": (), "item": ALWAYS_TAKEN, "monster": things.MONSTERS}[deed]
    for thing in level.builder.things:
        if thing.type in kinds:
            yield (thing.x, thing.y), (thing.x, thing.y)
