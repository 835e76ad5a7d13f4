"""The recordings of one run of the game: where each begins and ends, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.action import Action
from engine.errors import RecordingError
from engine.play.tape import Tape
from engine.play.view import View

if TYPE_CHECKING:
    from engine.core import Engine, Step


class Reel:
    """One recording after the other; what goes wrong with one is said to the player, and play goes on."""

    def __init__(self, engine: Engine, say: Callable[[str], None], recorded: list[str]):
        """`recorded`: where a sentence goes for each recording that has ended."""
        self._tape, self._say, self._recorded = Tape(engine), say, recorded
        self._here = Path.cwd()  # now: the real game changes it for a moment when it starts

    @property
    def path(self) -> Path | None:
        """The folder being written, None while nothing is recorded."""
        return self._tape.path

    def begin(self, root: Path, view: View) -> None:
        """Record from the view's frame on."""
        try:
            path = self._tape.begin(root, view.frame, view.start, view.number)
        except RecordingError as error:
            self._say(str(error))
        else:
            self._say(f"recording to {self._named(path)}")

    def add(self, action: Action, step: Step) -> None:
        """Record a step, if anything is recorded."""
        try:
            self._tape.add(action, step)
        except RecordingError as error:
            self._say_recorded(str(error))

    def cut(self) -> Path | None:
        """End the recording where the session is about to jump; where it wrote to, None if there was none."""
        root = self._tape.root
        self.end()
        return root

    def end(self) -> None:
        """Finish the recording, if there is one."""
        try:
            ended = self._tape.end()
        except RecordingError as error:
            self._say_recorded(str(error))
            return
        if ended:
            self._say_recorded(f"recorded {ended[1]} frames in {self._named(ended[0])}")

    def _named(self, path: Path) -> Path:
        """As one would type it here."""
        return path.relative_to(self._here) if path.is_relative_to(self._here) else path

    def _say_recorded(self, sentence: str) -> None:
        self._recorded.append(sentence)
        self._say(sentence)
