"""Keys that are held in a menu, again and again: those of a gamepad too, which has no keyboard to do so."""

from __future__ import annotations

import time

import pygame

REPEATED = (pygame.K_UP, pygame.K_DOWN, pygame.K_LEFT, pygame.K_RIGHT, pygame.K_PAGEUP, pygame.K_PAGEDOWN)
AFTER_S, EVERY_S = 0.4, 0.09


class Repeat:
    """Watches events, and makes another one each time it is due."""

    def __init__(self) -> None:
        self._held: pygame.event.Event | None = None
        self._due_at = 0.0  # time.monotonic

    def watch(self, event: pygame.event.Event, in_menu: bool) -> None:
        """Take note of a key that goes down or up."""
        if not in_menu or event.type == pygame.WINDOWFOCUSLOST:
            self._held = None
        elif event.type == pygame.KEYDOWN:
            self._held = event if event.key in REPEATED else None
            self._due_at = time.monotonic() + AFTER_S
        elif event.type == pygame.KEYUP and self._held and event.key == self._held.key:
            self._held = None

    def due(self, in_menu: bool) -> list[pygame.event.Event]:
        """The key that is held, if it is to act again now."""
        now = time.monotonic()
        if not self._held or not in_menu or now < self._due_at:
            return []
        self._due_at = now + EVERY_S
        return [self._held]
