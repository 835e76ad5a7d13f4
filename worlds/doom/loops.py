"""A scripted player that comes back by another door: a place seen again from where it was not seen from before."""

from __future__ import annotations

from collections.abc import Iterator

from engine.action import Action
from worlds.doom.tours import STRIDE, TURNING, Player
from worlds.doom.walkways import Walkways

LOOPS = ("loop",)
VISIT, RETURN = 48, 40  # frames spent in a room at least, before it is left and after
SHORTEST = 96.0  # map units worth a detour


class Rounder(Player):
    """loop: looks about a room, leaves it by one opening and enters by another, `gap` frames later or more.

    marks: as those of a revisit. Through openings the room may be glimpsed in between. A map without loops is walked
    about.
    """

    def __init__(self, ways: Walkways, seed: int, tour: str = "loop", gap: int = 64) -> None:
        super().__init__(ways, seed, tour, gap, LOOPS)

    def _life(self, tour: str) -> Iterator[Action]:
        while True:
            home = self.ways.nearest(*self.pose[:2])
            ways_out = self._ways_out(home)
            if ways_out:
                yield from self._round(home, *self.rng.choice(ways_out))
            yield from self._go(self._random_node())
            yield from self._aside()
            yield from self.rest(1)

    def _round(self, home: int, outside: int, others: Walkways) -> Iterator[Action]:
        """Leave for the node `outside`, and come back by what ways there are beside that one."""
        room, ways = self.ways.room_of[home], self.ways
        start = self.frame
        yield from self._about(room, VISIT)
        end = self.frame
        yield from self._go(outside)
        left, self.ways = self.frame, others
        yield from self._pass_time(home, end)
        yield from self._go(home)
        self.ways = ways
        inside = [ways.room_of[ways.nearest(*pose[:2])] == room for pose in self.trail[left:]]
        if not any(inside):
            return
        back = left + inside.index(True)
        yield from self._about(room, RETURN)
        if back - end >= self.gap and all(inside[back - left :]):
            self._came_back((start, end), back)

    def _about(self, room: int, frames: int) -> Iterator[Action]:
        """Walk about a room for at least so many frames."""
        until = self.frame + frames
        while self.frame < until:
            yield from self._go(self.rng.choice(self.ways.rooms[room]), run=False)
            if self.rng.random() < 0.5:
                yield from self._glance()
            yield from self.rest(1)

    def _pass_time(self, home: int, since: int) -> Iterator[Action]:
        """Walk about elsewhere, until the way home takes what is left of the gap."""
        while True:
            here = self.ways.nearest(*self.pose[:2])
            lengths = self.ways.distances(here)[0]
            spare = (self.gap - (self.frame - since) - TURNING) * STRIDE - lengths[home]
            if spare < SHORTEST:
                return
            room = self.ways.room_of[home]
            fit = [node for node, length in lengths.items() if 0 < length < spare and self.ways.room_of[node] != room]
            yield from self._go(self.rng.choice(fit)) if fit else self.rest(8)
            yield from self.rest(1)

    def _ways_out(self, home: int) -> list[tuple[int, Walkways]]:
        """Nodes before openings of the room of `home`, from which there is another way back, and the ways without."""
        found = []
        room_of = self.ways.room_of
        for node in self.ways.rooms[room_of[home]]:
            for outside in self.ways.neighbours[node]:
                if room_of[outside] != room_of[home]:
                    others = self.ways.without(node, outside)
                    if home in others.distances(outside)[0]:
                        found.append((outside, others))
        return found
