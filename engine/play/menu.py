"""A list of things to do, over what is shown, to choose from by keyboard, mouse or gamepad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pygame

from engine.play.cards import CHOOSE
from engine.play.panel import ACCENT, DIM, LIGHT, SMALLEST_TEXT, fitted_line, font, sheet, text_height

BAR = (46, 50, 66)
WIDTHS = {1: 17, 2: 26}  # of a menu of so many columns, in heights of a row


@dataclass(frozen=True)
class Item:
    """One thing to do."""

    what: str
    value: Any  # what is chosen by it
    key: str = ""  # that does the same without the menu
    says: str = ""  # more about it, while it is selected


class Menu:
    """Items in columns, below a heading where there is one; a line at the bottom says more of the selected one.

    Esc chooses nothing.
    """

    def __init__(self, items: Sequence[Item], head: str = "", columns: int = 1):
        self.is_open = True
        self.chosen: Any = None
        self._head, self._columns = head, columns
        self._show(items)

    def _show(self, items: Sequence[Item], selected: int = 0) -> None:
        self._items, self._selected = list(items), selected
        self._rows = -(-len(self._items) // self._columns)
        self._places: list[pygame.Rect] = []

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of the keyboard or the mouse, or of a gamepad as keys."""
        if event.type == pygame.KEYDOWN and event.key in CHOOSE:
            self._choose(self._items[self._selected])
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self.is_open = False
        elif event.type == pygame.KEYDOWN:
            self._go(event.key)
        elif event.type == pygame.MOUSEWHEEL:
            self._select(self._selected - event.y)
        elif event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN):
            index = next((i for i, place in enumerate(self._places) if place.collidepoint(event.pos)), None)
            if index is not None:
                self._select(index)
                if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                    self._choose(self._items[index])

    def draw(self, surface: pygame.Surface, area: pygame.Rect) -> None:
        """Draw it in the middle of `area`."""
        lines = self._rows + bool(self._head) + any(item.says for item in self._items)
        width = WIDTHS[self._columns]
        tall = min(round(1.5 * text_height(area)), area.height // (lines + 2), area.width // width)
        tall = max(SMALLEST_TEXT, tall)
        wide, size = min(area.width, width * tall), max(SMALLEST_TEXT, round(0.74 * tall))
        back = sheet(wide, (lines + 1) * tall)
        corner = back.get_rect(center=area.center)
        surface.blit(back, corner)
        left, top, room = corner.x + tall // 2 + tall // 3, corner.y + tall // 2, wide - tall - tall // 2
        if self._head:
            head = fitted_line(self._head, size, DIM, room)
            surface.blit(head, head.get_rect(midleft=(left, top + tall // 2)))
            top += tall
        column = (wide - tall) // self._columns
        self._places = []
        for index, item in enumerate(self._items):
            x, y = divmod(index, self._rows)
            place = pygame.Rect(corner.x + tall // 2 + x * column, top + y * tall, column - tall // 4, tall)
            self._places.append(place)
            _draw_item(surface, place, item, size, index == self._selected)
        says = fitted_line(self._items[self._selected].says, round(0.85 * size), DIM, room)
        surface.blit(says, says.get_rect(midleft=(left, top + self._rows * tall + tall // 2)))

    def _go(self, key: int) -> None:
        step = {pygame.K_UP: -1, pygame.K_DOWN: 1, pygame.K_LEFT: -self._rows, pygame.K_RIGHT: self._rows}.get(key, 0)
        if 0 <= self._selected + step < len(self._items):
            self._select(self._selected + step)
        elif key == pygame.K_RIGHT and self._columns > 1 and self._selected < self._rows:
            self._select(len(self._items) - 1)  # the shorter column ends above

    def _select(self, index: int) -> None:
        self._selected = max(0, min(len(self._items) - 1, index))

    def _choose(self, item: Item) -> None:
        self.chosen, self.is_open = item.value, False


def _draw_item(surface: pygame.Surface, place: pygame.Rect, item: Item, size: int, chosen: bool) -> None:
    """What it does at the left, the key that does it at the right."""
    if chosen:
        pygame.draw.rect(surface, BAR, place, border_radius=place.height // 4)
    key = font(size).render(item.key, True, DIM)
    words = fitted_line(item.what, size, ACCENT if chosen else LIGHT, place.width - place.height - key.get_width())
    surface.blit(words, words.get_rect(midleft=(place.x + place.height // 3, place.centery)))
    surface.blit(key, key.get_rect(midright=(place.right - place.height // 3, place.centery)))
