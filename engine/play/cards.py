"""Cards with pictures, in rows that scroll: saves and start scenes to choose from."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pygame

from engine.data import starts
from engine.errors import SaveError
from engine.play.faults import Fault, unreadable
from engine.play.panel import ACCENT, BACK, DIM, LIGHT, cut_line, fitted_line, font
from engine.world import World

ROWS, COLUMNS = 3, 4  # that are seen at once, at most
LEAST = 96, 150  # pixels from one row or column to the next, or there are fewer
ROOMY = 180  # pixels of a card's width from which on its name and its time stand in one line
MOVES = {pygame.K_LEFT: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_UP: (0, -1), pygame.K_DOWN: (0, 1)}
CHOOSE = (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_SPACE)
EMPTY = (38, 42, 56)
DATED = re.compile(r"\b\d{4}-\d\d-\d\d\b")


@dataclass(eq=False)
class Card:
    """One thing to choose: a save's file, a start scene by its number, or, with neither picture, a way to more."""

    label: str
    save: Path | None = None
    start: int = 0
    when: str = ""  # it was saved
    file: Path | None = None  # of the picture
    words: str = ""  # in place of a picture
    fault: Fault | None = None  # why it cannot be played from
    picture: pygame.Surface | None = None
    scaled: pygame.Surface | None = None
    place: pygame.Rect = field(default_factory=lambda: pygame.Rect(0, 0, 0, 0))


def save_cards(paths: Iterable[Path], faults: Mapping[Path, Fault]) -> list[Card]:
    """A card for each save, those with faults behind the others."""
    cards = [Card(path.stem, save=path, when=_when(path), file=path, fault=faults.get(path)) for path in paths]
    return sorted(cards, key=lambda card: card.fault is not None)


def start_cards(world: World) -> list[Card]:
    """A card for each start scene of a world."""
    cards = []
    for index, start in enumerate(sorted(starts.starts_folder(world).glob("*/start.json"))):
        pictures = sorted(start.parent.glob("frame_*.png"))
        cards.append(Card(f"Start {index}", start=index, file=pictures[-1] if pictures else None))
    return cards


class Cards:
    """Rows of cards, of which one is selected, at first one that can be played from.

    Pictures come by a thread of their own, those in sight first.
    """

    def __init__(self, cards: Sequence[Card], shape: tuple[int, int]):
        """`shape`: of the pictures, (width, height)."""
        self.all = list(cards)
        self.selected = next((index for index, card in enumerate(self.all) if not card.fault), 0)
        self._shape, self._columns, self._rows, self._scroll = shape, 1, 1, 0
        self._wanted: list[Card] = []  # whose pictures are in sight and not read yet
        self._reader: threading.Thread | None = None

    @property
    def current(self) -> Card:
        """The selected card."""
        return self.all[self.selected]

    def handle(self, event: pygame.event.Event) -> Card | None:
        """The card that the event chooses."""
        if event.type == pygame.KEYDOWN and event.key in CHOOSE:
            return self.current
        if event.type == pygame.KEYDOWN:
            self._go(event.key)
        elif event.type == pygame.MOUSEWHEEL:
            self.select(self.selected - event.y * self._columns)
        elif event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN):
            for index, card in enumerate(self.all):
                if card.place.collidepoint(event.pos):
                    self.selected = index
                    return card if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1 else None
        return None

    def draw(self, surface: pygame.Surface, room: pygame.Rect) -> None:
        """Draw the rows around the selected card, and, where there are more, a bar that says which they are."""
        self._columns = max(1, min(COLUMNS, room.width // LEAST[1]))
        rows = max(1, min(ROWS, room.height // LEAST[0]))
        gap = max(8, room.width // 60)
        size = max(14, room.height // 24)
        widest = (room.width - gap) // self._columns - gap
        under = gap + font(size).get_height() * (1 + (widest < ROOMY and any(card.when for card in self.all)))
        tall = max(8, min(widest * self._shape[1] // self._shape[0], room.height // rows - under))
        wide, step = tall * self._shape[0] // self._shape[1], tall + under
        left = (room.width - self._columns * (wide + gap) + gap) // 2
        row = self.selected // self._columns
        self._rows = max(1, room.height // step)
        total = -(-len(self.all) // self._columns)
        self._scroll = max(0, min(max(self._scroll, row - self._rows + 1), row, total - self._rows))
        surface.set_clip(room)
        self._wanted = []
        for index, card in enumerate(self.all):
            x, y = index % self._columns, index // self._columns - self._scroll
            card.place = pygame.Rect(left + x * (wide + gap), room.y + 4 + y * step, wide, tall)
            if card.place.colliderect(room):
                _draw_card(surface, card, size, index == self.selected, widest < ROOMY)
                self._wanted += [card] * (card.file is not None and card.picture is None)
        surface.set_clip(None)
        for card in self.all:  # one cannot point at what is hidden
            card.place = card.place.clip(room)
        self._draw_bar(surface, room, left + self._columns * (wide + gap), total)
        self._read()

    def _draw_bar(self, surface: pygame.Surface, room: pygame.Rect, left: int, total: int) -> None:
        """How far down one is, to the right of the cards."""
        if total <= self._rows:
            return
        width = max(4, room.width // 160)
        bar = pygame.Rect(min(left, room.right - 2 * width), room.y + 4, width, room.height - 8)
        pygame.draw.rect(surface, EMPTY, bar, border_radius=width)
        seen = pygame.Rect(bar.x, bar.y + bar.height * self._scroll // total, width, bar.height * self._rows // total)
        pygame.draw.rect(surface, DIM, seen, border_radius=width)

    def _go(self, key: int) -> None:
        """Move the selection as a key says."""
        page = self._columns * max(1, self._rows - 1)
        if key in MOVES:
            across, down = MOVES[key]
            self.select(self.selected + across + down * self._columns)
        elif key in (pygame.K_PAGEUP, pygame.K_PAGEDOWN):
            self.select(self.selected + (page if key == pygame.K_PAGEDOWN else -page))
        elif key in (pygame.K_HOME, pygame.K_END):
            self.select(0 if key == pygame.K_HOME else len(self.all) - 1)

    def select(self, index: int) -> None:
        """Select a card, or the nearest that there is."""
        self.selected = max(0, min(len(self.all) - 1, index))

    def _read(self) -> None:
        """Have the pictures in sight read, not on the window's thread, which must not wait for a disk."""
        if self._wanted and (self._reader is None or not self._reader.is_alive()):
            self._reader = threading.Thread(target=self._read_wanted, name="pictures", daemon=True)
            self._reader.start()

    def _read_wanted(self) -> None:
        while card := next((card for card in self._wanted if card.file and card.picture is None), None):
            assert card.file
            try:
                card.picture = _picture_of_save(card.file) if card.save else pygame.image.load(str(card.file))
            except (SaveError, OSError, pygame.error) as error:
                card.file = None
                card.fault = card.fault or (unreadable(card.save, error) if card.save else None)


def _picture_of_save(path: Path) -> pygame.Surface:
    from engine.data import savefile

    frame = savefile.describe(path)[1]
    return pygame.image.frombuffer(frame.tobytes(), (frame.shape[1], frame.shape[0]), "RGB")


def _draw_card(surface: pygame.Surface, card: Card, size: int, chosen: bool, is_narrow: bool) -> None:
    """A picture, and below it what it is of and when that was; one below the other where it `is_narrow`."""
    place = card.place
    pygame.draw.rect(surface, EMPTY, place)
    if card.picture and (card.scaled is None or card.scaled.get_size() != place.size):
        card.scaled = pygame.transform.smoothscale(card.picture.convert(surface), place.size)
    if card.scaled:
        surface.blit(card.scaled, place)
    if card.scaled and card.fault:
        veil = pygame.Surface(place.size, pygame.SRCALPHA)
        veil.fill(BACK)
        surface.blit(veil, place)
    if said := card.fault.mark if card.fault else card.words:
        words = fitted_line(said, size, LIGHT, place.width)
        surface.blit(words, words.get_rect(center=place.center))
    if chosen:
        pygame.draw.rect(surface, ACCENT, place.inflate(6, 6), width=3, border_radius=4)
    when = fitted_line(card.when, size, DIM, place.width)
    room = place.width - (when.get_width() + size // 2 if card.when and not is_narrow else 0)
    label = cut_line(card.label, size, ACCENT if chosen else DIM if card.fault else LIGHT, room)
    below = surface.blit(label, (place.x, place.bottom + 4))
    at = (place.right - when.get_width(), below.y) if not is_narrow else (place.x, below.bottom)
    surface.blit(when, at)


def _when(path: Path) -> str:
    """When a save was written, as short as it can be said; nothing if its name tells."""
    try:
        written = path.stat().st_mtime
    except OSError:
        return ""
    if DATED.search(path.stem):
        return ""
    then, now = time.localtime(written), time.localtime()
    if then[:3] == now[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%d %b %H:%M" if then[0] == now[0] else "%d %b %Y", then)
