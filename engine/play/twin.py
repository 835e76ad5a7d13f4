"""The twin: the real game beside the generated one, at the same moment, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.action import ActionSpec
from engine.data.real_game import RealGame
from engine.errors import EngineError, WorldError
from engine.play.commands import CommandThread

STEP_S = 0.2  # how long a frame may be waited for; on the way to another moment it is not


@dataclass(frozen=True)
class Seen:
    """What the real game shows."""

    frame: np.ndarray  # uint8 [height, width, 3]
    pose: Sequence[float] | None  # x, y, z, angle in degrees; None where it is not told


class Twin(CommandThread):
    """Follows a session: `go_to` a moment of it, then each action by `follow`; `seen` is what the real game shows."""

    def __init__(self, world_name: str, spec: ActionSpec, arrived: Callable[[], None]):
        """`arrived`: called, on the twin's thread, when it has come to a moment or has failed to."""
        super().__init__("twin")
        self._world_name, self._spec, self._arrived = world_name, spec, arrived
        self._game: RealGame | None = None
        self._seen: Seen | None = None
        self._failure: WorldError | None = None
        self._num_asked = self._num_done = 0  # commands
        self._num_jumps = self._arrived_by = 0  # moments gone to, and the last of them that it has come to
        self._done = threading.Condition()

    def go_to(self, start: int, actions: Sequence[np.ndarray]) -> None:
        """Come to the moment that `actions`, encoded, [size] each, lead to from a start scene."""
        with self._done:
            self._num_jumps += 1
            self._failure = None
            jump = self._num_jumps
        self._ask(jump, lambda: self._jump(jump, start, actions))

    def follow(self, action: np.ndarray) -> None:
        """Do what the session does: one encoded action [size]."""
        self._ask(self._num_jumps, lambda: self._step(action))

    def seen(self) -> Seen | None:
        """What the real game shows at the moment asked for last; None while on the way there.

        Raises WorldError if the real game cannot be brought there.
        """
        with self._done:
            if self._arrived_by == self._num_jumps:
                self._done.wait_for(lambda: self._failure or self._num_done == self._num_asked, STEP_S)
            if self._failure:
                raise self._failure
            return self._seen if self._num_done == self._num_asked else None

    def close(self, timeout_s: float = 3.0) -> None:
        """End the game and the thread."""
        self._ask_to_stop()
        self.join(timeout_s)

    def run(self) -> None:
        while command := self._next_command():
            command()
        self._close_game()

    def _ask(self, jump: int, command: Callable[[], None]) -> None:
        with self._done:
            self._num_asked += 1
        self.post(lambda: self._do(jump, command))

    def _do(self, jump: int, command: Callable[[], None]) -> None:
        """Run a command that was asked for after so many jumps; `seen` tells what goes wrong after the last one."""
        failure = None
        try:
            command()
        except EngineError as error:
            failure = WorldError(str(error))
        except Exception as error:  # of the game's own kinds, which are known only where it is installed
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            failure = WorldError(f"the real game stopped with a fault of its own, {fault}")
        with self._done:
            self._num_done += 1
            is_news = jump == self._num_jumps and (failure is not None or self._arrived_by < jump)
            if jump == self._num_jumps:
                self._failure, self._arrived_by = failure or self._failure, jump
            self._done.notify_all()
        if is_news:
            self._arrived()

    def _jump(self, jump: int, start: int, actions: Sequence[np.ndarray]) -> None:
        if self._game is None or self._game.start != start:
            self._close_game()
            self._game = RealGame(self._world_name, start)
        frame = self._game.begin()
        self._seen = Seen(frame, self._game.pose)
        for action in actions:
            if self._stopping or jump != self._num_jumps:  # another moment is wanted meanwhile
                return
            self._step(action)

    def _step(self, action: np.ndarray) -> None:
        if self._game and not self._failure:
            frame = self._game.step(self._spec.decode(action))
            self._seen = Seen(frame, self._game.pose)

    def _close_game(self) -> None:
        if self._game:
            self._game.close()
            self._game = None
