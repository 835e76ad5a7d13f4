"""Where a player can walk: points in every room and the straight ways between them that touch nothing."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from worlds.doom import things
from worlds.doom.layout import Link, Plan, Room, depth_of
from worlds.doom.udmf import MapBuilder

CLEARANCE = 25.0  # map units that a walking player's centre keeps from walls; the player's own radius is 16
BODIES = 44.0  # how near to a monster's middle a walking player's centre may come, map units
APPROACH = 40  # how far inside a room its opening's point lies


@dataclass
class Walkways:
    """A graph to walk by.

    points: (x, y) of each node; rooms: node numbers of each room; neighbours: node -> {node: length};
    room_of: node -> room; doors: pairs of nodes between which a closed door stands, and its middle.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    rooms: list[list[int]] = field(default_factory=list)
    neighbours: list[dict[int, float]] = field(default_factory=list)
    room_of: list[int] = field(default_factory=list)
    doors: list[tuple[float, float]] = field(default_factory=list)

    def add(self, room: int, point: tuple[float, float]) -> int:
        self.points.append(point)
        self.neighbours.append({})
        self.room_of.append(room)
        self.rooms[room].append(len(self.points) - 1)
        return len(self.points) - 1

    def join(self, one: int, two: int) -> None:
        length = math.dist(self.points[one], self.points[two])
        self.neighbours[one][two] = self.neighbours[two][one] = length

    def nearest(self, x: float, y: float) -> int:
        """The node nearest to a place."""
        reachable = (node for nodes in self.rooms for node in nodes)
        return min(reachable, key=lambda node: (self.points[node][0] - x) ** 2 + (self.points[node][1] - y) ** 2)

    def around(self, places: Sequence[tuple[float, float]], start: tuple[float, float]) -> Walkways:
        """The same without the ways that come near one of `places`, and what cannot be reached from `start` then."""
        marks = np.array(places)
        neighbours: list[dict[int, float]] = [{} for _ in self.points]
        for node, others in enumerate(self.neighbours):
            for other, length in others.items():
                ends = np.array([self.points[node], self.points[other]])
                if _distance(marks, ends[:1], ends[1:]).min() > BODIES:
                    neighbours[node][other] = length
        free = Walkways(self.points, self.rooms, neighbours, self.room_of, self.doors)
        reached = free.distances(self.nearest(*start))[0]
        free.rooms = [[node for node in nodes if node in reached] for nodes in self.rooms]
        return free

    def without(self, one: int, two: int) -> Walkways:
        """The same without the way between two nodes."""
        neighbours = [dict(others) if node in (one, two) else others for node, others in enumerate(self.neighbours)]
        del neighbours[one][two], neighbours[two][one]
        return Walkways(self.points, self.rooms, neighbours, self.room_of, self.doors)

    def distances(self, start: int, goal: int | None = None) -> tuple[dict[int, float], dict[int, int]]:
        """Lengths of the shortest ways from start, and the node before each; only what is needed to know the goal's."""
        best = {start: 0.0}
        came: dict[int, int] = {}
        queue = [(0.0, start)]
        while queue:
            length, node = heapq.heappop(queue)
            if node == goal:
                break
            if length > best[node]:
                continue
            for other, step in self.neighbours[node].items():
                if length + step < best.get(other, math.inf):
                    best[other] = length + step
                    came[other] = node
                    heapq.heappush(queue, (length + step, other))
        return best, came

    def path(self, start: int, goal: int) -> list[int]:
        """Nodes of a shortest way from start to goal, both included."""
        came = self.distances(start, goal)[1]
        way = [goal]
        while way[-1] != start:
            way.append(came[way[-1]])
        return way[::-1]


def build_walkways(plan: Plan, builder: MapBuilder) -> Walkways | None:
    """The walkways of a map; None if some opening or room cannot be reached. Points out of reach are left out."""
    ways = Walkways(rooms=[[] for _ in plan.rooms])
    walls = _obstacles(builder)
    ends = [_link_nodes(ways, plan, link) for link in plan.links if link.kind != "window"]
    for room in plan.rooms:
        near = _near(walls, room.box)
        spots = np.array(_spots(plan, room))
        for x, y in spots[_clear(spots, spots, near)].tolist():
            ways.add(room.index, (x, y))
        nodes = ways.rooms[room.index]
        pairs = [(one, two) for i, one in enumerate(nodes) for two in nodes[:i]]
        starts, ends_of_pairs = (np.array([ways.points[pair[k]] for pair in pairs]).reshape(-1, 2) for k in (0, 1))
        for (one, two), free in zip(pairs, _clear(starts, ends_of_pairs, near), strict=True):
            if free:
                ways.join(one, two)
    for one, two in ends:
        ways.join(one, two)
    if not ends:
        return None
    reached = ways.distances(ends[0][0])[0]
    if not all(node in reached for pair in ends for node in pair):
        return None
    ways.rooms = [[node for node in nodes if node in reached] for nodes in ways.rooms]
    return ways if all(ways.rooms) else None


def clear_ways(builder: MapBuilder, starts: list[tuple[float, float]], end: tuple[float, float]) -> list[bool]:
    """From which of the places `starts` a player can walk straight to `end`, touching nothing."""
    begin = np.array(starts, dtype=np.float64).reshape(-1, 2)
    return _clear(begin, np.broadcast_to(np.array(end, dtype=np.float64), begin.shape), _obstacles(builder)).tolist()


def _obstacles(builder: MapBuilder) -> np.ndarray:
    """float [n, 4] segments x0, y0, x1, y1 that stop a player: walls, high steps, and crosses for solid things."""
    segments = [(*start, *end) for start, end in builder.barriers()]
    for thing in builder.things:
        if things.blocks(thing.type):
            r = things.radius(thing.type)
            segments += [
                (thing.x - r, thing.y - r, thing.x + r, thing.y + r),
                (thing.x - r, thing.y + r, thing.x + r, thing.y - r),
            ]
    return np.array(segments, dtype=np.float64)


def _near(walls: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x = np.sort(walls[:, 0::2], axis=1)
    y = np.sort(walls[:, 1::2], axis=1)
    reach = 64
    keep = (
        (x[:, 1] > box[0] - reach)
        & (x[:, 0] < box[2] + reach)
        & (y[:, 1] > box[1] - reach)
        & (y[:, 0] < box[3] + reach)
    )
    return walls[keep]


def _link_nodes(ways: Walkways, plan: Plan, link: Link) -> tuple[int, int]:
    """Two nodes, one in each room in front of the opening."""
    begin, end = depth_of(plan, link)
    before, after = begin - APPROACH, end + APPROACH
    spots = ((before, link.middle), (after, link.middle))
    if link.axis == "y":
        spots = ((link.middle, before), (link.middle, after))
    if link.kind == "door":
        ways.doors.append(((spots[0][0] + spots[1][0]) / 2, (spots[0][1] + spots[1][1]) / 2))
    return ways.add(link.one, spots[0]), ways.add(link.two, spots[1])


def _spots(plan: Plan, room: Room) -> list[tuple[float, float]]:
    """Places worth standing at: each cell's middle and four places around it."""
    found = []
    for column, row in room.cells:
        x0, x1 = max(plan.edges_x[column], room.box[0]), min(plan.edges_x[column + 1], room.box[2])
        y0, y1 = max(plan.edges_y[row], room.box[1]), min(plan.edges_y[row + 1], room.box[3])
        x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * 0.3, (y1 - y0) * 0.3
        found += [(x, y), *((x + i * dx, y + j * dy) for i in (-1, 1) for j in (-1, 1))]
        found += [(x + dx, y), (x - dx, y), (x, y + dy), (x, y - dy)]
    return found


def _clear(starts: np.ndarray, ends: np.ndarray, walls: np.ndarray) -> np.ndarray:
    """bool [n]: which of the segments starts -> ends, [n, 2] each, keep their clearance from every wall [m, 4]."""
    a, b = starts[:, None], ends[:, None]
    p, q = walls[None, :, :2], walls[None, :, 2:]
    near = np.minimum(_distance(a, p, q), _distance(b, p, q))
    near = np.minimum(near, np.minimum(_distance(p, a, b), _distance(q, a, b)))
    crosses = (_turn(a, b, p) * _turn(a, b, q) < 0) & (_turn(p, q, a) * _turn(p, q, b) < 0)
    return np.logical_not((crosses | (near < CLEARANCE)).any(axis=1))


def _distance(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of points from segments; broadcasts [..., 2] to [...]."""
    along, away = end - start, point - start
    length = np.maximum((along * along).sum(-1), 1e-9)  # a segment may be a point
    t = np.clip((away * along).sum(-1) / length, 0.0, 1.0)
    return np.hypot(away[..., 0] - t * along[..., 0], away[..., 1] - t * along[..., 1])


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Positive where a, b, c turn left."""
    return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
