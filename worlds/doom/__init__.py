"""Doom: generated maps played by the real game, and players that walk them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worlds.doom.deeds import DEEDS, Doer
from worlds.doom.game import DoomEnv, all_maps, find_map
from worlds.doom.loops import LOOPS, Rounder
from worlds.doom.player import ScriptedPlayer
from worlds.doom.tours import Player
from worlds.doom.wanderer import WANDER, Wanderer

# Seed of a validation map, and the frame of its `explore` tour from which play begins: chosen by eye.
SCENES = (
    (1_000_011, 160), (1_000_012, 256), (1_000_004, 254), (1_000_046, 382), (1_000_047, 150), (1_000_014, 228),
    (1_000_024, 180), (1_000_023, 148), (1_000_013, 52), (1_000_021, 328), (1_000_015, 376), (1_000_022, 160),
)  # fmt: skip


FOOTAGE = {"depth": True}  # settings of make_env with which footage is recorded


def make_env(
    seed: int = 0, flavour: str = "static", wad: str | Path | None = None, map: str | None = None, depth: bool = False,
    calm: bool = False,
) -> DoomEnv:  # fmt: skip
    """The real game on the generated map of `seed`, or on `map` of a WAD file.

    wad: a path, or "freedoom2", which comes with ViZDoom, as does "freedoom1"; with a map and no WAD it is the former.
    calm: monsters stand still and never attack.
    """
    return DoomEnv(seed=seed, flavour=flavour, wad=wad, map=map, depth=depth, calm=calm)


def map_names(wad: str | None, maps: list[str]) -> list[str]:
    """Those of `maps` as the WAD file spells them, or all of its maps."""
    return [find_map(wad, name)[1] for name in maps] if maps else all_maps(wad)[1]


def make_player(env: DoomEnv, seed: int, tour: str, gap: int = 64) -> ScriptedPlayer:
    """A scripted player: of a generated map by its walkways (worlds.doom.tours, .deeds, .loops), of any other by
    trying. `wander`: by trying anywhere."""
    if tour in DEEDS and env.map is not None:
        return Doer(env.map, seed, tour, gap)
    if tour in LOOPS and env.map is not None:
        return Rounder(env.map.walkways, seed, tour, gap)
    if env.map is None or tour == WANDER:
        return Wanderer(seed, tour, gap)
    return Player(env.map.walkways, seed, tour, gap)


def wanderer(seed: int) -> Wanderer:
    """The player of the tour `wander`: it needs no map."""
    return Wanderer(seed, WANDER)


def start_scenes() -> list[tuple[dict[str, Any], str, int]]:
    """Where play begins: settings of make_env, the tour that leads there, and its frame."""
    return [({"seed": seed, "flavour": "static"}, "explore", frame) for seed, frame in SCENES]
