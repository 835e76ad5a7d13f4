"""The worlds that can be played here: those that are shipped, games of one's own, and other weights for either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import world as definitions
from engine.data.starts import num_starts
from engine.errors import WorldError
from engine.world import World

TRAINED = ("checkpoint/manifest.json", "manifest.json")  # in a folder of `games`, once there are weights in it


@dataclass(frozen=True)
class Shelved:
    """A world with start scenes to begin in."""

    name: str  # what Engine.load takes: a world's name, or a folder
    world: World
    title: str  # the world's; with the folder's name where that holds other weights alone
    place: Path  # what it is one of a kind by


def shelved(name: str) -> Shelved | None:
    """The world of a name or a folder; None if it brings no definition or no start scenes."""
    trained_for = _trained_for(Path(name))
    try:
        world = definitions.load(trained_for or name)
    except WorldError:
        return None
    if not num_starts(world):
        return None
    place = Path(name if trained_for else world.folder).absolute()
    return Shelved(name, world, f"{world.title}, {place.name}" if trained_for else world.title, place)


def shelf(games: Path, first: Shelved) -> list[Shelved]:
    """`first`, then the other shipped worlds, then what was trained in the folders in `games`, by name."""
    return [first, *(one for one in _all(games) if one.place != first.place)]


def _trained_for(folder: Path) -> str | None:
    """The shipped world that the checkpoint in a folder is for, where it brings no definition along."""
    if (folder / "world.yaml").is_file():
        return None
    for file in TRAINED:
        try:
            told = json.loads((folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        world = told.get("world") if isinstance(told, dict) else None
        return world if world in definitions.names() else None
    return None


def _all(games: Path) -> Iterator[Shelved]:
    folders = sorted(path for path in games.absolute().glob("*") if any((path / file).is_file() for file in TRAINED))
    for name in (*definitions.names(), *map(str, folders)):
        if found := shelved(name):
            yield found
