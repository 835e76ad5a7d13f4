"""The title screen: a picture for each save and each start scene, to choose one by keyboard, mouse or gamepad.

Where there are several worlds, their names stand side by side above the pictures of one of them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pygame

from engine.data import starts
from engine.errors import SaveError
from engine.play.loading import backdrop
from engine.play.panel import ACCENT, DIM, LIGHT, font
from engine.play.shelf import Shelved

MOST_SAVES = 8
ROWS = 3  # of cards that are seen at once
MOVES = {pygame.K_LEFT: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_UP: (0, -1), pygame.K_DOWN: (0, 1)}
CHOOSE = (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_SPACE)
EMPTY = (38, 42, 56)
DATED = re.compile(r"\b\d{4}-\d\d-\d\d\b")


class Asked(Enum):
    """What one can ask for but a card or a world."""

    SETTINGS = "settings"


@dataclass
class Card:
    """One thing to choose: a save's file, or a start scene by its number and picture."""

    label: str
    save: Path | None = None
    start: int = 0
    file: Path | None = None  # the start scene's picture
    picture: pygame.Surface | None = None
    scaled: pygame.Surface | None = None
    place: pygame.Rect = field(default_factory=lambda: pygame.Rect(0, 0, 0, 0))


class Title:
    """Cards in rows; `handle` says when one is chosen. Pictures come one by one, so that the window never waits."""

    def __init__(self, shelf: Sequence[Shelved], current: Shelved, saves: Sequence[Path], machine: str):
        """`current`: the one of the `shelf` whose cards are shown. `saves`: newest first.

        `machine`: a line about what will draw the world.
        """
        self.machine, self.note = machine, ""
        world = current.world
        self._shelf, self._current = list(shelf), current
        self._names: list[pygame.Rect] = []  # where the names of the shelf stand
        self._settings = pygame.Rect(0, 0, 0, 0)  # where one clicks for the settings
        self._points_at_settings = False
        self._shape = world.frame.width, world.frame.height
        self._cards = [Card(_when(path), save=path) for path in saves[:MOST_SAVES]]
        for folder in sorted(path.parent for path in starts.starts_folder(world).glob("*/start.json")):
            pictures = sorted(folder.glob("frame_*.png"))
            index = sum(card.save is None for card in self._cards)
            self._cards.append(Card(f"Start {index}", start=index, file=pictures[-1] if pictures else None))
        self._selected, self._columns, self._scroll = 0, 1, 0
        self._backdrop: pygame.Surface | None = None
        # Reading a save brings torch, which takes seconds: not on the window's thread.
        threading.Thread(target=self._read_saves, name="pictures", daemon=True).start()

    def handle(self, event: pygame.event.Event) -> Card | Shelved | Asked | None:
        """The card or the other world that the event chooses, or what else it asks for."""
        if event.type == pygame.KEYDOWN and event.key == pygame.K_F10:
            return Asked.SETTINGS
        if event.type == pygame.KEYDOWN and event.key in MOVES:
            across, down = MOVES[event.key]
            self._select(self._selected + across + down * self._columns)
        elif event.type == pygame.KEYDOWN and event.key in CHOOSE:
            return self._cards[self._selected]
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_TAB and len(self._shelf) > 1:
            return self._shelf[(self._shelf.index(self._current) + 1) % len(self._shelf)]
        elif event.type == pygame.MOUSEWHEEL:
            self._select(self._selected - event.y * self._columns)
        elif event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN):
            self._points_at_settings = self._settings.collidepoint(event.pos)
            for index, card in enumerate(self._cards):
                if card.place.collidepoint(event.pos):
                    self._selected = index
                    return card if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1 else None
            for place, other in zip(self._names, self._shelf, strict=False):
                if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1 and place.collidepoint(event.pos):
                    return other if other != self._current else None
            if self._points_at_settings and event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                return Asked.SETTINGS
        return None

    def draw(self, surface: pygame.Surface) -> None:
        """Draw it, with one more picture than the time before."""
        width, height = surface.get_size()
        if self._backdrop is None or self._backdrop.get_size() != (width, height):
            self._backdrop = backdrop(width, height)
            for card in self._cards:
                card.scaled = None
        surface.blit(self._backdrop, (0, 0))
        self._read_picture()
        head, foot = height // 6, max(40, height // 9)
        self._draw_names(surface, head // 2 + 4)
        self._draw_cards(surface, pygame.Rect(0, head, width, height - head - foot))
        small = font(max(14, height // 34))
        settings = small.render("Settings", True, ACCENT if self._points_at_settings else LIGHT)
        self._settings = surface.blit(settings, settings.get_rect(topright=(width - height // 40, height // 40)))
        keys = "arrows, mouse or gamepad choose  ·  Enter plays  ·  F fullscreen  ·  F10 settings  ·  Esc quits"
        keys = f"{keys}  ·  Tab other worlds" if len(self._shelf) > 1 else keys
        for words, colour, share in ((self.note or keys, ACCENT if self.note else DIM, 0.3), (self.machine, DIM, 0.72)):
            line = small.render(words, True, colour)
            if line.get_width() > width:
                line = pygame.transform.smoothscale_by(line, width / line.get_width())
            surface.blit(line, line.get_rect(center=(width // 2, height - foot + round(foot * share))))

    def _draw_names(self, surface: pygame.Surface, middle: int) -> None:
        """The names of the worlds in one line, the present one's bright."""
        width, height = surface.get_size()
        large = font(max(24, height // 9))
        names = [large.render(one.world.title, True, LIGHT if one == self._current else DIM) for one in self._shelf]
        gap = height // 12
        share = min(1.0, 0.96 * width / (sum(name.get_width() + gap for name in names) - gap))
        names = [pygame.transform.smoothscale_by(name, share) for name in names] if share < 1 else names
        gap = round(gap * share)
        left = (width - sum(name.get_width() + gap for name in names) + gap) // 2
        self._names = []
        for name in names:
            self._names.append(surface.blit(name, name.get_rect(midleft=(left, middle))))
            left += name.get_width() + gap

    def _draw_cards(self, surface: pygame.Surface, room: pygame.Rect) -> None:
        self._columns = max(1, min(4, room.width // 200))
        gap = max(8, room.width // 60)
        text = font(max(14, room.height // 24))
        under = gap + text.get_height()
        widest = (room.width - gap) // self._columns - gap
        tall = max(8, min(widest * self._shape[1] // self._shape[0], room.height // ROWS - under))
        size, step = tall * self._shape[0] // self._shape[1], tall + under
        left = (room.width - self._columns * (size + gap) + gap) // 2
        row = self._selected // self._columns
        visible = max(1, room.height // step)
        self._scroll = min(max(self._scroll, row - visible + 1), row)
        surface.set_clip(room)
        for index, card in enumerate(self._cards):
            x, y = index % self._columns, index // self._columns - self._scroll
            card.place = pygame.Rect(left + x * (size + gap), room.y + 4 + y * step, size, tall)
            if not card.place.colliderect(room):
                continue
            pygame.draw.rect(surface, EMPTY, card.place)
            if card.picture and (card.scaled is None or card.scaled.get_size() != card.place.size):
                card.scaled = pygame.transform.smoothscale(card.picture, card.place.size)
            if card.scaled:
                surface.blit(card.scaled, card.place)
            chosen = index == self._selected
            if chosen:
                pygame.draw.rect(surface, ACCENT, card.place.inflate(6, 6), width=3, border_radius=4)
            label = text.render(card.label, True, ACCENT if chosen else LIGHT)
            surface.blit(label, (card.place.x, card.place.bottom + 3))
        surface.set_clip(None)
        for card in self._cards:  # one cannot point at what is hidden
            card.place = card.place.clip(room)

    def _select(self, index: int) -> None:
        self._selected = max(0, min(len(self._cards) - 1, index))

    def _read_picture(self) -> None:
        """One start scene's picture that has not been read yet."""
        card = next((card for card in self._cards if card.file and not card.picture), None)
        if card and card.file:
            try:
                card.picture = pygame.image.load(str(card.file)).convert()
            except (OSError, pygame.error):
                card.file = None

    def _read_saves(self) -> None:
        kept = [card for card in self._cards if card.save]
        if not kept:
            return
        from engine.data import savefile

        for card in kept:
            assert card.save
            try:
                frame = savefile.describe(card.save)[1]
            except SaveError:
                card.label += " (damaged)"
                continue
            size = frame.shape[1], frame.shape[0]
            card.picture = pygame.image.frombuffer(frame.tobytes(), size, "RGB")


def _when(path: Path) -> str:
    """A save's name, and when it was written."""
    try:
        written = time.localtime(path.stat().st_mtime)
    except OSError:
        return path.stem
    return path.stem if DATED.search(path.stem) else f"{path.stem}  ·  {time.strftime('%d %b %H:%M', written)}"
