"""The game in its window: events to the keymap and the worker, frames and HUD to the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pygame

from engine.action import Action
from engine.play.bindings import bound, keymap
from engine.play.controls import Controls
from engine.play.gamepad import Gamepad
from engine.play.hud import Hud, HudState
from engine.play.interlude import Dialog, Interlude
from engine.play.keymap import Keymap
from engine.play.loading import LoadingScreen
from engine.play.memory_panel import Change
from engine.play.name_prompt import NamePrompt
from engine.play.offer import Offer
from engine.play.opening import Opening
from engine.play.panel import dim
from engine.play.play_menu import Leave, PlayMenu
from engine.play.preferences import Kept
from engine.play.repeat import Repeat
from engine.play.save_menu import SaveMenu
from engine.play.saves import Saves
from engine.play.settings_screen import SettingsScreen
from engine.play.title import Asked
from engine.play.window import Window
from engine.play.worker import Worker
from engine.world import World

# Events are read this often while no frame comes. A frame wakes the window at once; a finer poll
# would only take the interpreter from the thread that generates.
POLL_S = 1 / 120
WELCOME = "Enter: the menu  ·  F1: all keys  ·  M: memory off, and the world forgets  ·  F5 saves"
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
        self._saves, self._offer, self._kept, self._script = saves, offer, kept, script
        self._controls = Controls(window, self.worker, kept, saves, screenshots, record, hud)
        self._records_at_once = record is not None
        self._gamepad, self._repeat = Gamepad(), Repeat()
        self._opening = Opening(offer, self.worker, chooses=start is None)
        self._interlude = Interlude(window, self.worker)
        self._before = kept.current  # as it was when the settings screen was opened
        self._greets = start is None  # once: who chose on the title screen may be new here
        self._waits = False  # another device or number of denoise steps waits for the title screen
        self._keymap: Keymap | None = None
        self._hud: Hud | None = None
        self._running = True
        self._wants_mouse = False  # until it plays a world that turns by mouse
        self._redraw_at = float("-inf")  # time.monotonic
        self._keys: dict[int, Callable[[], None]] = {
            **self._controls.keys,
            pygame.K_ESCAPE: self._escape,
            pygame.K_p: self._toggle_pause,
            pygame.K_RETURN: self._open_menu,
            pygame.K_F10: self._open_settings,
            pygame.K_F11: self._ask_name,
        }

    def run(self) -> None:
        """Play until the player quits. Raises the error that stopped the worker, if one did."""
        began = time.monotonic()
        self.worker.start()
        try:
            while self._running and not self.worker.error:
                for event in [*pygame.event.get(), *self._repeat.due(self._in_menu)]:
                    event = self._gamepad.as_key(event, self._in_menu)
                    self._repeat.watch(event, self._in_menu)
                    self._handle(event)
                if self._keymap is None and self.worker.view:
                    self._begin()
                elif self._keymap and not self.worker.view:
                    self._come_back()
                if self.worker.changed.is_set() or time.monotonic() >= self._redraw_at:
                    self.worker.changed.clear()
                    self._draw(time.monotonic() - began)
                self.worker.changed.wait(POLL_S)
        finally:
            self.worker.stop()
        if self.worker.error:
            raise self.worker.error

    @property
    def _in_menu(self) -> bool:
        """Whether one chooses from something, and does not play."""
        return self._interlude.dialog is not None or self._opening.is_choosing

    def _begin(self) -> None:
        """The engine is loaded: play."""
        assert self.worker.engine
        engine = self.worker.engine
        world = engine.world
        self.window.set_frame_size((world.frame.width, world.frame.height))
        pygame.display.set_caption(world.title)
        self._hud = Hud(world, engine.device, engine.denoise_steps)
        self._take_keys(world)
        if self._records_at_once:
            self._records_at_once = False
            self._controls.toggle_recording()
        if self._script:
            self.worker.begin(self._script(world).__next__)
        else:
            self._wants_mouse = bool(world.mouse)
            self.window.take_mouse(self._wants_mouse)
            self.worker.begin(self._take_action)
        if self._offer.note:
            self.worker.say(self._offer.note)
        elif self._greets and not self._script and self.worker.view and not self.worker.view.number:
            self.worker.say(WELCOME)
        self._greets = False

    def _come_back(self) -> None:
        """The session has ended: choose again."""
        self._keymap = self._hud = None
        self._wants_mouse = False
        self.window.take_mouse(False)
        self._opening.come_back()
        if self._waits:
            self._opening.load_again()
        self._waits = False
        self._redraw_at = float("-inf")

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
                self._close(closed)
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
            self.worker.post_in_play(lambda: self.worker.set_recall(change.make, change.says))
        elif event.type == pygame.MOUSEBUTTONDOWN and self._wants_mouse and not self.window.has_mouse:
            self.window.take_mouse(True)
            self._redraw_at = float("-inf")
        elif event.type == pygame.WINDOWFOCUSLOST and self._keymap:
            self.worker.post(self.worker.end_rewind)  # the key's release will go to another window
            self._keymap.handle(event)
        elif self._keymap and (event.type != pygame.MOUSEMOTION or self.window.has_mouse):
            self._keymap.handle(event)
            self._gamepad.play(event, self._keymap)

    def _close(self, closed: Dialog) -> None:
        """A dialog is closed: do what it asks for, and play on."""
        if isinstance(closed, SettingsScreen):
            self._apply()
        elif isinstance(closed, NamePrompt) and closed.taken:
            closed.use(closed.name)
        elif isinstance(closed, SaveMenu) and (prompt := self._opening.act(closed)):
            self._interlude.begin(prompt, None)
        self._interlude.end()
        if not isinstance(closed, PlayMenu) or closed.chosen is None:
            return
        if closed.chosen is Leave.TITLE:
            self.worker.post_in_play(self.worker.end_session)
        elif closed.chosen is Leave.QUIT:
            self._running = False
        else:
            self._keys[closed.chosen]()

    def _clicked(self, event: pygame.event.Event) -> Change | None:
        """What a click of the free mouse changes in the memory panel."""
        if event.type != pygame.MOUSEBUTTONDOWN or self.window.has_mouse or self._hud is None:
            return None
        return self._hud.memory.click(event.pos, event.button)

    def _choose(self, event: pygame.event.Event) -> None:
        """An event on the title screen."""
        self._redraw_at = float("-inf")
        if event.type == pygame.KEYDOWN and event.key == pygame.K_f:
            self._controls.toggle_fullscreen()
            return
        asked = self._opening.handle(event)
        if asked is Asked.LEAVE:
            self._running = False
        elif asked is Asked.SETTINGS:
            self._open_settings()
        elif asked is Asked.SAVE:
            self._interlude.begin(self._opening.menu(), None)

    def _open_settings(self) -> None:
        world = self.worker.engine.world if self._keymap and self.worker.engine else self._opening.world
        assert world
        self._before = self._kept.current
        self._interlude.begin(SettingsScreen(self._kept, world, self._keymap is not None), self._keymap)

    def _apply(self) -> None:
        """Have what was chosen hold from now on, as far as that is possible."""
        before, now = self._before, self._kept.current
        loads = (before.device, before.denoise_steps) != (now.device, now.denoise_steps)
        if (before.scaling, before.fullscreen) != (now.scaling, now.fullscreen):
            self.window.show_as(now.scaling, now.fullscreen)
        self.worker.autosave_s = now.autosave_seconds
        if self._keymap and self.worker.engine:
            self._take_keys(self.worker.engine.world)
            if loads:
                self._waits = True
                self.worker.say("another device or number of denoise steps holds once you come from the title screen")
        elif loads:
            self._opening.load_again()

    def _ask_name(self) -> None:
        assert self.worker.engine
        prompt = NamePrompt(self._saves, self.worker.engine.world.name, self._controls.save_as)
        self._interlude.begin(prompt, self._keymap)

    def _open_menu(self) -> None:
        self._interlude.begin(PlayMenu(self._opening.exists and not self._script), self._keymap)

    def _draw(self, elapsed_s: float) -> None:
        now, view, surface = time.monotonic(), self.worker.view, self.window.surface
        dialog = self._interlude.dialog
        if isinstance(dialog, SettingsScreen):
            dialog.draw(surface)
            self._redraw_at = float("inf")
        elif view is None or self._hud is None:
            self._opening.draw(surface, elapsed_s)
            if dialog:
                dim(surface)
                dialog.draw(surface, surface.get_rect())
            self._redraw_at = now + LoadingScreen.EVERY_S
        else:
            state = HudState(
                view=view,
                picture=self.window.draw_frame(view.picture),
                note=self.worker.note,
                paused=self.worker.paused and not dialog,
                has_mouse=self.window.has_mouse or not self._wants_mouse or dialog is not None,
                mouse_is_free=not self.window.has_mouse,
                **{f"show_{panel}": shown for panel, shown in self._controls.shown.items()},
            )
            if not isinstance(dialog, PlayMenu):  # there is much to read in it
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

    def _toggle_pause(self) -> None:
        if self._keymap and self.worker.paused:
            self._keymap.forget()
        self.worker.post(self.worker.toggle_pause)
