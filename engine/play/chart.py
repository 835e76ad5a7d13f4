"""The panels that draw what cannot be said in figures: the map of where one has been, and the latency of each step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import pygame

from engine.play.panel import ACCENT, BACK, DIM, LIGHT, RED, SMALLEST_TEXT, font, sheet
from engine.play.view import MemoryView, View
from engine.world import World

MOST_POINTS = 2000  # of the track; a longer one is thinned
NUM_LATENCIES = 120
DOTS_ACROSS = 48  # of remembered places, at most
MEMORY, BRIGHT = (70, 130, 180), (120, 220, 255)  # what is remembered, and what is attended to of it
CONE_SHARE = 0.16  # length of the view cone, of the map's width

Spot = tuple[float, float]


class Track:
    """Where one has been in this session: believed positions and the number of the frame seen from each."""

    def __init__(self, step: float):
        """`step`: game units between two points that are kept."""
        self.points: list[tuple[int, float, float]] = []  # frame number, x, y
        self._step, self._session, self._number = step, -1, -1

    def note(self, view: View) -> None:
        """Take note of where a frame was seen from; going back in time shortens the track."""
        if view.session != self._session:
            self.points, self._session = [], view.session
        elif view.number < self._number:
            self.points = [point for point in self.points if point[0] <= view.number]
        self._number = view.number
        pose = view.info.get("pose")
        if pose is None or not all(math.isfinite(value) for value in pose):
            return
        x, y = float(pose[0]), float(pose[1])
        if not self.points or math.dist(self.points[-1][1:], (x, y)) >= self._step:
            self.points.append((view.number, x, y))
            if len(self.points) > MOST_POINTS:
                self.points, self._step = self.points[::2], 2 * self._step


class MapPanel:
    """A map seen from above, north up, that grows with the track; the view cone is where one is now.

    Dots are the places that the memory bank has entries of, bright ones those that the frame was drawn from.
    """

    def __init__(self, world: World):
        self._fov, self._unit = math.radians(world.camera.fov), world.camera.pose_unit
        self.track = Track(world.camera.pose_unit / 16)

    def draw(self, size: int, view: View) -> pygame.Surface:
        """The map, `size` pixels each way."""
        surface = sheet(size, size)
        pose = view.info.get("pose")
        if pose is None:
            return surface
        here = float(pose[0]), float(pose[1])
        track = [(x, y) for _, x, y in self.track.points] + [here]
        remembered = view.memory.places[:, :2] if view.memory else np.zeros((0, 2), dtype=np.float32)
        everywhere = np.concatenate([np.array(track), remembered])
        (left, low), (right, high) = everywhere.min(axis=0), everywhere.max(axis=0)
        span = max(right - left, high - low, 2 * self._unit)
        scale = size * (1 - 2.4 * CONE_SHARE) / span
        middle = (left + right) / 2, (low + high) / 2

        def spot(place: Sequence[float] | np.ndarray) -> tuple[float, float]:
            return size / 2 + float(place[0] - middle[0]) * scale, size / 2 - float(place[1] - middle[1]) * scale

        width = max(1, size // 100)
        spots = [spot(place) for place in track]
        if len(spots) > 1:
            pygame.draw.lines(surface, DIM, False, spots, width)
        pygame.draw.circle(surface, LIGHT, spots[0], 1.6 * width)
        for place in thinned(remembered, span / DOTS_ACROSS):
            pygame.draw.circle(surface, MEMORY, spot(place), size / 90)
        self._draw_cone(surface, spots[-1], math.radians(float(pose[3])), size * CONE_SHARE)
        if view.memory:
            self._draw_attended(surface, view.memory, spot, size / 64)
        pygame.draw.circle(surface, ACCENT, spots[-1], 2 * width)
        return surface

    def _draw_cone(self, surface: pygame.Surface, eye: tuple[float, float], angle: float, reach: float) -> None:
        edges = [
            (eye[0] + reach * math.cos(angle + turn), eye[1] - reach * math.sin(angle + turn))
            for turn in (self._fov / 2, self._fov / 4, 0.0, -self._fov / 4, -self._fov / 2)
        ]
        pygame.draw.polygon(surface, (*ACCENT, 90), [eye, *edges])

    def _draw_attended(
        self, surface: pygame.Surface, memory: MemoryView, spot: Callable[[Sequence[float]], Spot], radius: float
    ) -> None:
        """What the frame was drawn from: where it was seen from, and which way; pinned ones in a ring."""
        for attended in memory.attended:
            x, y = spot(attended.pose)
            angle = math.radians(attended.pose[3])
            tip = x + 3 * radius * math.cos(angle), y - 3 * radius * math.sin(angle)
            pygame.draw.line(surface, BRIGHT, (x, y), tip, max(1, round(radius / 2)))
            pygame.draw.circle(surface, BRIGHT, (x, y), radius)
            if attended.entry in memory.recall.pinned:
                pygame.draw.circle(surface, ACCENT, (x, y), 2 * radius, max(1, round(radius / 2)))


def thinned(places: np.ndarray, step: float) -> np.ndarray:
    """Of places [n, 2], one in each square of side `step`, so that there are never too many to draw."""
    if not len(places):
        return places
    squares = np.floor((places - places.min(axis=0)) / step).astype(np.int64)
    _, first = np.unique(squares[:, 0] * (squares[:, 1].max() + 1) + squares[:, 1], return_index=True)
    return places[np.sort(first)]


class LatencyPanel:
    """A bar for each of the last steps, and a line at the time there is for one."""

    def __init__(self, world: World):
        self._budget_ms = 1000 / world.rate
        self._latencies: deque[float] = deque(maxlen=NUM_LATENCIES)
        self._number = 0

    def note(self, view: View) -> None:
        """Take note of a step."""
        if view.number > self._number:
            self._latencies.append(view.latency_ms)
        self._number = view.number

    def draw(self, width: int, height: int) -> pygame.Surface:
        """The graph; twice the time there is reaches its top."""
        surface = sheet(width, height)
        pad = max(3, height // 10)
        tall, bar = height - 2 * pad, (width - 2 * pad) / NUM_LATENCIES
        for index, latency in enumerate(reversed(self._latencies)):
            share = min(1.0, latency / (2 * self._budget_ms))
            right = width - pad - index * bar
            top = height - pad - share * tall
            colour = RED if latency > self._budget_ms else LIGHT
            pygame.draw.rect(
                surface, colour, pygame.Rect(int(right - bar), int(top), math.ceil(bar), math.ceil(share * tall))
            )
        line = height - pad - tall // 2
        pygame.draw.line(surface, ACCENT, (pad, line), (width - pad, line), max(1, height // 80))
        label = font(max(SMALLEST_TEXT, height // 5)).render(f" {self._budget_ms:.0f} ms ", True, ACCENT)
        place = label.get_rect(bottomleft=(pad, line - 1))
        surface.fill((*BACK[:3], 255), place)  # bars may be behind it
        surface.blit(label, place)
        return surface
