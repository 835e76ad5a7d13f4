"""The generating thread: loads the engine, then makes frames at the world's rate from the newest action."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.action import Action
from engine.errors import EngineError
from engine.model.recall import Recall
from engine.play import slots
from engine.play.autosave import Autosave
from engine.play.beside import Beside
from engine.play.commands import CommandThread
from engine.play.pacing import Pacer, RateMeter
from engine.play.reel import Reel
from engine.play.revisit import consistency
from engine.play.rewind import Rewind
from engine.play.saves import Saves
from engine.play.view import GENERATED, Note, View, memory_view

if TYPE_CHECKING:
    from engine.core import Engine


class Worker(CommandThread):
    """Owns the engine: nothing else calls it.

    The window reads `view`, `note`, `paused` and `error`, each replaced as a whole, and is woken by
    `changed`; it asks through `post`, whose commands run between two steps.
    """

    def __init__(
        self, load: Callable[[], Engine], start: int | None = 0, saves: Saves | None = None, autosave_s: float = 0.0
    ):
        """`start`: the scene to begin in; None waits for `open_start` or `load`.

        `saves`: where quitting saves to, and play every `autosave_s` seconds unless that is 0.
        """
        super().__init__("worker")
        self.engine: Engine | None = None
        self.view: View | None = None
        self.note = Note()
        self.paused = False
        self.error: Exception | None = None
        self.recorded: list[str] = []  # a sentence for each recording that has ended, and for what quitting saved
        self.changed = threading.Event()
        self._shows_memory = self._weighs_memory = False
        self._load_engine, self._start_index, self._saves, self.autosave_s = load, start, saves, autosave_s
        self._rewinding: Rewind | None = None
        self._take_action: Callable[[], Action] | None = None

    def begin(self, take_action: Callable[[], Action]) -> None:
        """Start to play; `take_action` is asked just before each step."""
        with self._wake:
            self._take_action = take_action
            self._wake.notify()

    def stop(self, timeout_s: float = 30.0) -> None:
        """End the thread: the step in progress is finished, then the recording and the engine are closed."""
        self._ask_to_stop()
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

    def post_in_play(self, command: Callable[[], None]) -> None:
        """Have `command` run between two steps, unless the session has ended by then."""
        self.post(lambda: command() if self.view else None)

    # Commands, to be posted.

    def open_world(self, load: Callable[[], Engine]) -> None:
        """Have another engine in place of the one loaded; before anything is played."""
        assert self.engine and self.view is None
        self.engine.close()
        self.engine, self._load_engine = None, load
        self._open()

    def end_session(self) -> None:
        """Save by itself, as quitting does, and play nothing until something is chosen again."""
        assert self.engine and self.view
        self._finish()
        self.view, self._take_action, self.paused, self._rewinding = None, None, False, None
        self._prepare(self.engine)
        self.changed.set()

    def toggle_pause(self) -> None:
        self.pause(not self.paused)

    def pause(self, on: bool) -> None:
        self.paused = on
        self._meter.restart()
        self.changed.set()

    def toggle_recording(self, root: Path) -> None:
        """Record from the present frame on, or finish the recording."""
        assert self.view
        self._reel.toggle(root, self.view)
        self._show(recording=self._reel.path)

    def open_start(self, index: int) -> None:
        """Begin in a start scene; a recording goes on as one of its own."""
        self._reel.cut()
        self._reset(index)
        self._go_on_recording()

    def next_start(self) -> None:
        """Begin anew in the next start scene."""
        assert self.engine and self.view
        was_recording = self._reel.path is not None
        self.open_start((self.view.start + 1) % self.engine.num_starts)
        if not was_recording:
            self.say(f"start {self.view.start} (0 to {self.engine.num_starts - 1})")

    def toggle_memory(self) -> None:
        """Have the network draw from its memory no more, or again."""
        assert self.engine and self.view
        self.engine.use_memory(not self.engine.recall.on)
        self._show(info={**self.view.info, "memory_on": self.engine.recall.on})
        self.say("memory is on" if self.engine.recall.on else "memory is off: what is out of sight is forgotten")

    def show_memory(self, shown: bool, weighed: bool = False) -> None:
        """Have views tell of the memory, or no more; and of how much each frame attends to it."""
        self._shows_memory, self._weighs_memory = shown, weighed
        if self.view:
            self._show()

    def turn_to(self, which: str) -> None:
        """Show the real game or both worlds; asked for what is shown, the generated world again."""
        assert self.view
        self._show(shows=self._beside.turn_to(which, self.view))

    def set_recall(self, change: Callable[[Recall], Recall], says: str) -> None:
        """Pin, forget or take back entries, and say so."""
        assert self.engine
        try:
            self.engine.set_recall(change(self.engine.recall))
        except EngineError as error:
            says = str(error)
        self._show()
        self.say(says)

    def save(self, path: Path) -> None:
        """Keep the session in a slot."""
        assert self.engine and self.view
        self.say(slots.keep(self.engine, path, self.view))

    def load(self, path: Path | None) -> None:
        """Go on from a slot."""
        assert self.engine
        if path is None or not path.exists():
            self.say(f"nothing is kept in slot {path.stem!r} yet" if path else "no moment is kept yet")
            return
        self._reel.cut()
        try:
            frame, start, number = slots.take_up(self.engine, path)
        except EngineError as error:
            self.say(str(error))
        else:
            self._present(frame, start, number, self.engine.info)
            self.say(f"loaded slot {path.stem!r}")
        self._go_on_recording()

    def begin_rewind(self) -> None:
        """Go back in time, faster and faster, until `end_rewind`; a recording ends, and another begins after it."""
        assert self.engine
        if not self._rewinding:
            self._rewinding = Rewind(self.engine)
            self._reel.cut()

    def end_rewind(self) -> None:
        """Play on from here."""
        if self._rewinding:
            self.say(str(self._rewinding))
            self._rewinding = None
            self._meter.restart()
            self._beside.jump()
            self._go_on_recording()
            self._show()

    def say(self, text: str) -> None:
        """Tell the player something."""
        self.note = Note(text, time.monotonic())
        self.changed.set()

    def _open(self) -> None:
        self.engine = self._load_engine()
        self._prepare(self.engine)
        if self._start_index is not None:
            self._reset(self._start_index)

    def _prepare(self, engine: Engine) -> None:
        """For an engine that plays nothing yet."""
        self._reel = Reel(engine, self.say, self.recorded)
        self._beside = Beside(engine, self.say, lambda: self.post_in_play(self._show))
        self._pacer, self._meter = Pacer(engine.world.rate), RateMeter(engine.world.rate)
        slot = self._saves and self._saves.autosave(engine.world.name)
        self._autosave = Autosave(engine, slot, self.say) if slot else None

    def _loop(self) -> None:
        while True:
            command = self._next_command()
            if self._stopping:
                return
            (command or (self._step_back if self._rewinding else self._step))()

    def _wait_s(self) -> float | None:
        if self._take_action is None or (self.paused and not self._rewinding):
            return None
        return self._pacer.wait_s(time.monotonic())

    def _step(self) -> None:
        assert self.engine and self.view and self._take_action
        self._pacer.begin(time.monotonic())
        action = self._take_action()
        self._beside.follow(action)
        seen = self._beside.played(self.view.shows)
        self._reel.observe(seen is not None, self.view)
        step = self.engine.observe(seen.frame, action, seen.pose) if seen else self.engine.step(action)
        self._meter.tick(time.monotonic())
        self._reel.add(action, step)
        self._show(
            frame=step.frame,
            number=self.view.number + 1,
            latency_ms=step.latency_ms,
            frames_per_s=self._meter.frames_per_s,
            is_slow=self._meter.is_slow,
            recording=self._reel.path,
            info=step.info,
            consistency=consistency(self.engine, step.frame, step.info.get("pose")),
        )
        if self._autosave:
            self._autosave.played(self.view, self.autosave_s)

    def _step_back(self) -> None:
        assert self.engine and self.view and self._rewinding
        self._pacer.begin(time.monotonic())
        frames, frame = self._rewinding.step()
        if frames:
            number = max(0, self.view.number - frames)
            self._show(frame=frame, number=number, recording=None, info=self.engine.info, consistency=None)
        self.say(str(self._rewinding) if frames else f"{self._rewinding}: one cannot go back further")

    def _reset(self, index: int) -> None:
        assert self.engine
        self._present(self.engine.reset(index), index, 0, {})

    def _present(self, frame: np.ndarray, start: int, number: int, info: Mapping[str, Any]) -> None:
        """Show the first frame of another session."""
        self._meter.restart()
        self._rewinding = None
        session = self.view.session + 1 if self.view else 0
        shows = self.view.shows if self.view else GENERATED
        self._beside.jump()
        self._look_at(View(frame=frame, number=number, session=session, start=start, info=info, shows=shows))

    def _go_on_recording(self) -> None:
        """Record what follows the jump, if something was recorded before it."""
        if self.view:
            self._reel.go_on(self.view)
            self._show(recording=self._reel.path)

    def _show(self, **changes: Any) -> None:
        assert self.view
        self._look_at(replace(self.view, **changes))

    def _look_at(self, view: View) -> None:
        assert self.engine
        view = replace(view, memory=memory_view(self.engine, self._weighs_memory) if self._shows_memory else None)
        self.view = replace(view, real=None) if self._rewinding else self._beside.look(view)
        self.changed.set()

    def _finish(self) -> None:
        """The session ends: what is recorded and kept of it is closed."""
        assert self.view
        self._beside.close()
        self._reel.end()
        if self._autosave and self.view.number and not self.error:
            self.recorded.append(self._autosave.finish(self.view))

    def _close(self) -> None:
        if self.engine:
            if self.view:
                self._finish()
            self.engine.close()
