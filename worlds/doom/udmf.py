"""Doom maps as text: sectors and directed edges in, a UDMF PWAD out. ZDoom builds the nodes itself."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Point = tuple[int, int]

MAX_COORDINATE = 30_000  # the game crashes beyond 32000, and takes Python with it
MAX_STEP = 24  # the highest step that a player walks up, map units
PLAYER_HEIGHT = 56


@dataclass
class Sector:
    """One floor and one ceiling; heights in map units, light 0 to 255."""

    floor: int
    ceiling: int
    floor_flat: str
    ceiling_flat: str
    light: int
    tint: int = 0xFFFFFF


@dataclass
class Edge:
    """One side of a wall: the sector on the right of start -> end, and what that side shows."""

    sector: int
    wall: str
    offset: int = 0
    blocking: bool = False
    bottom_up: bool = False  # hang the texture from the floor instead of the ceiling
    middle: str = "-"  # see-through texture of an opening
    opens_door: bool = False
    step: str = ""  # texture of the face of a step; the wall's where empty


@dataclass
class Thing:
    x: int
    y: int
    type: int
    angle: int = 0


@dataclass
class MapBuilder:
    """Collects a map. A directed edge has its sector on its right; an edge and its reverse make an opening."""

    sectors: list[Sector] = field(default_factory=list)
    edges: dict[tuple[Point, Point], Edge] = field(default_factory=dict)
    things: list[Thing] = field(default_factory=list)

    def add_sector(self, sector: Sector) -> int:
        self.sectors.append(sector)
        return len(self.sectors) - 1

    def add_edge(self, start: Point, end: Point, edge: Edge) -> None:
        """Add one side of a wall. An edge given twice is a bug of the generator."""
        assert start != end and (start, end) not in self.edges, f"edge {start} -> {end} given twice"
        assert all(abs(value) <= MAX_COORDINATE for value in (*start, *end)), f"{start} -> {end} is off the map"
        self.edges[start, end] = edge

    def add_ring(self, points: Sequence[Point], sector: int, wall: str, step: str = "") -> None:
        """Edges of a closed polygon; clockwise (y up) encloses `sector`, anticlockwise has it outside."""
        offset = 0
        for start, end in zip(points, [*points[1:], points[0]], strict=True):
            self.add_edge(start, end, Edge(sector, wall, offset=offset, step=step))
            offset += round(((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5)

    def barriers(self) -> list[tuple[Point, Point]]:
        """Segments that a walking player cannot cross (doors count as open)."""
        found = []
        for (start, end), edge in self.edges.items():
            other = self.edges.get((end, start))
            if other is None or edge.blocking or other.blocking:
                found.append((start, end))
                continue
            if edge.opens_door or other.opens_door:
                continue
            one, two = self.sectors[edge.sector], self.sectors[other.sector]
            gap = min(one.ceiling, two.ceiling) - max(one.floor, two.floor)
            if abs(one.floor - two.floor) > MAX_STEP or gap < PLAYER_HEIGHT:
                found.append((start, end))
        return found

    def _comes_first(self, one: tuple[Point, Point], two: tuple[Point, Point]) -> bool:
        """Whether edge `one` is the front of the line that it makes with `two`, its reverse."""
        sectors = [self.sectors[self.edges[edge].sector] for edge in (one, two)]
        shut = [sector.ceiling == sector.floor for sector in sectors]
        return shut[1] if shut[0] != shut[1] else one < two  # a door is used from the front

    def textmap(self) -> str:
        """The map as a TEXTMAP lump."""
        vertices: dict[Point, int] = {}
        lines: list[str] = []
        sides: list[str] = []
        for (start, end), edge in self.edges.items():
            other = self.edges.get((end, start))
            if other is not None and self._comes_first((end, start), (start, end)):
                continue  # written from the other side
            v1, v2 = (vertices.setdefault(point, len(vertices)) for point in (start, end))
            settings: dict[str, object] = {"v1": v1, "v2": v2, "sidefront": len(sides)}
            sides.append(_side(edge, two_sided=other is not None))
            if other is None:
                settings |= {"blocking": True, "dontpegbottom": edge.bottom_up}
            else:
                settings |= {"sideback": len(sides), "twosided": True}
                sides.append(_side(other, two_sided=True))
                door = edge.opens_door or other.opens_door
                settings |= {"blocking": edge.blocking or other.blocking, "dontpegtop": not door}
                if door:
                    settings |= {"special": 11, "arg0": 0, "arg1": 32, "playeruse": True}
            lines.append(_block("linedef", settings))
        spots = [_block("vertex", {"x": float(x), "y": float(y)}) for x, y in vertices]
        floors = [_block("sector", _sector(sector)) for sector in self.sectors]
        things = [_block("thing", _thing(thing)) for thing in self.things]
        return "\n".join(['namespace = "zdoom";', *things, *spots, *lines, *sides, *floors, ""])


def _side(edge: Edge, two_sided: bool) -> str:
    settings: dict[str, object] = {"sector": edge.sector, "offsetx": edge.offset}
    if two_sided:
        settings |= {"texturetop": edge.wall, "texturebottom": edge.step or edge.wall}
        if edge.middle != "-":
            settings["texturemiddle"] = edge.middle
    else:
        settings["texturemiddle"] = edge.wall
    return _block("sidedef", settings)


def _sector(sector: Sector) -> dict[str, object]:
    return {
        "heightfloor": sector.floor,
        "heightceiling": sector.ceiling,
        "texturefloor": sector.floor_flat,
        "textureceiling": sector.ceiling_flat,
        "lightlevel": sector.light,
        "lightcolor": sector.tint,
    }


def _thing(thing: Thing) -> dict[str, object]:
    always = {f"skill{level}": True for level in range(1, 6)} | {"single": True, "coop": True, "dm": True}
    return {"x": float(thing.x), "y": float(thing.y), "angle": thing.angle, "type": thing.type, **always}


def _block(kind: str, settings: dict[str, object]) -> str:
    body = "".join(f"{key}={_value(value)};" for key, value in settings.items() if value is not False)
    return f"{kind}{{{body}}}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def map_names(wad: Path) -> list[str]:
    """Names of the maps in a WAD file, in order; none if it is not a WAD.

    Raises OSError, or struct.error if the file is cut short.
    """
    with wad.open("rb") as file:
        kind, count, directory = struct.unpack("<4sii", file.read(12))
        if kind not in (b"PWAD", b"IWAD"):
            return []
        file.seek(directory)
        names = [struct.unpack("<ii8s", file.read(16))[2].rstrip(b"\0").decode("latin-1") for _ in range(count)]
    return [name for name, after in zip(names, names[1:], strict=False) if after in ("THINGS", "TEXTMAP")]


def pwad(lumps: Iterable[tuple[str, bytes]]) -> bytes:
    """A patch WAD of named lumps, in order."""
    data, directory, count = b"", b"", 0
    for name, content in lumps:
        directory += struct.pack("<ii8s", 12 + len(data), len(content), name.encode())
        data += content
        count += 1
    return struct.pack("<4sii", b"PWAD", count, 12 + len(data)) + data + directory
