"""Worlds: the real games that footage comes from, and the players that walk them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from engine import world as definitions
from engine.action import Action
from engine.errors import WorldError

if TYPE_CHECKING:
    import gymnasium

SPLITS = {"train": (0, 1_000_000), "validate": (1_000_000, 2_000_000), "test": (2_000_000, 2**31)}


class Player(Protocol):
    """Plays an environment from its poses. marks: what is worth knowing of the episode afterwards."""

    marks: dict[str, Any]

    def act(self, pose: tuple[float, float, float, float]) -> Action:
        """The action that follows the frame seen from `pose`."""
        ...


def make_env(name: str, **settings: Any) -> gymnasium.Env:
    """The real game of a world as a Gymnasium environment.

    Settings are the game's own (doom: seed, flavour, wad, map, depth). Raises WorldError for an unknown world, a
    setting the game refuses, or a game that is not installed.
    """
    return _part(name, "make_env")(**settings)


def map_names(name: str, wad: str | None, maps: str = "") -> list[str]:
    """The maps of a file that `maps` names, with commas between, or all of them where it names none.

    Raises WorldError for a world without such files, a file that cannot be read, or a map that it lacks.
    """
    return _part(name, "map_names")(wad, [part.strip() for part in maps.split(",") if part.strip()])


def footage_settings(name: str) -> dict[str, Any]:
    """What `make_env` takes on top where footage is recorded: the game then tells what only training asks for."""
    _part(name, "make_env")
    return dict(getattr(importlib.import_module(f"worlds.{name}"), "FOOTAGE", {}))


def make_player(name: str, env: gymnasium.Env, seed: int, tour: str, gap: int = 64) -> Player:
    """A scripted player for an environment of this world. Raises WorldError for an unknown tour."""
    return _part(name, "make_player")(env, seed=seed, tour=tour, gap=gap)


def make_wanderer(name: str, seed: int) -> Player:
    """A scripted player that goes by the poses it has been at alone, in places that no game knows too: tour `wander`.

    Raises WorldError for a world that has none.
    """
    return _part(name, "wanderer")(seed)


def split_of(seed: int) -> str:
    """Which split a map seed belongs to: train, validate or test. Raises WorldError for a seed of none."""
    for split, (first, end) in SPLITS.items():
        if first <= seed < end:
            return split
    raise WorldError(f"a map's seed is a whole number from 0 to {2**31 - 1}, not {seed!r}")


def start_scenes(name: str) -> list[tuple[dict[str, Any], str, int]]:
    """The scenes in which play may begin: (settings of make_env, tour, number of the frame to begin from) each."""
    return _part(name, "start_scenes")()


def first_seed(split: str) -> int:
    """The first map seed of a split. Raises WorldError for an unknown split."""
    if split not in SPLITS:
        raise WorldError(f"there is no split {split!r} (splits: {', '.join(SPLITS)})")
    return SPLITS[split][0]


def check_split(seed: int, split: str) -> None:
    """Raise WorldError unless `seed` belongs to `split`, so that no map is both trained on and tested on."""
    first = first_seed(split)
    if split_of(seed) != split:
        raise WorldError(f"seed {seed} belongs to {split_of(seed)}: {split} takes {first} to {SPLITS[split][1] - 1}")


def _part(name: str, part: str) -> Callable[..., Any]:
    if name not in definitions.names():
        definitions.load(name)  # says which name was meant
        raise WorldError(f"world {name!r} is a definition alone: no game comes with it")
    module = importlib.import_module(f"worlds.{name}")
    if not hasattr(module, part):
        raise WorldError(f"the game of world {name!r} has no {part.replace('_', ' ')}")
    return getattr(module, part)
