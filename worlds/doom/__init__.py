"""Doom: generated maps played by the real game, and players that walk them."""

from __future__ import annotations

from pathlib import Path

from engine.errors import WorldError
from worlds.doom.game import DoomEnv
from worlds.doom.tours import Player


def make_env(
    seed: int = 0, flavour: str = "static", wad: str | Path | None = None, map: str | None = None
) -> DoomEnv:
    """The real game on the generated map of `seed`, or on `map` of a WAD file (of Freedoom 2 without one)."""
    return DoomEnv(seed=seed, flavour=flavour, wad=wad, map=map)


def make_player(env: DoomEnv, seed: int, tour: str, gap: int = 64) -> Player:
    """A scripted player of a generated map; tours are in worlds.doom.tours."""
    if env.map is None:
        raise WorldError("scripted players need a generated map: leave out wad and map")
    return Player(env.map.walkways, seed, tour, gap)
