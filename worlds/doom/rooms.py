"""Building one room: its walls with panels and alcoves, and how it looks."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from worlds.doom import details
from worlds.doom.layout import SIDES, Plan, Room
from worlds.doom.themes import Theme
from worlds.doom.udmf import Edge, MapBuilder, Point, Sector

PICTURE_HEIGHT = 128  # of most textures; a wall that is higher would show a picture twice
DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # of travel along west, north, east, south


@dataclass
class Look:
    """How one room looks: a draw from its theme."""

    theme: Theme
    wall: str
    accent: str  # the wall of one side
    accent_side: int
    trim: str
    sector: Sector
    panels: list[tuple[str, int]]


def choose_look(rng: random.Random, theme: Theme, room: Room, picture: tuple[str, int]) -> Look:
    wall = rng.choice(theme.walls)
    accent = rng.choice(theme.walls) if rng.random() < 0.5 else wall
    light = rng.choice((224, 240, 255)) if room.is_court else rng.choice((184, 200, 216, 232, 240, 255))
    ceiling = "F_SKY1" if room.is_court else rng.choice(theme.ceilings)
    tint = 0xFFFFFF if room.is_court else rng.choice(details.TINTS)
    sector = Sector(room.floor, room.ceiling, rng.choice(theme.floors), ceiling, light, tint)
    panels = [picture, *rng.sample(theme.panels, min(3, len(theme.panels)))]
    return Look(theme, wall, accent, rng.randrange(4), rng.choice(theme.trims), sector, panels)


def build_walls(builder: MapBuilder, rng: random.Random, plan: Plan, room: Room, look: Look, index: int) -> None:
    """The room's outline, clockwise; openings are left to the sectors behind them to close."""
    offset = 0
    for side_number, side in enumerate(SIDES):
        texture = look.accent if side_number == look.accent_side else look.wall
        cuts = _openings(plan, room, side)
        points = _side_points(room, side_number, cuts)
        for (start, end), is_opening in points:
            length = math.dist(start, end)
            panel = None if is_opening or length < 96 or rng.random() > 0.8 else _fitting(rng, look, length)
            if is_opening or panel is None:
                builder.add_edge(start, end, Edge(index, texture, offset=offset))
            else:
                _add_panel(builder, rng, start, end, index, texture, offset, panel, look)
            offset += round(length)
        for start, end in _corner_edges(room, side_number):
            builder.add_edge(start, end, Edge(index, look.wall, offset=offset))
            offset += round(math.dist(start, end))


def _openings(plan: Plan, room: Room, side: str) -> list[tuple[int, int]]:
    """Extents of the openings in one side, sorted low to high."""
    found = []
    for link in plan.links_of(room.index):
        sides = ("east", "west") if link.axis == "x" else ("north", "south")
        if (link.one == room.index and side == sides[0]) or (link.two == room.index and side == sides[1]):
            found.append((link.low, link.high))
    return sorted(found)


def _side_points(room: Room, side_number: int, cuts: list[tuple[int, int]]) -> list[tuple[tuple[Point, Point], bool]]:
    """A side as edges in the direction of travel, each with whether it is an opening."""
    side = SIDES[side_number]
    line = room.line(side)
    x0, y0, x1, y1 = room.box
    low, high = (y0, y1) if side in ("west", "east") else (x0, x1)
    # Corners come NW, NE, SE, SW: a side's walk ends at the corner of its own number and starts at the one before.
    start_cut = room.cut if room.corners[side_number - 1] != "square" else 0
    end_cut = room.cut if room.corners[side_number] != "square" else 0
    forward = side in ("west", "north")
    low, high = (low + start_cut, high - end_cut) if forward else (low + end_cut, high - start_cut)
    marks = [low, *(value for cut in cuts for value in cut), high]
    spans = [(a, b, i % 2 == 1) for i, (a, b) in enumerate(zip(marks, marks[1:], strict=False)) if a < b]
    place = (lambda v: (line, v)) if side in ("west", "east") else (lambda v: (v, line))
    edges = [((place(a), place(b)), opening) for a, b, opening in spans]
    return edges if forward else [((b, a), opening) for (a, b), opening in reversed(edges)]


def _corner_edges(room: Room, side_number: int) -> list[tuple[Point, Point]]:
    """The edges of the corner that ends a side."""
    style = room.corners[side_number]
    if style == "square":
        return []
    x0, y0, x1, y1 = room.box
    corner = ((x0, y1), (x1, y1), (x1, y0), (x0, y0))[side_number]
    into, out = DIRECTIONS[side_number], DIRECTIONS[(side_number + 1) % 4]

    def at(back: float, along: float) -> Point:
        return (
            round(corner[0] - back * into[0] + along * out[0]),
            round(corner[1] - back * into[1] + along * out[1]),
        )

    cut = room.cut
    if style == "chamfer":
        points = [at(cut, 0), at(0, cut)]
    elif style == "notch":
        points = [at(cut, 0), at(cut, cut), at(0, cut)]
    else:
        turns = [math.radians(angle) for angle in (0, 30, 60, 90)]
        points = [at(cut * (1 - math.sin(turn)), cut * (1 - math.cos(turn))) for turn in turns]
    return list(zip(points, points[1:], strict=False))


def _fitting(rng: random.Random, look: Look, length: float) -> tuple[str, int] | None:
    fitting = [panel for panel in look.panels if panel[1] + 16 <= length]
    if not fitting:
        return None
    panel = fitting[0] if fitting[0] is look.panels[0] else rng.choice(fitting)
    if len(look.panels) > 1:
        look.panels.remove(panel)
    return panel


def _add_panel(
    builder: MapBuilder, rng: random.Random, start: Point, end: Point, sector: int, wall: str, offset: int,
    panel: tuple[str, int], look: Look,
) -> None:  # fmt: skip
    """A wall with a landmark in its middle: a picture flush with it, or set into a lit alcove."""
    name, width = panel
    length = math.dist(start, end)
    toward = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    outward = (-toward[1], toward[0])  # the rock is on the left
    first = round((length - width) / 2 / 8) * 8
    spots = [(round(start[0] + toward[0] * d), round(start[1] + toward[1] * d)) for d in (first, first + width)]
    builder.add_edge(start, spots[0], Edge(sector, wall, offset=offset))
    height = builder.sectors[sector].ceiling - builder.sectors[sector].floor
    if height <= PICTURE_HEIGHT + 8 and rng.random() < 0.5:
        builder.add_edge(spots[0], spots[1], Edge(sector, name, bottom_up=True))
    else:
        deep = [(round(x + outward[0] * 16), round(y + outward[1] * 16)) for x, y in spots]
        room = builder.sectors[sector]
        niche = replace(
            room,
            ceiling=min(room.ceiling, room.floor + PICTURE_HEIGHT),
            light=min(255, room.light + 40),
            ceiling_flat=look.theme.ceilings[0],
        )
        inside = builder.add_sector(niche)
        builder.add_edge(spots[0], spots[1], Edge(sector, wall, offset=offset + first))
        builder.add_edge(spots[1], spots[0], Edge(inside, wall))
        builder.add_edge(spots[0], deep[0], Edge(inside, look.trim))
        builder.add_edge(deep[0], deep[1], Edge(inside, name, bottom_up=True))
        builder.add_edge(deep[1], spots[1], Edge(inside, look.trim))
    builder.add_edge(spots[1], end, Edge(sector, wall, offset=offset + first + width))
