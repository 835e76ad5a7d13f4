"""The title screen: a picture for each save and each start scene, to choose one by keyboard, mouse or gamepad.

Where there are several worlds, their names stand side by side above the pictures of one of them. Where there are many
saves, the newest stand before the start scenes, and a card leads to all of them. Those that cannot be played on from
stand behind those that can, and say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import pygame

from engine.play.bindings import key_line
from engine.play.cards import Card, Cards, save_cards, start_cards
from engine.play.faults import Fault
from engine.play.loading import backdrop
from engine.play.panel import ACCENT, DIM, LIGHT, fitted_line, font, hint_line
from engine.play.shelf import Shelved, Weights

MOST_SAVES = 8  # cards before the start scenes
MOST_FAULTY = 3  # of them, of saves that cannot be played on from
ABOUT = "a neural network draws every frame  ·  choose where to begin"
HOME_KEYS = "Enter plays  ·  Esc quits  ·  F10 settings  ·  arrows, mouse or gamepad choose  ·  F fullscreen"
SAVE_KEYS = "Enter plays on  ·  Del, right click or a gamepad's X: rename or delete  ·  Esc quits  ·  F10 settings"
FAULTY_KEYS = "Enter says why it cannot be opened  ·  Del, right click or a gamepad's X: rename or delete"
SAVES_KEYS = "Enter plays on  ·  Del, right click or a gamepad's X: rename or delete  ·  Esc goes back"


class Asked(Enum):
    """What one can ask for but a card or a world."""

    SETTINGS = "settings"
    LEAVE = "leave"
    SAVE = "what to do with the selected save"


class Title:
    """`handle` says when something is chosen."""

    weights: Weights | None = None  # that the faults are told for

    def __init__(
        self,
        shelf: Sequence[Shelved],
        current: Shelved,
        saves: Sequence[Path],
        machine: str,
        faults: Mapping[Path, Fault] = MappingProxyType({}),
    ):
        """`current`: the one of the `shelf` whose cards are shown. `saves`: newest first.

        `machine`: a line about what will draw the world. `faults`: of the saves that cannot be played on from.
        """
        world = current.world
        self.machine, self.note, self.keys = machine, "", key_line(world)
        self._shelf, self._current = list(shelf), current
        self._names: list[pygame.Rect] = []  # where the names of the shelf stand
        self._corner = pygame.Rect(0, 0, 0, 0)  # where one clicks for the settings, or to go back
        self._points_at_corner = False
        shape = world.frame.width, world.frame.height
        kept = save_cards(saves, faults)
        self._more = Card("All saves", words=f"{len(kept)} saves")
        newest = kept[: len(kept) - max(0, len(faults) - MOST_FAULTY)]
        if len(newest) < len(kept) or len(kept) > MOST_SAVES:
            newest = [*newest[: MOST_SAVES - 1], self._more]
        self._home, self._saves = Cards([*newest, *start_cards(world)], shape), Cards(kept, shape)
        self._cards = self._home
        self._backdrop: pygame.Surface | None = None

    def handle(self, event: pygame.event.Event) -> Card | Shelved | Asked | None:
        """The card or the other world that the event chooses, or what else it asks for."""
        if event.type == pygame.KEYDOWN and event.key == pygame.K_F10:
            return Asked.SETTINGS
        if event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            return self._leave()
        if event.type == pygame.KEYDOWN and event.key == pygame.K_DELETE:
            return Asked.SAVE if self.save else None
        if event.type == pygame.KEYDOWN and event.key == pygame.K_TAB and len(self._shelf) > 1:
            return self._shelf[(self._shelf.index(self._current) + 1) % len(self._shelf)]
        chosen = self._cards.handle(event)
        if chosen is self._more:
            self._cards, chosen = self._saves, None
        if event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN):
            self._points_at_corner = self._corner.collidepoint(event.pos)
            if not chosen and event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                return self._click(event.pos)
            if event.type == pygame.MOUSEBUTTONDOWN and event.button == 3 and self.save:
                return Asked.SAVE if self.save.place.collidepoint(event.pos) else None
        return chosen

    @property
    def save(self) -> Card | None:
        """The selected card, if it is a save's."""
        return self._cards.current if self._cards.current.save else None

    def come_from(self, before: Title) -> None:
        """Look at what another title screen of this world looked at, among the saves that there are by now."""
        if before._cards is before._saves and self._more in self._home.all:
            self._cards = self._saves
        self._cards.select(before._cards.selected)

    def draw(self, surface: pygame.Surface) -> None:
        """Draw it; pictures that are there by now are in it."""
        width, height = surface.get_size()
        if self._backdrop is None or self._backdrop.get_size() != (width, height):
            self._backdrop = backdrop(width, height)
        surface.blit(self._backdrop, (0, 0))
        size, wide = max(14, height // 34), round(0.98 * width)
        head, foot = height // 5, max(54, height // 7)
        self._draw_names(surface, head * 2 // 5)
        about = fitted_line(ABOUT, size, DIM, wide)
        surface.blit(about, about.get_rect(center=(width // 2, head * 4 // 5)))
        self._cards.draw(surface, pygame.Rect(0, head, width, height - head - foot))
        words = "Settings" if self._cards is self._home else "Back"
        corner = font(size).render(words, True, ACCENT if self._points_at_corner else LIGHT)
        self._corner = surface.blit(corner, corner.get_rect(topright=(width - height // 40, height // 40)))
        keys = SAVES_KEYS if self._cards is self._saves else SAVE_KEYS if self.save else HOME_KEYS
        keys = FAULTY_KEYS if self._cards.current.fault else keys
        keys = f"{keys}  ·  Tab other worlds" if len(self._shelf) > 1 else keys
        told = fitted_line(self.note, size, ACCENT, wide) if self.note else hint_line(keys, size, LIGHT, wide)
        where = f"save {self._saves.selected + 1} of {len(self._saves.all)}"
        below = self.machine if self._cards is self._home else where
        in_play = hint_line(self.keys, size, DIM, wide)
        for line, share in ((told, 0.22), (in_play, 0.52), (fitted_line(below, size, DIM, wide), 0.82)):
            surface.blit(line, line.get_rect(center=(width // 2, height - foot + round(foot * share))))

    def _leave(self) -> Asked | None:
        """From all saves back to the first page, from there to the desktop."""
        if self._cards is self._home:
            return Asked.LEAVE
        self._cards = self._home
        return None

    def _click(self, spot: tuple[int, int]) -> Shelved | Asked | None:
        """What a click beside the cards asks for."""
        for place, other in zip(self._names, self._shelf, strict=False):
            if place.collidepoint(spot):
                return other if other != self._current else None
        if self._points_at_corner:
            return Asked.SETTINGS if self._cards is self._home else self._leave()
        return None

    def _draw_names(self, surface: pygame.Surface, middle: int) -> None:
        """The names of the worlds in one line, the present one's bright."""
        width, height = surface.get_size()
        large = font(max(24, height // 9))
        names = [large.render(one.title, True, LIGHT if one == self._current else DIM) for one in self._shelf]
        gap = height // 12
        share = min(1.0, 0.96 * width / (sum(name.get_width() + gap for name in names) - gap))
        names = [pygame.transform.smoothscale_by(name, share) for name in names] if share < 1 else names
        gap = round(gap * share)
        left = (width - sum(name.get_width() + gap for name in names) + gap) // 2
        self._names = []
        for name in names:
            self._names.append(surface.blit(name, name.get_rect(midleft=(left, middle))))
            left += name.get_width() + gap
