"""A session into a slot and out of it again, in play."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import SaveError
from engine.play.view import View

if TYPE_CHECKING:
    from engine.core import Engine


def keep(engine: Engine, path: Path, view: View) -> str:
    """Save the session, of which `view` shows the present frame; a sentence about it."""
    try:
        engine.save(path, start=view.start, number=view.number)
    except SaveError as error:
        return str(error)
    return f"saved to slot {path.stem!r}"


def take_up(engine: Engine, path: Path) -> tuple[np.ndarray, int, int]:
    """Go on from a save: its last frame, the start scene, and the frames since. Raises EngineError."""
    from engine.data import savefile

    notes = savefile.describe(path)[0].get("notes", {})
    frame = engine.restore(path)
    start, number = notes.get("start"), notes.get("number")
    is_ours = type(start) is int and type(number) is int
    return frame, start if is_ours else 0, number if is_ours else engine.info["frame_index"]
