"""The menu over the frame: all that the window's keys do, to choose by keyboard, mouse or gamepad."""

from __future__ import annotations

from enum import Enum

import pygame

from engine.play.bindings import WINDOW_KEYS, short
from engine.play.cards import CHOOSE
from engine.play.panel import ACCENT, DIM, LIGHT, SMALLEST_TEXT, fitted_line, font, sheet, text_height

BAR = (46, 50, 66)
ELSEWHERE = ("return", "backspace", "escape", "p")  # keys that the menu itself stands for, or that are held
WIDTH = 26  # of the menu, in heights of a row


class Leave(Enum):
    """Where the menu leads to but back to play."""

    TITLE = "to the title screen"
    QUIT = "quit"


Chosen = int | Leave  # one of the window's keys, by pygame's code, or the way out


class PlayMenu:
    """Two columns of things to do; the first one is to play on."""

    def __init__(self, has_title: bool):
        """`has_title`: there is a title screen to go to."""
        self.is_open = True
        self.chosen: Chosen | None = None  # None: play on
        self._items: list[tuple[str, str, Chosen | None]] = [("play on", "Esc", None)]
        for name, what in WINDOW_KEYS:
            if name not in ELSEWHERE:
                self._items.append((what, short(name), pygame.key.key_code(name)))
        self._items += [(way.value, "", way) for way in Leave if has_title or way is not Leave.TITLE]
        self._rows = -(-len(self._items) // 2)
        self._places: list[pygame.Rect] = []
        self._selected = 0

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of the keyboard or the mouse, or of a gamepad as keys."""
        if event.type == pygame.KEYDOWN and event.key in CHOOSE:
            self._choose()
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self.is_open = False
        elif event.type == pygame.KEYDOWN:
            self._go(event.key)
        elif event.type == pygame.MOUSEWHEEL:
            self._select(self._selected - event.y)
        elif event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN):
            for index, place in enumerate(self._places):
                if place.collidepoint(event.pos):
                    self._select(index)
                    if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                        self._choose()

    def draw(self, surface: pygame.Surface, area: pygame.Rect) -> None:
        """Draw it in the middle of the frame's `area`."""
        tall = max(
            SMALLEST_TEXT, min(round(1.5 * text_height(area)), area.height // (self._rows + 2), area.width // WIDTH)
        )
        wide, size = min(area.width, WIDTH * tall), max(SMALLEST_TEXT, round(0.74 * tall))
        back = sheet(wide, (self._rows + 1) * tall)
        corner = back.get_rect(center=area.center)
        surface.blit(back, corner)
        column = (wide - tall) // 2
        self._places = []
        for index, (what, hint, _) in enumerate(self._items):
            x, y = divmod(index, self._rows)
            left, top = corner.x + tall // 2 + x * column, corner.y + tall // 2 + y * tall
            place = pygame.Rect(left, top, column - tall // 4, tall)
            self._places.append(place)
            chosen = index == self._selected
            if chosen:
                pygame.draw.rect(surface, BAR, place, border_radius=tall // 4)
            key = font(size).render(hint, True, DIM)
            room = place.width - tall - key.get_width()
            words = fitted_line(what, size, ACCENT if chosen else LIGHT, room)
            surface.blit(words, words.get_rect(midleft=(left + tall // 3, place.centery)))
            surface.blit(key, key.get_rect(midright=(place.right - tall // 3, place.centery)))

    def _go(self, key: int) -> None:
        step = {pygame.K_UP: -1, pygame.K_DOWN: 1, pygame.K_LEFT: -self._rows, pygame.K_RIGHT: self._rows}.get(key, 0)
        if 0 <= self._selected + step < len(self._items):
            self._select(self._selected + step)
        elif key == pygame.K_RIGHT and self._selected < self._rows:
            self._select(len(self._items) - 1)  # the shorter column ends above

    def _select(self, index: int) -> None:
        self._selected = max(0, min(len(self._items) - 1, index))

    def _choose(self) -> None:
        self.chosen, self.is_open = self._items[self._selected][2], False
