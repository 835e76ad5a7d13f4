"""What is shown: the generated world, the real game at the same moment, or both side by side.

While the real game alone is shown, it is what one plays: its frames become the session's history in place of generated
ones, so that the generated world goes on from what was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.action import Action
from engine.errors import WorldError
from engine.play.twin import Seen, Twin
from engine.play.view import GENERATED, REAL, View

if TYPE_CHECKING:
    from engine.core import Engine

UNKNOWN = "there is no real game to show: this session did not begin in a start scene"


class Beside:
    """The real game beside an engine's session: opened when it is first asked for, and kept at the same moment."""

    def __init__(self, engine: Engine, say: Callable[[str], None], look_again: Callable[[], None]):
        """`look_again`: called on another thread when there is something else to see."""
        self._engine, self._say, self._look_again = engine, say, look_again
        self._twin: Twin | None = None

    def turn_to(self, which: str, view: View) -> str:
        """What to show after one has asked for `which`; asked for twice, it is the generated world again."""
        if which == view.shows:
            return GENERATED
        if self._twin is None:
            past = self._engine.past
            if past is None:
                self._say(UNKNOWN)
                return GENERATED
            world = self._engine.world
            self._twin = Twin(world.name, world.action_spec, self._look_again)
            self._twin.start()
            self._twin.go_to(past.start, past.actions)
        return which

    def follow(self, action: Action) -> None:
        """Have the real game do what the session is about to do."""
        if self._twin:
            self._twin.follow(self._engine.world.action_spec.encode(action))

    def played(self, shows: str) -> Seen | None:
        """What the real game shows after the action followed last, where that is what one plays; else None."""
        return self._seen() if shows == REAL else None

    def jump(self) -> None:
        """The session has gone to another moment."""
        past = self._engine.past
        if self._twin and past:
            self._twin.go_to(past.start, past.actions)
        elif self._twin:
            self.close()
            self._say(UNKNOWN)

    def look(self, view: View) -> View:
        """The view with the real game's frame in it, where that is shown and has come to this moment."""
        seen = None if view.shows == GENERATED else self._seen()
        if self._twin is None:
            return replace(view, real=None, shows=GENERATED)
        return replace(view, real=seen.frame if seen else None)

    def _seen(self) -> Seen | None:
        """What the real game shows; None while it is on its way, and from when it has failed on."""
        try:
            return self._twin.seen() if self._twin else None
        except WorldError as error:
            self.close()
            self._say(str(error))
            return None

    def close(self) -> None:
        """End the real game."""
        if self._twin:
            self._twin.close()
            self._twin = None
