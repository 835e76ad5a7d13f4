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


@dataclass(frozen=True)
class Text:
    """A run of text in one colour."""

    words: str
    colour: tuple[int, int, int] = LIGHT


@lru_cache(maxsize=32)
def font(height: int, bold: bool = False) -> pygame.Font:
    """pygame's own font, `height` pixels high."""
    made = pygame.font.Font(None, height)
    made.set_bold(bold)
    return made


def text_height(area: pygame.Rect) -> int:
    """Pixels of small text over a frame drawn in `area`: readable on a small window, modest on a large one."""
    return max(16, min(40, area.height // LINES_PER_SCREEN))


def sheet(width: int, height: int) -> pygame.Surface:
    """An empty panel, in pixels."""
    surface = pygame.Surface((width, height), pygame.SRCALPHA)
    pygame.draw.rect(surface, BACK, surface.get_rect(), border_radius=max(4, height // 24))
    return surface


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
