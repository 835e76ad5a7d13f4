"""Doom: generated maps played by the real game, and players that walk them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import WorldError


def make_env(
    seed: int = 0, flavour: str = "static", wad: str | Path | None = None, map: str | None = None
) -> Any:  # fmt: skip
    """The real game on the generated map of `seed`, or on `map` of a WAD file (of Freedoom 2 without one)."""
    from worlds.doom.game import DoomEnv

    return DoomEnv(seed=seed, flavour=flavour, wad=wad, map=map)


def make_player(env: Any, seed: int, tour: str, gap: int = 64) -> Any:
    """A scripted player of a generated map; tours are in worlds.doom.tours."""
    from worlds.doom.tours import Player

    if env.map is None:
        raise WorldError("scripted players need a generated map: leave out wad and map")
    return Player(env.map.walkways, seed, tour, gap)
