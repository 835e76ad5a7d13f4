"""A thread that is asked to do things: commands, which run one after the other between what is due by the clock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class CommandThread(threading.Thread):
    """`post` asks, from any thread; `_next_command` waits, on its own, for what was asked."""

    def __init__(self, name: str):
        # A daemon, so that a window closed while the engine loads need not wait for it.
        super().__init__(name=name, daemon=True)
        self._commands: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._wake = threading.Condition()

    def post(self, command: Callable[[], None]) -> None:
        """Have `command` run between two steps."""
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def _ask_to_stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def _wait_s(self) -> float | None:
        """Seconds until something is due; None while nothing will be but by a command."""
        return None

    def _next_command(self) -> Callable[[], None] | None:
        """The oldest command; None once something is due or the thread is to stop."""
        with self._wake:
            while not self._stopping:
                if self._commands:
                    return self._commands.popleft()
                wait_s = self._wait_s()
                if wait_s is not None and wait_s <= 0:
                    break
                self._wake.wait(wait_s)
        return None
