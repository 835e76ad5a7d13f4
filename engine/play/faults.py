"""Saves that cannot be gone on from: which, and why not, by their headers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.data import savefile
from engine.errors import SaveError, shown
from engine.play.shelf import Weights

CHOOSE = "choose another save or a start scene"


@dataclass(frozen=True)
class Fault:
    """Why a save cannot be gone on from."""

    mark: str  # a word or two, to stand on its picture
    says: str  # a sentence, with what to do


def faults(saves: Iterable[Path], weights: Weights | None, titles: Mapping[Weights, str]) -> dict[Path, Fault]:
    """What is wrong with those of the `saves` that cannot be gone on from with these weights.

    `weights`: None if they are not known yet; only files that cannot be read are found then. `titles`: of what else
    can be played here, by its weights.
    """
    found = {path: _fault(path, weights, titles) for path in saves}
    return {path: fault for path, fault in found.items() if fault}


def unreadable(path: Path, error: Exception) -> Fault:
    """That of a file that is missing, damaged, of another kind or of a later format."""
    why = str(error).replace(str(path), repr(path.stem))
    return Fault("cannot be read", f"{why}; {CHOOSE}")


def _fault(path: Path, weights: Weights | None, titles: Mapping[Weights, str]) -> Fault | None:
    try:
        meta = savefile.read_meta(path)
    except SaveError as error:
        return unreadable(path, error)
    world, digest = meta.get("world"), meta.get("checkpoint_hash")
    if weights is None or (world, digest) == (weights.world, weights.digest):
        return None
    if world != weights.world:
        return Fault("another world", f"{path.stem!r} is of world {shown(world)}, not of {weights.world!r}: {CHOOSE}")
    mark = "another checkpoint"
    if title := next((title for other, title in titles.items() if (other.world, other.digest) == (world, digest)), ""):
        return Fault(mark, f"{path.stem!r} belongs to {title!r}: turn to that world, and choose it there")
    return Fault(
        mark,
        f"{path.stem!r} opens only with the checkpoint it was made with (play.py world=FOLDER): {CHOOSE}",
    )
