"""The worlds that can be played here: those that are shipped, and games of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import world as definitions
from engine.data.starts import num_starts
from engine.errors import WorldError
from engine.world import World

TRAINED = ("checkpoint/manifest.json", "manifest.json")  # in a game's folder, once there are weights for it


@dataclass(frozen=True)
class Shelved:
    """A world with start scenes to begin in."""

    name: str  # what Engine.load takes: a world's name, or a folder
    world: World


def shelved(name: str) -> Shelved | None:
    """The world of a name or a folder; None if it brings no definition or no start scenes."""
    try:
        world = definitions.load(name)
    except WorldError:
        return None
    return Shelved(name, world) if num_starts(world) else None


def shelf(games: Path, first: Shelved) -> list[Shelved]:
    """`first`, then the other shipped worlds, then the trained games in the folder `games`, by name."""
    return [first, *(one for one in _all(games) if Path(one.world.folder) != Path(first.world.folder).absolute())]


def _all(games: Path) -> Iterator[Shelved]:
    folders = sorted(path.parent for path in games.absolute().glob("*/world.yaml"))
    trained = [str(folder) for folder in folders if any((folder / file).is_file() for file in TRAINED)]
    for name in (*definitions.names(), *trained):
        if found := shelved(name):
            yield found
