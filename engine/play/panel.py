"""Small translucent panels of text, the one look of everything drawn over the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pygame

BACK = (10, 12, 18, 176)
LIGHT = (240, 242, 248)
DIM = (158, 166, 184)
ACCENT = (255, 176, 64)
RED = (255, 72, 72)
LINES_PER_SCREEN = 25  # of small text
SMALLEST_TEXT = 8  # pixels
FINER = 3  # times as large as it is shown text is drawn: letters then stand where they belong, not on whole pixels
BETWEEN = "  ·  "  # the parts of a hint


@dataclass(frozen=True)
class Text:
    """A run of text in one colour."""

    words: str
    colour: tuple[int, int, int] = LIGHT


class SmoothFont:
    """pygame's own font, drawn large and brought to its size."""

    def __init__(self, height: int):
        self._large = pygame.font.Font(None, FINER * height)

    def get_height(self) -> int:
        return round(self._large.get_height() / FINER)

    def render(self, words: str, smooth: bool, colour: tuple[int, int, int]) -> pygame.Surface:
        """A line of text on nothing, as pygame.font.Font renders it."""
        large = self._large.render(words, smooth, colour)
        size = max(1, round(large.get_width() / FINER)), self.get_height()
        if not large.get_width():
            return pygame.Surface((0, size[1]), pygame.SRCALPHA)  # scaling nothing is a fault in pygame
        return pygame.transform.smoothscale(large, size)


@lru_cache(maxsize=32)
def font(height: int) -> SmoothFont:
    """The one font, `height` pixels high."""
    return SmoothFont(height)


def fitted_line(words: str, height: int, colour: tuple[int, int, int], width: int) -> pygame.Surface:
    """A line of text, smaller where it would be wider than `width`."""
    line = font(height).render(words, True, colour)
    return line if line.get_width() <= width else pygame.transform.smoothscale_by(line, width / line.get_width())


def cut_line(words: str, height: int, colour: tuple[int, int, int], width: int) -> pygame.Surface:
    """A line of text, cut off where it would be wider than `width`."""
    line = font(height).render(words, True, colour)
    while line.get_width() > width and len(words) > 1:
        words = words.removesuffix("…")[:-1].rstrip() + "…"
        line = font(height).render(words, True, colour)
    return line


def hint_line(words: str, height: int, colour: tuple[int, int, int], width: int) -> pygame.Surface:
    """A line of parts, without the last of them where it would be wider than `width`."""
    line, parts = font(height).render(words, True, colour), words.split(BETWEEN)
    while line.get_width() > width and len(parts) > 1:
        parts.pop()
        line = font(height).render(BETWEEN.join(parts), True, colour)
    return line if line.get_width() <= width else fitted_line(BETWEEN.join(parts), height, colour, width)


def text_height(area: pygame.Rect) -> int:
    """Pixels of small text over a frame drawn in `area`: readable on a small window, modest on a large one."""
    return max(16, min(40, area.height // LINES_PER_SCREEN))


def sheet(width: int, height: int) -> pygame.Surface:
    """An empty panel, in pixels."""
    surface = pygame.Surface((width, height), pygame.SRCALPHA)
    pygame.draw.rect(surface, BACK, surface.get_rect(), border_radius=max(4, height // 24))
    return surface


def dim(surface: pygame.Surface) -> None:
    """Darken all that is there, so that what is drawn over it can be read."""
    veil = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
    veil.fill((*BACK[:3], 200))
    surface.blit(veil, (0, 0))


def panel(rows: Sequence[Sequence[Text]], height: int, columns: Sequence[int] = ()) -> pygame.Surface:
    """A rounded panel of text rows, `height` pixels each.

    Runs follow one another, or stand at the offsets `columns`, in multiples of `height`.
    """
    pad, gap = round(height * 0.6), round(height * 0.35)
    drawn = [[font(height).render(text.words, True, text.colour) for text in row] for row in rows]
    spots: list[list[int]] = []
    for row in drawn:
        x, spots_here = 0, []
        for i, run in enumerate(row):
            x = round(columns[i] * height) if i < len(columns) else x
            spots_here.append(x)
            x += run.get_width()
        spots.append(spots_here)
    width = max(xs[-1] + row[-1].get_width() for xs, row in zip(spots, drawn, strict=True) if row)
    line = font(height).get_height() + gap
    surface = pygame.Surface((width + 2 * pad, line * len(rows) - gap + 2 * round(pad * 0.7)), pygame.SRCALPHA)
    pygame.draw.rect(surface, BACK, surface.get_rect(), border_radius=round(height * 0.5))
    for i, (xs, row) in enumerate(zip(spots, drawn, strict=True)):
        for x, run in zip(xs, row, strict=True):
            surface.blit(run, (pad + x, round(pad * 0.7) + i * line))
    return surface


def fitted_panel(
    rows: Sequence[Sequence[Text]], height: int, space: tuple[int, int], columns: Sequence[int] = ()
) -> pygame.Surface:
    """`panel`, in smaller text where it would not fit into `space`, (width, height) in pixels."""
    surface = panel(rows, height, columns)
    share = min(space[0] / surface.get_width(), space[1] / surface.get_height())
    return surface if share >= 1 else panel(rows, max(SMALLEST_TEXT, int(height * share)), columns)
