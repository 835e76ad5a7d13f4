"""The memory panel: pictures of what the frame was drawn from, to look at, pin and forget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pygame

from engine.model.recall import Recall
from engine.play.panel import ACCENT, DIM, LIGHT, Text, fitted_line, fitted_panel, font, sheet
from engine.play.view import MemoryView

if TYPE_CHECKING:
    from engine.session import Attended

Colour = tuple[int, int, int]
GAP_SHARE = 0.12  # of a picture's width, between pictures
BAR = (62, 68, 84)  # of a weight, where there is none
LEFT, RIGHT = 1, 3  # mouse buttons
WHAT = "drawn from these memories: the attention that each got, and how much of the view it saw"
UNKNOWN = "–"  # of a frame that was drawn before the panel was open


@dataclass(frozen=True)
class Change:
    """What a click asks for."""

    make: Callable[[Recall], Recall]
    says: str


class MemoryPanel:
    """A row of thumbnails, one for each memory slot, each with its weight and coverage; pinned ones are framed."""

    def __init__(self) -> None:
        self._spots: list[tuple[pygame.Rect, int]] = []  # in the window, and which entry is there
        self._take_back: pygame.Rect | None = None
        self._memory: MemoryView | None = None

    def hide(self) -> None:
        """Nothing of it can be clicked any more."""
        self._spots, self._take_back = [], None

    def draw(self, surface: pygame.Surface, area: pygame.Rect, memory: MemoryView, height: int, is_free: bool) -> int:
        """Draw it at the bottom of `area`; its upper edge, in pixels. `is_free`: the mouse can click."""
        self.hide()
        self._memory = memory
        margin = height // 2
        wide = (area.width - 2 * margin) / (memory.num_slots * (1 + GAP_SHARE) + GAP_SHARE)
        if not memory.attended:
            line = pygame.Rect(area.x + margin, area.bottom - margin, area.width - 2 * margin, 0)
            return self._draw_head(surface, line, memory, height, is_free)
        gap, label, tall = wide * GAP_SHARE, max(10, round(wide / 5)), wide * area.height / area.width
        strip = sheet(area.width - 2 * margin, round(tall + 2 * font(label).get_height() + 3.5 * gap))
        left, top = area.x + margin, area.bottom - margin - strip.get_height()
        surface.blit(strip, (left, top))
        most = max((attended.weight or 0.0 for attended in memory.attended), default=0.0)
        for attended in memory.attended:
            x = left + gap + attended.slot * (wide + gap)
            place = pygame.Rect(round(x), round(top + gap), round(wide), round(tall))
            self._spots.append((place, attended.entry))
            colour = ACCENT if attended.entry in memory.recall.pinned else LIGHT
            _draw_picture(surface, place, attended, colour)
            below = place.move(0, place.height + round(gap / 2))
            _draw_weight(surface, below, attended.weight, most, colour, label)
            saw = fitted_line(f"saw {100 * attended.coverage:.0f}%", label, DIM, place.width)
            surface.blit(saw, saw.get_rect(midtop=(place.centerx, below.top + font(label).get_height() + round(gap))))
        return self._draw_head(surface, pygame.Rect(left, top, strip.get_width(), 0), memory, height, is_free)

    def click(self, place: tuple[int, int], button: int) -> Change | None:
        """What a click at a place in the window asks for; None if nothing."""
        memory = self._memory
        if memory is None or button not in (LEFT, RIGHT):
            return None
        if self._take_back and self._take_back.collidepoint(place):
            return Change(lambda recall: Recall(recall.on, recall.pinned), "what was forgotten may be remembered again")
        entry = next((entry for spot, entry in self._spots if spot.collidepoint(place)), None)
        if entry is None:
            return None
        if button == RIGHT:
            return Change(lambda recall: recall.forget(entry), f"memory {entry} is forgotten")
        if entry in memory.recall.pinned:
            return Change(lambda recall: recall.release(entry), f"memory {entry} is pinned no more")
        return Change(lambda recall: recall.pin(entry), f"memory {entry} is pinned: always attended to")

    def _draw_head(
        self, surface: pygame.Surface, strip: pygame.Rect, memory: MemoryView, height: int, is_free: bool
    ) -> int:
        """The lines above the pictures; the upper edge of them."""
        space = strip.width, height * 2
        clicks = "click pins, right click forgets" if is_free else "Esc frees the mouse to pin and forget"
        what = WHAT if memory.attended else "drawn from no memory" if memory.recall.on else "memory is off"
        words = (Text(what, LIGHT), *[Text(f"  ·  {clicks}", DIM)] * bool(memory.attended))
        head = fitted_panel((words,), round(height * 0.8), space)
        place = head.get_rect(bottomleft=(strip.left, strip.top - 2))
        surface.blit(head, place)
        if memory.recall.forgotten:
            count = f"{len(memory.recall.forgotten)} forgotten"
            words = ((Text(count, ACCENT), Text("  ·  click here to take them back" if is_free else "", DIM)),)
            line = fitted_panel(words, round(height * 0.8), space)
            self._take_back = line.get_rect(bottomleft=(strip.left, place.top - 2))
            surface.blit(line, self._take_back)
            return self._take_back.top
        return place.top


def _draw_weight(
    surface: pygame.Surface, place: pygame.Rect, weight: float | None, most: float, colour: Colour, height: int
) -> None:
    """At the top of `place`: a bar, as wide as it at the weight `most`, and the weight in figures below it."""
    thick = max(2, place.width // 40)
    pygame.draw.rect(surface, BAR, (place.x, place.y, place.width, thick))
    if weight is not None and most > 0:
        pygame.draw.rect(surface, colour, (place.x, place.y, round(place.width * weight / most), thick))
    words = UNKNOWN if weight is None else f"{100 * weight:.1f}%"
    figure = fitted_line(words, height, colour, place.width)
    surface.blit(figure, figure.get_rect(midtop=(place.centerx, place.y + 2 * thick)))


def _draw_picture(surface: pygame.Surface, place: pygame.Rect, attended: Attended, colour: Colour) -> None:
    rows, columns = attended.picture.shape[:2]
    picture = pygame.image.frombuffer(attended.picture.tobytes(), (columns, rows), "RGB")
    surface.blit(pygame.transform.smoothscale(picture, place.size), place)
    if colour == ACCENT:
        pygame.draw.rect(surface, ACCENT, place.inflate(4, 4), max(2, place.width // 20))
