"""The generating thread: loads the engine, then makes frames at the world's rate from the newest action."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.action import Action
from engine.errors import RecordingError
from engine.play.pacing import Pacer, RateMeter
from engine.play.tape import Tape

if TYPE_CHECKING:
    from engine.core import Engine


@dataclass(frozen=True)
class View:
    """A frame, and all that the window shows about it."""

    frame: np.ndarray  # uint8 [height, width, 3]
    number: int = 0  # frames since the start scene
    start: int = 0
    latency_ms: float = 0.0
    frames_per_s: float = 0.0
    is_slow: bool = False
    recording: Path | None = None
    info: Mapping[str, Any] = field(default_factory=dict)  # the step's


@dataclass(frozen=True)
class Note:
    """A sentence for the player, and when it was said (time.monotonic)."""

    text: str = ""
    said: float = float("-inf")


class Worker(threading.Thread):
    """Owns the engine: nothing else calls it.

    The window reads `view`, `note`, `paused` and `error`, each replaced as a whole, and is woken by
    `changed`; it asks through `post`, whose commands run between two steps.
    """

    def __init__(self, load: Callable[[], Engine], start: int = 0):
        # A daemon, so that a window closed while the engine loads need not wait for it.
        super().__init__(name="worker", daemon=True)
        self.engine: Engine | None = None
        self.view: View | None = None
        self.note = Note()
        self.paused = False
        self.error: Exception | None = None
        self.recorded: list[str] = []  # a sentence for each recording that has ended
        self.changed = threading.Event()
        self._load, self._start_index = load, start
        self._take_action: Callable[[], Action] | None = None
        self._commands: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._wake = threading.Condition()

    def begin(self, take_action: Callable[[], Action]) -> None:
        """Start to play; `take_action` is asked just before each step."""
        with self._wake:
            self._take_action = take_action
            self._wake.notify()

    def post(self, command: Callable[[], None]) -> None:
        """Have `command` run between two steps."""
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread: the step in progress is finished, then the recording and the engine are closed."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        # While it still loads there is nothing to lose.
        self.join(timeout_s if self.view else 0.2)

    def run(self) -> None:
        try:
            self._open()
            self._loop()
        except Exception as error:  # of whatever kind: the window's thread raises it again
            self.error = error
        finally:
            self._close()
            self.changed.set()

    # Commands, to be posted.

    def toggle_pause(self) -> None:
        self.paused = not self.paused
        self._meter.restart()
        self.changed.set()

    def toggle_recording(self, root: Path) -> None:
        """Record from the present frame on, or finish the recording."""
        if self._tape.path:
            self._end_recording()
        else:
            self._begin_recording(root)
        self._show(recording=self._tape.path)

    def next_start(self, root: Path) -> None:
        """Begin anew in the next start scene; a recording goes on as one of its own, at `root`."""
        assert self.engine
        was_recording = self._tape.path is not None
        self._end_recording()
        self._start_index = (self._start_index + 1) % self.engine.num_starts
        self._reset()
        if was_recording:
            self._begin_recording(root)
            self._show(recording=self._tape.path)
        else:
            self.say(f"start {self._start_index + 1} of {self.engine.num_starts}")

    def say(self, text: str) -> None:
        """Tell the player something."""
        self.note = Note(text, time.monotonic())
        self.changed.set()

    def _open(self) -> None:
        engine = self.engine = self._load()
        self._tape = Tape(engine)
        self._pacer, self._meter = Pacer(engine.world.rate), RateMeter(engine.world.rate)
        self._reset()

    def _loop(self) -> None:
        while True:
            command = self._next_command()
            if self._stopping:
                return
            if command:
                command()
            else:
                self._step()

    def _next_command(self) -> Callable[[], None] | None:
        """The oldest command; None once a step is due or the thread is to stop."""
        with self._wake:
            while not self._stopping:
                if self._commands:
                    return self._commands.popleft()
                if self.paused or self._take_action is None:
                    self._wake.wait()
                elif wait_s := self._pacer.wait_s(time.monotonic()):
                    self._wake.wait(wait_s)
                else:
                    break
        return None

    def _step(self) -> None:
        assert self.engine and self.view and self._take_action
        self._pacer.begin(time.monotonic())
        action = self._take_action()
        step = self.engine.step(action)
        self._meter.tick(time.monotonic())
        try:
            self._tape.add(action, step)
        except RecordingError as error:
            self._say_recorded(str(error))
        self._show(
            frame=step.frame,
            number=self.view.number + 1,
            latency_ms=step.latency_ms,
            frames_per_s=self._meter.frames_per_s,
            is_slow=self._meter.is_slow,
            recording=self._tape.path,
            info=step.info,
        )

    def _reset(self) -> None:
        assert self.engine
        frame = self.engine.reset(self._start_index)
        self._meter.restart()
        self.view = View(frame=frame, start=self._start_index)
        self.changed.set()

    def _begin_recording(self, root: Path) -> None:
        assert self.view
        try:
            path = self._tape.begin(root, self.view.frame, self.view.start, self.view.number)
        except RecordingError as error:
            self.say(str(error))
        else:
            self.say(f"recording to {path}")

    def _end_recording(self) -> None:
        try:
            ended = self._tape.end()
        except RecordingError as error:
            self._say_recorded(str(error))
            return
        if ended:
            self._say_recorded(f"recorded {ended[1]} frames in {ended[0]}")

    def _say_recorded(self, sentence: str) -> None:
        self.recorded.append(sentence)
        self.say(sentence)

    def _show(self, **changes: Any) -> None:
        assert self.view
        self.view = replace(self.view, **changes)
        self.changed.set()

    def _close(self) -> None:
        if self.engine is None:
            return
        if self.view:
            self._end_recording()
        self.engine.close()
