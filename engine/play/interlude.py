"""Dialogs while the game rests: the menus, the settings screen, and the asking for a save's name."""

from __future__ import annotations

import pygame

from engine.play.keymap import Keymap
from engine.play.name_prompt import NamePrompt
from engine.play.play_menu import PlayMenu
from engine.play.save_menu import SaveMenu
from engine.play.settings_screen import SettingsScreen
from engine.play.window import Window
from engine.play.worker import Worker

Dialog = SettingsScreen | NamePrompt | PlayMenu | SaveMenu


class Interlude:
    """Gives a dialog the keyboard, and has play rest until it closes."""

    def __init__(self, window: Window, worker: Worker):
        self.dialog: Dialog | None = None
        self._window, self._worker = window, worker
        self._plays = self._was_paused = self._had_mouse = False

    def begin(self, dialog: Dialog, keymap: Keymap | None) -> None:
        """Open a dialog. `keymap`: of the world that is played, which gets no keys meanwhile; None before one plays."""
        self.dialog, self._had_mouse, self._plays = dialog, self._window.has_mouse, keymap is not None
        self._window.take_text(isinstance(dialog, NamePrompt))
        if not isinstance(dialog, NamePrompt) and self._had_mouse:
            self._window.take_mouse(False)
        if keymap:
            keymap.release()
            self._worker.post(self._worker.end_rewind)
            self._worker.post(self._rest)

    def handle(self, event: pygame.event.Event) -> Dialog | None:
        """An event for the dialog; the dialog, if that closes it and play goes on."""
        assert self.dialog
        self.dialog.handle(event)
        if self.dialog.is_open:
            return None
        closed, self.dialog = self.dialog, None
        self._window.take_text(False)
        if not isinstance(closed, NamePrompt) and self._had_mouse:
            self._window.take_mouse(True)
        return closed

    def end(self) -> None:
        """Let play go on; to be called once all that a dialog asked for is posted."""
        if self._plays:
            self._worker.post(lambda: self._worker.pause(self._was_paused))

    def _rest(self) -> None:
        self._was_paused = self._worker.paused
        self._worker.pause(True)
