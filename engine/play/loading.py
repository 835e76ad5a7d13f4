"""The picture while the engine loads."""

from __future__ import annotations

import math

import pygame

from engine.play.panel import ACCENT, BETWEEN, DIM, LIGHT, fitted_line, hint_line

TOP, BOTTOM = (24, 27, 38), (8, 9, 13)
PERIOD_S = 1.8  # of the light that runs along the bar


class LoadingScreen:
    """A title, a line of text and a bar whose light runs to and fro; drawn anew about 30 times a second."""

    EVERY_S = 1 / 30

    def __init__(self, title: str, keys: str = ""):
        """`keys`: what one plays with, in a line."""
        self._title, self._keys = title, keys
        self._backdrop: pygame.Surface | None = None

    def draw(self, surface: pygame.Surface, elapsed_s: float) -> None:
        """Draw what belongs `elapsed_s` after loading began."""
        width, height = surface.get_size()
        if self._backdrop is None or self._backdrop.get_size() != (width, height):
            self._backdrop = self._draw_backdrop(width, height)
        surface.blit(self._backdrop, (0, 0))
        bar = pygame.Rect(0, 0, max(60, width // 3), max(3, height // 160))
        bar.center = (width // 2, round(height * 0.6))
        pygame.draw.rect(surface, (46, 50, 64), bar, border_radius=bar.height)
        sweep = 0.5 - 0.5 * math.cos(2 * math.pi * elapsed_s / PERIOD_S)
        light = pygame.Rect(0, 0, bar.width // 4, bar.height)
        light.topleft = (round(bar.x + sweep * (bar.width - light.width)), bar.y)
        pygame.draw.rect(surface, ACCENT, light, border_radius=bar.height)

    def _draw_backdrop(self, width: int, height: int) -> pygame.Surface:
        picture = backdrop(width, height)
        for words, size, colour, y in (
            (self._title, height // 7, LIGHT, 0.45),
            ("loading the network that draws this world", max(16, height // 30), DIM, 0.67),
        ):
            text = fitted_line(words, size, colour, round(0.98 * width))
            picture.blit(text, text.get_rect(center=(width // 2, round(height * y))))
        keys = BETWEEN.join(["Esc quits", *[self._keys] * bool(self._keys)])
        line = hint_line(keys, max(14, height // 34), DIM, round(0.98 * width))
        picture.blit(line, line.get_rect(center=(width // 2, round(height * 0.93))))
        return picture


def backdrop(width: int, height: int) -> pygame.Surface:
    """What lies behind everything that is shown before one plays."""
    column = pygame.Surface((1, 2))
    column.set_at((0, 0), TOP)
    column.set_at((0, 1), BOTTOM)
    return pygame.transform.smoothscale(column.convert(24), (width, height)).convert()
