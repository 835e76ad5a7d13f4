"""The game in its window: events to the keymap and the worker, frames and HUD to the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pygame

from engine.action import Action
from engine.errors import RecordingError
from engine.play import screenshot
from engine.play.bindings import bound, keymap
from engine.play.gamepad import Gamepad
from engine.play.hud import Hud, HudState
from engine.play.interlude import Interlude
from engine.play.keymap import Keymap
from engine.play.loading import LoadingScreen
from engine.play.memory_panel import Change
from engine.play.name_prompt import NamePrompt
from engine.play.offer import Offer
from engine.play.opening import Opening
from engine.play.preferences import Kept
from engine.play.saves import Saves
from engine.play.settings_screen import SettingsScreen
from engine.play.title import Asked
from engine.play.view import BOTH, REAL
from engine.play.window import Window
from engine.play.worker import Worker
from engine.world import World

# Events are read this often while no frame comes. A frame wakes the window at once; a finer poll
# would only take the interpreter from the thread that generates.
POLL_S = 1 / 120
RECORDINGS = Path("recordings")
REDRAWN_AFTER = (pygame.WINDOWEXPOSED, pygame.WINDOWSIZECHANGED, pygame.WINDOWFOCUSGAINED)


class Game:
    """One window and the worker that fills it."""

    def __init__(
        self,
        window: Window,
        offer: Offer,
        kept: Kept,
        *,
        saves: Saves,
        screenshots: Path,
        start: int | None = 0,
        record: Path | None = None,
        hud: bool = True,
        script: Callable[[World], Iterator[Action]] | None = None,
    ):
        """`start`: None for a title screen to choose on. `record`: folder for recordings, begun at once if given.

        `script`: makes the actions to play in place of the keys.
        """
        self.window = window
        self.worker = Worker(offer.loader(), start, saves, kept.current.autosave_seconds)
        self._saves, self._screenshots = saves, screenshots
        self._offer, self._kept, self._record, self._script = offer, kept, record, script
        self._recordings = RECORDINGS.absolute()
        self._shown = {"figures": hud, "keys": False, "map": False, "graph": False, "memory": False}
        self._gamepad = Gamepad()
        self._opening = Opening(offer, self.worker, chooses=start is None)
        self._interlude = Interlude(window, self.worker)
        self._before = kept.current  # as it was when the settings screen was opened
        self._keymap: Keymap | None = None
        self._hud: Hud | None = None
        self._running = True
        self._wants_mouse = False  # until it plays a world that turns by mouse
        self._redraw_at = float("-inf")  # time.monotonic
        self._keys = self._window_keys()

    def _window_keys(self) -> dict[int, Callable[[], None]]:
        """What the window's own keys do."""
        window, saves = self.window, self._saves
        return {
            pygame.K_ESCAPE: self._escape,
            pygame.K_r: self._toggle_recording,
            pygame.K_n: lambda: self.worker.post(self.worker.next_start),
            pygame.K_p: self._toggle_pause,
            pygame.K_TAB: lambda: self.worker.post(lambda: self.worker.turn_to(REAL)),
            pygame.K_F7: lambda: self.worker.post(lambda: self.worker.turn_to(BOTH)),
            pygame.K_m: lambda: self.worker.post(self.worker.toggle_memory),
            pygame.K_f: window.toggle_fullscreen,
            pygame.K_F5: lambda: self._post(self.worker.save, saves.quick),
            pygame.K_F11: self._ask_name,
            pygame.K_F10: self._open_settings,
            pygame.K_F9: lambda: self._post(self.worker.load, saves.quick),
            pygame.K_b: lambda: self._post(self.worker.save, saves.new_branch),
            pygame.K_g: lambda: self._post(self.worker.load, saves.last_branch),
            pygame.K_BACKSPACE: lambda: self.worker.post(self.worker.begin_rewind),
            pygame.K_F12: self._take_screenshot,
            pygame.K_F1: lambda: self._toggle("keys"),
            pygame.K_F2: lambda: self._toggle("figures"),
            pygame.K_F3: lambda: self._toggle("map"),
            pygame.K_F4: lambda: self._toggle("graph"),
            pygame.K_F8: lambda: self.worker.say(window.next_scaling()),
            pygame.K_F6: lambda: self._toggle("memory"),
        }

    def run(self) -> None:
        """Play until the player quits. Raises the error that stopped the worker, if one did."""
        began = time.monotonic()
        self.worker.start()
        try:
            while self._running and not self.worker.error:
                for event in pygame.event.get():
                    in_menu = self._interlude.dialog is not None or self._opening.is_choosing
                    self._handle(self._gamepad.as_key(event, in_menu))
                if self._keymap is None and self.worker.view:
                    self._begin()
                if self.worker.changed.is_set() or time.monotonic() >= self._redraw_at:
                    self.worker.changed.clear()
                    self._draw(time.monotonic() - began)
                self.worker.changed.wait(POLL_S)
        finally:
            self.worker.stop()
        if self.worker.error:
            raise self.worker.error

    def _begin(self) -> None:
        """The engine is loaded: play."""
        assert self.worker.engine
        engine = self.worker.engine
        world = engine.world
        self.window.set_frame_size((world.frame.width, world.frame.height))
        pygame.display.set_caption(world.title)
        self._hud = Hud(world, engine.device, engine.denoise_steps)
        self._take_keys(world)
        if self._record:
            self._toggle_recording()
        if self._script:
            self.worker.begin(self._script(world).__next__)
        else:
            self._wants_mouse = bool(world.mouse)
            self.window.take_mouse(self._wants_mouse)
            self.worker.begin(self._take_action)
        if self._offer.note:
            self.worker.say(self._offer.note)

    def _take_keys(self, world: World) -> None:
        """Let the player's keys be those of the world."""
        assert self._hud
        preferences = self._kept.current
        own, fault = bound(world, preferences.keys.get(world.name, {}))
        self._keymap = keymap(own, preferences.sensitivity)
        self._hud.show_keys_of(own)
        self._offer.unused = fault or self._offer.unused

    def _take_action(self) -> Action:
        assert self._keymap
        return self._keymap.take()

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._running = False
        elif event.type in REDRAWN_AFTER:
            self._redraw_at = float("-inf")
        elif self._interlude.dialog:
            self._redraw_at = float("-inf")
            if closed := self._interlude.handle(event):
                self._apply() if isinstance(closed, SettingsScreen) else self._save_as(closed)
                self._interlude.end()
        elif self._opening.is_choosing:
            self._choose(event)
        elif event.type == pygame.KEYDOWN and event.key in self._keys:
            if event.key == pygame.K_TAB and getattr(event, "mod", 0) & pygame.KMOD_ALT:
                return  # it is the desktop's, to go to another window
            if self._keymap or event.key == pygame.K_ESCAPE:
                self._keys[event.key]()
                self._redraw_at = float("-inf")
        elif event.type == pygame.KEYUP and event.key == pygame.K_BACKSPACE and self._keymap:
            self.worker.post(self.worker.end_rewind)
        elif change := self._clicked(event):
            self.worker.post(lambda: self.worker.set_recall(change.make, change.says))
        elif event.type == pygame.MOUSEBUTTONDOWN and self._wants_mouse and not self.window.has_mouse:
            self.window.take_mouse(True)
            self._redraw_at = float("-inf")
        elif event.type == pygame.WINDOWFOCUSLOST and self._keymap:
            self.worker.post(self.worker.end_rewind)  # the key's release will go to another window
            self._keymap.handle(event)
        elif self._keymap and (event.type != pygame.MOUSEMOTION or self.window.has_mouse):
            self._keymap.handle(event)
            self._gamepad.play(event, self._keymap)

    def _clicked(self, event: pygame.event.Event) -> Change | None:
        """What a click of the free mouse changes in the memory panel."""
        if event.type != pygame.MOUSEBUTTONDOWN or self.window.has_mouse or self._hud is None:
            return None
        return self._hud.memory.click(event.pos, event.button)

    def _choose(self, event: pygame.event.Event) -> None:
        """An event on the title screen."""
        self._redraw_at = float("-inf")
        if event.type == pygame.KEYDOWN and event.key == pygame.K_f:
            self.window.toggle_fullscreen()
            return
        asked = self._opening.handle(event)
        if asked is Asked.LEAVE:
            self._running = False
        elif asked is Asked.SETTINGS:
            self._open_settings()

    def _open_settings(self) -> None:
        world = self.worker.engine.world if self._keymap and self.worker.engine else self._opening.world
        assert world
        self._before = self._kept.current
        self._interlude.begin(SettingsScreen(self._kept, world, self._keymap is not None), self._keymap)

    def _apply(self) -> None:
        """Have what was chosen hold from now on, as far as that is possible."""
        before, now = self._before, self._kept.current
        loads = (before.device, before.denoise_steps) != (now.device, now.denoise_steps)
        if before.scaling != now.scaling:
            self.window.scaling = now.scaling
        self.worker.autosave_s = now.autosave_seconds
        if self._keymap and self.worker.engine:
            self._take_keys(self.worker.engine.world)
            if loads:
                self.worker.say("another device or number of denoise steps holds from the next start on")
        elif loads:
            self._opening.load_again()

    def _ask_name(self) -> None:
        assert self.worker.engine
        self._interlude.begin(NamePrompt(self._saves, self.worker.engine.world.name), self._keymap)

    def _save_as(self, closed: NamePrompt) -> None:
        if closed.taken:
            self._post(self.worker.save, lambda world: self._saves.named(world, closed.name))

    def _draw(self, elapsed_s: float) -> None:
        now, view, surface = time.monotonic(), self.worker.view, self.window.surface
        dialog = self._interlude.dialog
        if isinstance(dialog, SettingsScreen):
            dialog.draw(surface)
            self._redraw_at = float("inf")
        elif view is None or self._hud is None:
            self._opening.draw(surface, elapsed_s)
            self._redraw_at = now + LoadingScreen.EVERY_S
        else:
            state = HudState(
                view=view,
                note=self.worker.note,
                paused=self.worker.paused and not dialog,
                has_mouse=self.window.has_mouse or not self._wants_mouse,
                mouse_is_free=not self.window.has_mouse,
                **{f"show_{panel}": shown for panel, shown in self._shown.items()},
            )
            self.window.draw_frame(view.picture)
            self._hud.draw(surface, self.window.area, state, now)
            if dialog:
                dialog.draw(surface, self.window.area)
            self._redraw_at = self._hud.changes_at(state, now)
        pygame.display.flip()

    def _escape(self) -> None:
        if self.window.has_mouse:
            self.window.take_mouse(False)
        else:
            self._running = False

    def _toggle_recording(self) -> None:
        # Made once for all recordings of one run: those after the first go to its numbered subfolders.
        if self._record is None:
            assert self.worker.engine
            self._record = self._recordings / time.strftime(f"{self.worker.engine.world.name}-%Y%m%d-%H%M%S")
        root = self._record
        self.worker.post(lambda: self.worker.toggle_recording(root))

    def _post(self, command: Callable[[Any], None], slot: Callable[[str], Path | None]) -> None:
        """Have the worker do something with the file of a slot, which is looked for then, not here."""
        assert self.worker.engine
        world = self.worker.engine.world.name
        self.worker.post(lambda: command(slot(world)))

    def _take_screenshot(self) -> None:
        assert self.worker.engine and self.worker.view
        try:
            path = screenshot.write(self.worker.view.picture, self._screenshots, self.worker.engine.world.name)
        except RecordingError as error:
            self.worker.say(str(error))
        else:
            self.worker.say(f"picture in {path}")

    def _toggle_pause(self) -> None:
        if self._keymap and self.worker.paused:
            self._keymap.forget()
        self.worker.post(self.worker.toggle_pause)

    def _toggle(self, panel: str) -> None:
        self._shown[panel] = not self._shown[panel]
        shows_memory = self._shown["memory"] or self._shown["map"]
        self.worker.post(lambda: self.worker.show_memory(shows_memory))
