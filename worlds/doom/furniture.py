"""What stands in a room: daises, pools, pillars, crates, skylights, lamps and things, none in the way of a walker."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from worlds.doom import details, themes, things
from worlds.doom.layout import Link, Plan, Room
from worlds.doom.rooms import Look
from worlds.doom.udmf import MapBuilder, Point, Sector, Thing

Box = tuple[int, int, int, int]  # x0, y0, x1, y1

WALL_GAP = 16  # least distance of furniture from a wall
LANE = 80  # how far in front of an opening solid things leave the floor free


@dataclass
class Furnisher:
    """Places furniture in one room and remembers what is taken."""

    builder: MapBuilder
    rng: random.Random
    plan: Plan
    room: Room
    look: Look
    flavour: str

    def __post_init__(self) -> None:
        self.taken: list[Box] = []
        self.lanes = [self._lane(link) for link in self.plan.links_of(self.room.index) if link.kind != "window"]

    def furnish(self) -> None:
        """Put one group of things into each cell of the room, then things along the walls."""
        deeds: list[tuple[Callable[[int, int], None], float]] = [
            (self.dais, 0.18), (self.pool, 0.14), (self.pillar, 0.16), (self.four_pillars, 0.14),
            (self.carpet, 0.12), (self.lamp, 0.14), (self.skylight, 0.1), (self.crates, 0.12),
        ]  # fmt: skip
        for column, row in self.room.cells:
            x0, x1 = self.plan.edges_x[column : column + 2]
            y0, y1 = self.plan.edges_y[row : row + 2]
            centre = ((x0 + x1) // 16 * 8, (y0 + y1) // 16 * 8)
            self.rng.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0](*centre)
            if self.rng.random() < 0.5:
                self.crates(*centre)
        self.props()

    def _lane(self, link: Link) -> Box:
        """The rectangle just inside an opening."""
        x0, y0, x1, y1 = self.room.box
        low, high, is_one = link.low - 8, link.high + 8, link.one == self.room.index
        if link.axis == "x":
            return (x1 - LANE, low, x1, high) if is_one else (x0, low, x0 + LANE, high)
        return (low, y1 - LANE, high, y1) if is_one else (low, y0, high, y0 + LANE)

    def _claim(self, box: Box, solid: bool, gap: int = 0) -> bool:
        """Take a rectangle if it is free, inside the room's walls and (if solid) out of the ways in."""
        x0, y0, x1, y1 = self.room.box
        margin = WALL_GAP + (self.room.cut if self._near_corner(box) else 0)
        if box[0] < x0 + margin or box[1] < y0 + margin or box[2] > x1 - margin or box[3] > y1 - margin:
            return False
        wide = (box[0] - gap, box[1] - gap, box[2] + gap, box[3] + gap)
        if any(_overlap(wide, other) for other in self.taken) or (
            solid and any(_overlap(box, lane) for lane in self.lanes)
        ):
            return False
        self.taken.append(box)
        return True

    def _near_corner(self, box: Box) -> bool:
        x0, y0, x1, y1 = self.room.box
        reach = self.room.cut + WALL_GAP
        beside_x = box[0] < x0 + reach or box[2] > x1 - reach
        beside_y = box[1] < y0 + reach or box[3] > y1 - reach
        return beside_x and beside_y

    def _inner(self, box: Box, outer: int, sector: Sector, wall: str, step: str, cut: int = 0) -> int:
        """A sector inside another: its edges and the reverse ones around it."""
        index = self.builder.add_sector(sector)
        ring = ring_of(box, cut)
        self.builder.add_ring(ring, index, wall, step)
        self.builder.add_ring(ring[::-1], outer, wall, step)
        return index

    def _around(self, x: int, y: int, half: int) -> Box:
        return x - half, y - half, x + half, y + half

    def dais(self, x: int, y: int) -> None:
        """One or two steps up to a platform, often with something on top."""
        half = self.rng.choice((48, 64, 80, 96))
        if not self._claim(self._around(x, y, half), solid=False):
            return
        cut, rise = self.rng.choice((0, 16, 24)), self.rng.choice((8, 12, 16))
        sector = replace(
            self.look.sector, floor=self.room.floor + rise, floor_flat=self.rng.choice(self.look.theme.floors)
        )
        step = self.rng.choice(("STEP1", "STEP4", "STEP6", "STEP2"))
        index = self._inner(self._around(x, y, half), self.room.index, sector, self.look.trim, step, cut)
        if half < 64:
            return
        upper = replace(sector, floor=sector.floor + rise, floor_flat=self.rng.choice(self.look.theme.floors))
        if self.rng.random() < 0.5:
            upper = replace(upper, floor=self.room.floor + self.rng.choice((56, 72, 96)))
            self._inner(self._around(x, y, 24), index, upper, self.rng.choice(self.look.theme.pillars), "")
        else:
            self._inner(self._around(x, y, half - 24), index, upper, self.look.trim, step, cut // 2)

    def pool(self, x: int, y: int) -> None:
        """A sunken floor of another stuff, shallow enough to walk through."""
        half = self.rng.choice((48, 64, 80, 96, 112))
        if not self._claim(self._around(x, y, half), solid=False):
            return
        flats = details.ANIMATED_POOLS if self.flavour != "static" else self.look.theme.pools
        sector = replace(
            self.look.sector, floor=self.room.floor - self.rng.choice((8, 16, 24)), floor_flat=self.rng.choice(flats)
        )
        self._inner(self._around(x, y, half), self.room.index, sector, self.look.trim, "", self.rng.choice((0, 16, 32)))

    def carpet(self, x: int, y: int) -> None:
        """Another floor, level with the room's."""
        half = self.rng.choice((64, 80, 96, 112))
        if self._claim(self._around(x, y, half), solid=False):
            flat = self.rng.choice(self.rng.choice(themes.THEMES).floors)
            self._inner(
                self._around(x, y, half),
                self.room.index,
                replace(self.look.sector, floor_flat=flat),
                self.look.wall,
                "",
            )

    def lamp(self, x: int, y: int) -> None:
        """A lit panel in the ceiling, brighter below; in a court, a lit panel in the floor."""
        half = self.rng.choice((32, 32, 64, 96))
        if not self._claim(self._around(x, y, half), solid=False):
            return
        flat, light = self.rng.choice(details.LIGHT_FLATS), min(255, self.look.sector.light + 48)
        sector = replace(self.look.sector, light=light)
        if self.room.is_court:
            sector = replace(sector, floor_flat=flat)
        else:
            sector = replace(sector, ceiling_flat=flat, ceiling=self.room.ceiling - self.rng.choice((-16, 0, 8, 16)))
        self._inner(self._around(x, y, half), self.room.index, sector, self.look.trim, "")

    def skylight(self, x: int, y: int) -> None:
        """A hole in the ceiling, open to the sky."""
        half = self.rng.choice((48, 64, 80, 96))
        if self.room.is_court or not self._claim(self._around(x, y, half), solid=False):
            return
        sector = replace(
            self.look.sector, ceiling=self.room.ceiling + 48, ceiling_flat="F_SKY1", light=255, tint=0xFFFFFF
        )
        if self.rng.random() < 0.5:
            sector = replace(sector, floor_flat=self.rng.choice(("GRASS1", "RROCK20", "FLAT10", "MFLR8_3")))
        self._inner(self._around(x, y, half), self.room.index, sector, self.look.wall, "", self.rng.choice((0, 24)))

    def pillar(self, x: int, y: int, half: int | None = None) -> None:
        """A column from floor to ceiling."""
        half = half or self.rng.choice((16, 24, 32, 40))
        if self._claim(self._around(x, y, half), solid=True, gap=44):
            ring = ring_of(self._around(x, y, half), self.rng.choice((0, half // 2)))
            self.builder.add_ring(ring[::-1], self.room.index, self.rng.choice(self.look.theme.pillars))

    def four_pillars(self, x: int, y: int) -> None:
        distance = self.rng.choice((64, 80, 96, 112))
        half = self.rng.choice((8, 12, 16, 20))
        for sign_x, sign_y in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
            self.pillar(x + sign_x * distance, y + sign_y * distance, half)

    def crates(self, x: int, y: int) -> None:
        """One to three boxes beside the middle."""
        for _ in range(self.rng.choice((1, 2, 3))):
            half = self.rng.choice((16, 32, 32))
            at = (
                x + self.rng.choice((-1, 1)) * self.rng.randrange(64, 145, 8),
                y + self.rng.choice((-1, 1)) * self.rng.randrange(64, 145, 8),
            )
            height = self.rng.choice((32, 64, 64, 96))
            if self.room.floor + height + 16 <= self.room.ceiling and self._claim(
                self._around(*at, half), solid=True, gap=44
            ):
                top = replace(
                    self.look.sector, floor=self.room.floor + height, floor_flat=self.rng.choice(details.CRATE_TOPS)
                )
                face = self.rng.choice(details.CRATES)
                self._inner(self._around(*at, half), self.room.index, top, face, "")

    def props(self) -> None:
        """Things near the walls and corners, and (in animated maps) torches and pick-ups."""
        x0, y0, x1, y1 = self.room.box
        count = self.rng.choice((1, 2, 2, 3, 4)) * min(2, len(self.room.cells))
        solid = self.look.theme.props
        if self.flavour != "static":
            solid = (*solid, *self.rng.sample(things.TORCHES, 3))
        kind = self.rng.choice(solid)
        for _ in range(count):
            inset = self.rng.choice((36, 48, 64)) + self.room.cut // 2
            if x1 - x0 <= 2 * inset or y1 - y0 <= 2 * inset:
                continue
            x = self.rng.choice((x0 + inset, x1 - inset, self.rng.randrange(x0 + inset, x1 - inset)))
            y = self.rng.choice((y0 + inset, y1 - inset))
            radius = things.radius(kind)
            if self._claim(self._around(x, y, radius), solid=True, gap=44):
                self.builder.things.append(Thing(x, y, kind))
            if self.rng.random() < 0.3:
                kind = self.rng.choice(solid)
        loose = self.look.theme.scatter if self.flavour == "static" else (*self.look.theme.scatter, *things.PICKUPS)
        for _ in range(self.rng.choice((0, 1, 2)) if loose else 0):
            x, y = self.rng.randrange(x0 + 48, x1 - 48), self.rng.randrange(y0 + 48, y1 - 48)
            if self._claim(self._around(x, y, 8), solid=False, gap=8):
                self.builder.things.append(Thing(x, y, self.rng.choice(loose)))


def ring_of(box: Box, cut: int = 0) -> list[Point]:
    """A rectangle's corners, clockwise, each cut off by `cut`."""
    x0, y0, x1, y1 = box
    if not cut:
        return [(x0, y0), (x0, y1), (x1, y1), (x1, y0)]
    return [
        (x0, y0 + cut), (x0, y1 - cut), (x0 + cut, y1), (x1 - cut, y1),
        (x1, y1 - cut), (x1, y0 + cut), (x1 - cut, y0), (x0 + cut, y0),
    ]  # fmt: skip


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
