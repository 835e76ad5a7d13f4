"""A player of the window: presses keys, and waits for what they do."""

import contextlib
import threading
import time
from typing import Any

import pygame

from engine.play import app


def until(condition, timeout_s=5.0):
    """Wait for a condition, and fail if it does not come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


class Player:
    """A thread that plays: presses keys, and waits for what they do."""

    def __init__(self, engine):
        self.engine = engine
        self.failure: BaseException | None = None
        self.worker: Any = None
        self.game: Any = None
        self.words = ["title=false"]

    def until(self, condition, timeout_s=5.0):
        until(condition, timeout_s)

    def frames(self, count):
        """Wait for so many more frames."""
        goal = len(self.engine.actions) + count
        self.until(lambda: len(self.engine.actions) >= goal)

    def note(self):
        """What the window says."""
        return self.worker.note.text

    def post(self, kind, **values):
        pygame.event.post(pygame.event.Event(kind, values))

    def press(self, key):
        self.post(pygame.KEYDOWN, key=key)
        self.post(pygame.KEYUP, key=key)

    def play(self, steps, *words):
        """main's exit code after a window in which `steps(self)` was played once frames came, then closed."""

        def begun(player):
            player.until(lambda: len(player.engine.actions) > 2)
            steps(player)

        return self.play_at_once(begun, *words)

    def play_at_once(self, steps, *words):
        """The same without waiting for frames."""
        self.worker = None

        def run():
            try:
                steps(self)
            except BaseException as failure:
                self.failure = failure
            finally:
                with contextlib.suppress(pygame.error):  # closed already
                    self.post(pygame.QUIT)

        thread = threading.Thread(target=run)
        thread.start()
        code = app.main([*self.words, *words], self.engine.load)
        thread.join()
        if self.failure:
            raise self.failure
        return code
