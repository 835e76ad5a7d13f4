"""What the window's own keys do, but for those that open something over the frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygame

from engine.errors import RecordingError
from engine.play import screenshot
from engine.play.preferences import Kept
from engine.play.saves import Saves
from engine.play.view import BOTH, REAL
from engine.play.window import Window
from engine.play.worker import Worker

RECORDINGS = Path("recordings")


class Controls:
    """Asks the worker and the window; `shown` says which panels there are."""

    def __init__(
        self,
        window: Window,
        worker: Worker,
        kept: Kept,
        saves: Saves,
        screenshots: Path,
        record: Path | None,
        hud: bool,
    ):
        """`record`: folder for recordings; None for one named by the time. `hud`: figures are shown at first."""
        self.shown = {"figures": hud, "keys": False, "map": False, "graph": False, "memory": False}
        self._window, self._kept = window, kept
        self._worker, self._saves, self._screenshots, self._record = worker, saves, screenshots, record
        self._recordings = RECORDINGS.absolute()
        post = worker.post_in_play
        self.keys: dict[int, Callable[[], None]] = {
            pygame.K_r: self.toggle_recording,
            pygame.K_n: lambda: post(worker.next_start),
            pygame.K_TAB: lambda: post(lambda: worker.turn_to(REAL)),
            pygame.K_F7: lambda: post(lambda: worker.turn_to(BOTH)),
            pygame.K_m: lambda: post(worker.toggle_memory),
            pygame.K_f: self.toggle_fullscreen,
            pygame.K_F5: lambda: self._post(worker.save, saves.quick),
            pygame.K_F9: lambda: self._post(worker.load, saves.quick),
            pygame.K_b: lambda: self._post(worker.save, saves.new_branch),
            pygame.K_g: lambda: self._post(worker.load, saves.last_branch),
            pygame.K_BACKSPACE: lambda: post(worker.begin_rewind),
            pygame.K_F12: self._take_screenshot,
            pygame.K_F1: lambda: self._toggle("keys"),
            pygame.K_F2: lambda: self._toggle("figures"),
            pygame.K_F3: lambda: self._toggle("map"),
            pygame.K_F4: lambda: self._toggle("graph"),
            pygame.K_F8: self._change_scaling,
            pygame.K_F6: lambda: self._toggle("memory"),
        }

    def toggle_recording(self) -> None:
        """Record, or end the recording."""
        # Made once for all recordings of one run: those after the first go to its numbered subfolders.
        if self._record is None:
            assert self._worker.engine
            self._record = self._recordings / time.strftime(f"{self._worker.engine.world.name}-%Y%m%d-%H%M%S")
        root = self._record
        self._worker.post_in_play(lambda: self._worker.toggle_recording(root))

    def toggle_fullscreen(self) -> None:
        """Fill the screen, or no more; also the next time, unless the command line says how."""
        self._window.toggle_fullscreen()
        if "fullscreen" not in self._kept.fixed:
            self._kept.choose(fullscreen=self._window.fullscreen)

    def _change_scaling(self) -> None:
        says = self._window.next_scaling()
        fault = "" if "scaling" in self._kept.fixed else self._kept.choose(scaling=self._window.scaling)
        self._worker.say(fault or says)

    def save_as(self, name: str) -> None:
        """Save in the slot of a name."""
        self._post(self._worker.save, lambda world: self._saves.named(world, name))

    def _post(self, command: Callable[[Any], None], slot: Callable[[str], Path | None]) -> None:
        """Have the worker do something with the file of a slot, which is looked for then, not here."""
        assert self._worker.engine
        world = self._worker.engine.world.name
        self._worker.post_in_play(lambda: command(slot(world)))

    def _take_screenshot(self) -> None:
        assert self._worker.engine and self._worker.view
        try:
            path = screenshot.write(self._worker.view.picture, self._screenshots, self._worker.engine.world.name)
        except RecordingError as error:
            self._worker.say(str(error))
        else:
            self._worker.say(f"picture in {path}")

    def _toggle(self, panel: str) -> None:
        self.shown[panel] = not self.shown[panel]
        weighs_memory = self.shown["memory"]
        shows_memory = weighs_memory or self.shown["map"]
        self._worker.post(lambda: self._worker.show_memory(shows_memory, weighs_memory))
