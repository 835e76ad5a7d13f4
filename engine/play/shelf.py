"""The worlds that can be played here: those that are shipped, games of one's own, and other weights for either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import world as definitions
from engine.data.starts import num_starts
from engine.errors import WorldError
from engine.world import World

TRAINED = ("checkpoint/manifest.json", "manifest.json")  # in a folder of `games`, once there are weights in it
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"


@dataclass(frozen=True)
class Shelved:
    """A world with start scenes to begin in."""

    name: str  # what Engine.load takes: a world's name, or a folder
    world: World
    title: str  # the world's; with the folder's name where that holds other weights alone
    place: Path  # what it is one of a kind by


@dataclass(frozen=True)
class Weights:
    """What a network's saves belong to."""

    world: str  # its name
    digest: str  # of the checkpoint


def weights(name: str) -> Weights | None:
    """What Engine.load would load by a name, as its manifest says; None if there is none."""
    folder = Path(name)
    for file in (folder / TRAINED[1], folder / TRAINED[0], SHIPPED / name / TRAINED[1]):
        if file.is_file():
            told = _manifest(file)
            return Weights(str(told.get("world")), str(told.get("digest"))) if told else None
    return None


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
        if (told := _manifest(folder / file)) is not None:
            return told["world"] if told.get("world") in definitions.names() else None
    return None


def _manifest(file: Path) -> dict[str, Any] | None:
    """What a manifest says, read here, for engine.checkpoint brings torch; None if it cannot be read."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else {}


def _all(games: Path) -> Iterator[Shelved]:
    folders = sorted(path for path in games.absolute().glob("*") if any((path / file).is_file() for file in TRAINED))
    for name in (*definitions.names(), *map(str, folders)):
        if found := shelved(name):
            yield found
