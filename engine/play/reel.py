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
        self._is_cut = self._observes = False
        self._goes_on: Path | None = None  # where the next recording is to go, after a cut
        self._tape, self._say, self._recorded = Tape(engine), say, recorded
        self._here = Path.cwd()  # now: the real game changes it for a moment when it starts

    @property
    def path(self) -> Path | None:
        """The folder being written, None while nothing is recorded."""
        return self._tape.path

    def toggle(self, root: Path, view: View) -> None:
        """Record from the view's frame on, or finish the recording; after a cut, have `go_on` do so."""
        if self._is_cut:
            self._goes_on = None if self._goes_on else root
            self._say("recording begins where the network goes on" if self._goes_on else "recording does not go on")
        elif self.path:
            self.end()
        else:
            self._begin(root, view)

    def observe(self, observes: bool, view: View) -> None:
        """What follows the view is the real game's frame, or the network's.

        A recording holds what the network draws, to be drawn again: it is cut at the former and goes on at the latter.
        """
        if observes and not self._observes:
            self.cut()
        was_observing, self._observes = self._observes, observes
        if was_observing and not observes:
            self.go_on(view)

    def add(self, action: Action, step: Step) -> None:
        """Record a step, if anything is recorded."""
        try:
            self._tape.add(action, step)
        except RecordingError as error:
            self._say_recorded(str(error))

    def cut(self) -> None:
        """End the recording where the session is about to jump."""
        self._goes_on, self._is_cut = self._tape.root or self._goes_on, True
        self.end()

    def go_on(self, view: View) -> None:
        """Begin another recording from the view's frame on, if one was cut; not while the real game is observed."""
        if self._observes:
            return
        root, self._goes_on, self._is_cut = self._goes_on, None, False
        if root:
            self._begin(root, view)

    def end(self) -> None:
        """Finish the recording, if there is one."""
        try:
            ended = self._tape.end()
        except RecordingError as error:
            self._say_recorded(str(error))
            return
        if ended:
            self._say_recorded(f"recorded {ended[1]} frames in {self._named(ended[0])}")

    def _begin(self, root: Path, view: View) -> None:
        try:
            path = self._tape.begin(root, view.frame, view.start, view.number)
        except RecordingError as error:
            self._say(str(error))
        else:
            self._say(f"recording to {self._named(path)}")

    def _named(self, path: Path) -> Path:
        """As one would type it here."""
        return path.relative_to(self._here) if path.is_relative_to(self._here) else path

    def _say_recorded(self, sentence: str) -> None:
        self._recorded.append(sentence)
        self._say(sentence)
