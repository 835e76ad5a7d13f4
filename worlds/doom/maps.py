"""A Doom map from a seed: the same seed and flavour give the same map, byte for byte."""

from __future__ import annotations

import random
from dataclasses import dataclass

from engine.errors import WorldError
from worlds.doom import details, themes, things
from worlds.doom.furniture import Furnisher
from worlds.doom.layout import Plan, plan_map
from worlds.doom.openings import build_link
from worlds.doom.rooms import Look, build_walls, choose_look
from worlds.doom.udmf import MapBuilder, Thing, pwad
from worlds.doom.walkways import Walkways, build_walkways

FLAVOURS = ("static", "animated", "monsters")
MAP_NAME = "MAP01"


@dataclass(frozen=True)
class DoomMap:
    """A generated map: what the game reads, and what a scripted player may know of it."""

    seed: int
    flavour: str
    plan: Plan
    builder: MapBuilder
    walkways: Walkways
    sky: str

    def wad(self, calm: bool = False) -> bytes:
        """The map as a PWAD with its sky; calm: monsters stand still and never attack, but can be shot."""
        info = f'map {MAP_NAME} "generated" {{ sky1 = "{self.sky}" }}\n'
        lumps = [("MAPINFO", info), *([("DECORATE", things.CALM)] if calm else [])]
        lumps += [(MAP_NAME, ""), ("TEXTMAP", self.builder.textmap()), ("ENDMAP", "")]
        return pwad([(name, content.encode()) for name, content in lumps])


def generate(seed: int, flavour: str = "static") -> DoomMap:
    """The map of `seed`.

    static: same pose, same pixels; animated: torches, doors, pick-ups; monsters: those and monsters.
    Raises WorldError for an unknown flavour or a seed that is not a whole number from 0 on.
    """
    if flavour not in FLAVOURS:
        raise WorldError(f"there is no flavour {flavour!r} (flavours: {', '.join(FLAVOURS)})")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
        raise WorldError(f"a map's seed is a whole number from 0 to {2**31 - 1}, not {seed!r}")
    for with_furniture in (True, True, True, False):
        rng = random.Random(f"{flavour}/{seed}/{with_furniture}")
        for attempt in range(3 if with_furniture else 1):
            found = _build(rng, seed, flavour, with_furniture)
            if found is not None:
                return found
            rng = random.Random(f"{flavour}/{seed}/{with_furniture}/{attempt}")
    raise AssertionError(f"the map of seed {seed} is not walkable even without furniture")


def _build(rng: random.Random, seed: int, flavour: str, with_furniture: bool) -> DoomMap | None:
    """One try; None if some opening cannot be reached on foot."""
    plan = plan_map(rng, rng.randrange(6, 10), rng.randrange(6, 10), with_doors=flavour != "static")
    builder = MapBuilder()
    looks = _choose_looks(rng, plan, flavour)
    for room, look in zip(plan.rooms, looks, strict=True):
        assert builder.add_sector(look.sector) == room.index  # rooms come first, so that a room's index is its sector's
    for room, look in zip(plan.rooms, looks, strict=True):
        build_walls(builder, rng, plan, room, look, room.index)
    for link in plan.links:
        build_link(builder, rng, plan, link, looks)
    if with_furniture:
        for room, look in zip(plan.rooms, looks, strict=True):
            Furnisher(builder, rng, plan, room, look, flavour).furnish()
    walkways = build_walkways(plan, builder)
    if walkways is None:
        return None
    x, y = walkways.points[walkways.rooms[rng.randrange(len(plan.rooms))][0]]
    builder.things.append(Thing(round(x), round(y), things.PLAYER_START, rng.randrange(0, 360, 45)))
    if flavour == "monsters":
        _add_monsters(rng, builder, walkways)
    return DoomMap(seed, flavour, plan, builder, walkways, rng.choice(details.SKIES))


def _choose_looks(rng: random.Random, plan: Plan, flavour: str) -> list[Look]:
    """A look for each room; no theme or picture comes again before all have been used."""
    looks = []
    for room in plan.rooms:
        if room.index % len(themes.THEMES) == 0:
            order = rng.sample(themes.THEMES, len(themes.THEMES))
        if room.index % len(details.PICTURES) == 0:
            pictures = rng.sample(details.PICTURES, len(details.PICTURES))
        picture = pictures[room.index % len(pictures)]
        if flavour != "static" and rng.random() < 0.3:
            picture = (rng.choice(details.ANIMATED_WALLS), 64)
        looks.append(choose_look(rng, order[room.index % len(order)], room, picture))
    return looks


def _add_monsters(rng: random.Random, builder: MapBuilder, walkways: Walkways) -> None:
    """One or two in most rooms, never where the player starts."""
    start = builder.things[-1]
    for nodes in walkways.rooms:
        for node in rng.sample(nodes, min(len(nodes), rng.choice((0, 1, 1, 2)))):
            x, y = walkways.points[node]
            if abs(x - start.x) + abs(y - start.y) > 400:
                builder.things.append(Thing(round(x), round(y), rng.choice(things.MONSTERS), rng.randrange(0, 360, 45)))
