"""The plan of a map: which cells make a room, how rooms are shaped, and where they open into one another."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

CELL_SIZES = (320, 352, 384, 416, 448, 512)  # map units
INSETS = (24, 32, 40, 48, 56, 72)  # rock between a room and the border of its cell
MIN_HALF_OPENING = 40
HEADROOM = 88  # least height above the higher floor of an opening
SIDES = ("west", "north", "east", "south")  # the order of a clockwise walk along a room's walls
CORNERS = ("square", "chamfer", "notch", "round")


@dataclass
class Room:
    """A room: the cells it covers, its rectangle, and the shape of its four corners (NW, NE, SE, SW)."""

    index: int
    cells: list[tuple[int, int]]
    box: tuple[int, int, int, int]  # x0, y0, x1, y1
    corners: tuple[str, str, str, str]
    cut: int  # size of a corner that is not square
    floor: int = 0
    ceiling: int = 128
    is_court: bool = False

    def span(self, side: str) -> tuple[int, int]:
        """The straight part of a side, low to high, in which an opening may lie."""
        x0, y0, x1, y1 = self.box
        low, high = (y0, y1) if side in ("west", "east") else (x0, x1)
        return low + self.cut + 8, high - self.cut - 8

    def line(self, side: str) -> int:
        """Where a side lies: its x (west, east) or its y (north, south)."""
        return (self.box[0], self.box[3], self.box[2], self.box[1])[SIDES.index(side)]


@dataclass
class Link:
    """An opening between two rooms: `one` on its low side, `two` on its high side along the axis."""

    one: int
    two: int
    axis: str  # "x": two lies east of one; "y": two lies north of one
    low: int  # extent across the axis
    high: int
    kind: str = "arch"  # arch, door or window
    steps: int = 1  # sectors between the rooms

    @property
    def middle(self) -> int:
        return (self.low + self.high) // 2


@dataclass
class Plan:
    rooms: list[Room]
    links: list[Link]
    edges_x: list[int] = field(default_factory=list)
    edges_y: list[int] = field(default_factory=list)

    def links_of(self, room: int) -> list[Link]:
        return [link for link in self.links if room in (link.one, link.two)]


def plan_map(rng: random.Random, num_columns: int, num_rows: int, with_doors: bool) -> Plan:
    """A random plan in which every room can be reached on foot from every other."""
    edges_x = _edges(rng, num_columns)
    edges_y = _edges(rng, num_rows)
    owner = _merge_cells(rng, num_columns, num_rows)
    rooms = [_make_room(rng, index, cells, edges_x, edges_y) for index, cells in enumerate(owner)]
    plan = Plan(rooms, [], edges_x, edges_y)
    candidates = _find_links(rng, plan)
    rng.shuffle(candidates)
    candidates.sort(key=lambda link: link.high - link.low < 2 * MIN_HALF_OPENING + 16)  # wide ones first
    tree = _spanning_tree(rng, len(rooms), candidates)
    _set_heights(rng, plan, tree)
    in_tree = {id(link) for link in tree}
    for link in candidates:
        rise = abs(rooms[link.one].floor - rooms[link.two].floor)
        walkable = rise <= 16 * (_max_steps(plan, link) + 1)
        if id(link) not in in_tree:
            link.kind = rng.choices(("none", "arch", "window"), (0.2, 0.45, 0.35) if walkable else (0.35, 0.0, 0.65))[0]
        if link.kind == "none":
            continue
        if link.kind == "arch":
            link.steps = max(1, -(-rise // 16) - 1)
            if with_doors and rise <= 24 and rng.random() < 0.3:
                link.kind, link.steps = "door", 3  # a lintel on each side of the door
        plan.links.append(link)
    for link in plan.links:
        ends = (rooms[link.one], rooms[link.two])
        for room in ends:
            room.ceiling = max(room.ceiling, max(end.floor for end in ends) + HEADROOM)
    return plan


def _edges(rng: random.Random, count: int) -> list[int]:
    sizes = [rng.choice(CELL_SIZES) for _ in range(count)]
    start = -(sum(sizes) // 2) // 32 * 32
    return [start + sum(sizes[:i]) for i in range(count + 1)]


def _merge_cells(rng: random.Random, num_columns: int, num_rows: int) -> list[list[tuple[int, int]]]:
    """Cells of each room: mostly single ones, some halls of 2x1, 3x1 and 2x2."""
    free = {(column, row) for column in range(num_columns) for row in range(num_rows)}
    groups = []
    for column, row in rng.sample(sorted(free), len(free)):
        if (column, row) not in free:
            continue
        shapes = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3)]
        width, height = rng.choices(shapes, (0.5, 0.14, 0.14, 0.12, 0.05, 0.05))[0]
        cells = [(column + i, row + j) for i in range(width) for j in range(height)]
        if not free.issuperset(cells):
            cells = [(column, row)]
        free.difference_update(cells)
        groups.append(cells)
    return groups


def _make_room(
    rng: random.Random, index: int, cells: list[tuple[int, int]], edges_x: list[int], edges_y: list[int]
) -> Room:
    columns, rows = [cell[0] for cell in cells], [cell[1] for cell in cells]
    inset = [rng.choice(INSETS) for _ in range(4)]
    box = (
        edges_x[min(columns)] + inset[0], edges_y[min(rows)] + inset[1],
        edges_x[max(columns) + 1] - inset[2], edges_y[max(rows) + 1] - inset[3],
    )  # fmt: skip
    cell_sizes = [edges_x[c + 1] - edges_x[c] for c in columns] + [edges_y[r + 1] - edges_y[r] for r in rows]
    largest_cut = (min(cell_sizes) // 2 - max(inset) - MIN_HALF_OPENING - 16) // 8 * 8
    style = rng.choice(CORNERS)
    if style == "square" or largest_cut < 24:
        corners, cut = ("square",) * 4, 0
    else:
        cut = rng.randrange(24, min(largest_cut, 96) + 1, 8)
        one = rng.random() < 0.25
        corners = tuple(style if not one or i == index % 4 else "square" for i in range(4))
    is_court = rng.random() < (0.22 if len(cells) == 1 else 0.45)
    return Room(index, cells, box, corners, cut, is_court=is_court)  # type: ignore[arg-type]


def _find_links(rng: random.Random, plan: Plan) -> list[Link]:
    """At most two possible openings for each pair of neighbouring rooms, clear of both rooms' corners."""
    owner = {cell: room.index for room in plan.rooms for cell in room.cells}
    found: dict[tuple[int, int], list[Link]] = {}
    for (column, row), one in sorted(owner.items()):
        for axis, cell in (("x", (column + 1, row)), ("y", (column, row + 1))):
            two = owner.get(cell, one)
            if two == one or len(found.get((one, two), [])) >= 2:
                continue
            edges, at = (plan.edges_y, row) if axis == "x" else (plan.edges_x, column)
            sides = ("east", "west") if axis == "x" else ("north", "south")
            spans = [plan.rooms[one].span(sides[0]), plan.rooms[two].span(sides[1])]
            low = max(spans[0][0], spans[1][0], edges[at] + 8)
            high = min(spans[0][1], spans[1][1], edges[at + 1] - 8)
            half = min(rng.choice((MIN_HALF_OPENING, 48, 64, 64, 96)), (high - low) // 2 // 8 * 8)
            if half < MIN_HALF_OPENING - 8:
                continue
            middle = (rng.randrange(low + half, high - half + 1) // 8) * 8
            middle = max(middle, low + half)
            link = Link(one, two, axis, middle - half, middle + half)
            found.setdefault((one, two), []).append(link)
    return [link for links in found.values() for link in links]


def _spanning_tree(rng: random.Random, num_rooms: int, candidates: list[Link]) -> list[Link]:
    group = list(range(num_rooms))
    tree = []
    for link in candidates:
        one, two = group[link.one], group[link.two]
        if one != two:
            group = [one if g == two else g for g in group]
            tree.append(link)
    assert len(set(group)) == 1, "the plan's rooms are not connected"
    return tree


def depth_of(plan: Plan, link: Link) -> tuple[int, int]:
    """Where an opening begins and ends along its axis."""
    sides = ("east", "west") if link.axis == "x" else ("north", "south")
    return plan.rooms[link.one].line(sides[0]), plan.rooms[link.two].line(sides[1])


def _max_steps(plan: Plan, link: Link) -> int:
    begin, end = depth_of(plan, link)
    return min(4, (end - begin) // 24)


def _set_heights(rng: random.Random, plan: Plan, tree: list[Link]) -> None:
    """Floors that the tree's openings can bridge with steps of 16; ceilings by size of room."""
    done = {tree[0].one} if tree else {0}
    while len(done) < len(plan.rooms):
        for link in tree:
            if (link.one in done) == (link.two in done):
                continue
            known, new = (link.one, link.two) if link.one in done else (link.two, link.one)
            reach = 16 * (_max_steps(plan, link) + 1)
            rise = rng.choice([r for r in (0, 0, 8, 16, 24, 32, 48, 64) if r <= reach]) * rng.choice((-1, 1))
            floor = plan.rooms[known].floor + rise
            plan.rooms[new].floor = floor if abs(floor) <= 160 else plan.rooms[known].floor
            done.add(new)
    for room in plan.rooms:
        tall = rng.choice((104, 120, 128, 136, 144, 160, 192)) + 24 * (len(room.cells) - 1)
        room.ceiling = room.floor + (rng.choice((120, 128, 144, 160, 192)) if room.is_court else tall)
