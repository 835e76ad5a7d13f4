"""Building what lies between two rooms: arches with steps, doors and windows."""

from __future__ import annotations

import random

from worlds.doom.layout import Link, Plan, depth_of
from worlds.doom.rooms import Look
from worlds.doom.udmf import Edge, MapBuilder, Point, Sector

DOOR_FACES = ("BIGDOOR2", "BIGDOOR3", "BIGDOOR4", "BIGDOOR5", "BIGDOOR1", "SPCDOOR4", "ZDOORB1")
STEP_FACES = ("STEP1", "STEP4", "STEP5", "STEP6")


def build_link(builder: MapBuilder, rng: random.Random, plan: Plan, link: Link, looks: list[Look]) -> None:
    """The sectors of an opening, one behind another from room `one` to room `two`; the rooms' own edges exist."""
    begin, end = depth_of(plan, link)
    marks = [begin + round((end - begin) * i / link.steps) for i in range(link.steps + 1)]
    look = looks[rng.choice((link.one, link.two))]
    sectors = [builder.add_sector(sector) for sector in _sectors(rng, plan, link, looks)]
    door_face, step_face = rng.choice(DOOR_FACES), rng.choice(STEP_FACES)
    around = [link.one, *sectors, link.two]
    for i, mark in enumerate(marks):
        is_door = link.kind == "door" and i in (1, 2)
        facing = _across(link, mark)
        for index, (start, finish) in ((around[i + 1], facing), (around[i], facing[::-1])):
            existing = builder.edges.get((start, finish))
            if existing is not None:
                existing.step = step_face if link.kind == "arch" else ""
                continue
            edge = Edge(index, door_face if is_door else look.trim, blocking=link.kind == "window", opens_door=is_door)
            edge.step = step_face if link.kind == "arch" else ""
            builder.add_edge(start, finish, edge)
    for index, mark, following in zip(sectors, marks, marks[1:], strict=False):
        (a, b), (c, d) = _across(link, mark), _across(link, following)
        builder.add_edge(b, d, Edge(index, look.trim))
        builder.add_edge(c, a, Edge(index, look.trim))


def _across(link: Link, mark: int) -> tuple[Point, Point]:
    """The line across an opening at `mark`, directed so that what lies further along the axis is on its right."""
    if link.axis == "x":
        return (mark, link.low), (mark, link.high)
    return (link.high, mark), (link.low, mark)


def _sectors(rng: random.Random, plan: Plan, link: Link, looks: list[Look]) -> list[Sector]:
    one, two = plan.rooms[link.one], plan.rooms[link.two]
    roof, top = min(one.ceiling, two.ceiling), max(one.floor, two.floor)
    light = (looks[link.one].sector.light + looks[link.two].sector.light) // 2
    look = looks[rng.choice((link.one, link.two))].sector
    ceiling_flat = look.ceiling_flat if look.ceiling_flat != "F_SKY1" else look.floor_flat
    under_sky = one.is_court and two.is_court and link.kind != "door"
    if under_sky:
        ceiling_flat = "F_SKY1"
    if link.kind == "window":
        sill = top + rng.choice((32, 40, 48))
        head = roof if under_sky else max(min(roof - 8, sill + rng.choice((48, 64, 96))), sill + 24)
        return [Sector(sill, head, look.floor_flat, ceiling_flat, light)]
    head = roof if under_sky else min(roof, top + rng.choice((88, 104, 112, 128, 160)))
    if link.kind == "door":
        closed = Sector(top, top, look.floor_flat, ceiling_flat, light)
        lintel = Sector(top, min(roof, top + 112), look.floor_flat, ceiling_flat, light)
        return [lintel, closed, Sector(**vars(lintel))]
    rise = two.floor - one.floor
    floors = [one.floor + round(rise * (i + 1) / (link.steps + 1)) for i in range(link.steps)]
    return [Sector(floor, head, look.floor_flat, ceiling_flat, light) for floor in floors]
