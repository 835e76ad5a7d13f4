"""The save that nobody asks for: one slot of each world, written every so many seconds of play and when it ends.

What is to be written is taken between two frames, which takes less than a frame lasts; the file is made by a thread
of its own while play goes on. Figures are in docs/log.md.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import SaveError
from engine.play.view import View

if TYPE_CHECKING:
    from engine.core import Engine

NICENESS = 5  # of the thread that writes: the network needs the cores more
LONGEST_FRAME_S = 1.0  # more between two frames was no play: a pause, or another start


class Autosave:
    """Counts the seconds of play; `played`, `write` and `finish` are called by the engine's own thread."""

    def __init__(self, engine: Engine, path: Path, say: Callable[[str], None]):
        """`path`: the slot's file. `say`: called on another thread with what went wrong."""
        self._engine, self._path, self._say = engine, path, say
        self._played_s = 0.0  # since the last save
        self._last: float | None = None  # time.monotonic of the last frame
        self._writer: threading.Thread | None = None

    def played(self, view: View, every_s: float) -> None:
        """A frame was played: save if it is time, and the save before is written.

        `every_s`: seconds of play between two saves, 0 for none but the last.
        """
        now = time.monotonic()
        self._played_s += 0.0 if self._last is None else min(now - self._last, LONGEST_FRAME_S)
        self._last = now
        if every_s and self._played_s >= every_s and not (self._writer and self._writer.is_alive()):
            self._played_s = 0.0
            write = self._engine.prepare_save(start=view.start, number=view.number)
            self._writer = threading.Thread(target=self._write, args=(write,), name="autosave", daemon=True)
            self._writer.start()

    def finish(self, view: View) -> str:
        """Save for the last time, now; a sentence about it."""
        if self._writer:
            self._writer.join()
        try:
            self._engine.save(self._path, start=view.start, number=view.number)
        except SaveError as error:
            return str(error)
        return f"saved to slot {self._path.stem!r}"

    def _write(self, write: Callable[[Path], Path]) -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own to give up
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            write(self._path)
        except SaveError as error:
            self._say(f"no autosave: {error}")
