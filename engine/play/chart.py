"""The panels that draw what cannot be said in figures: the map of where one has been, and the latency of each step."""

from __future__ import annotations

import math
from collections import deque

import pygame

from engine.play.panel import ACCENT, DIM, LIGHT, RED, sheet
from engine.play.view import View
from engine.world import World

MOST_POINTS = 2000  # of the track; a longer one is thinned
NUM_LATENCIES = 120
CONE_SHARE = 0.16  # length of the view cone, of the map's width


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
    """A map seen from above, north up, that grows with the track; the view cone is where one is now."""

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
        places = [(x, y) for _, x, y in self.track.points] + [here]
        (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*places, strict=True))
        span = max(right - left, high - low, 2 * self._unit)
        scale = size * (1 - 2.4 * CONE_SHARE) / span
        middle = (left + right) / 2, (low + high) / 2

        def spot(place: tuple[float, float]) -> tuple[float, float]:
            return size / 2 + (place[0] - middle[0]) * scale, size / 2 - (place[1] - middle[1]) * scale

        width = max(1, size // 100)
        spots = [spot(place) for place in places]
        if len(spots) > 1:
            pygame.draw.lines(surface, DIM, False, spots, width)
        pygame.draw.circle(surface, LIGHT, spots[0], 1.6 * width)
        angle, reach = math.radians(float(pose[3])), size * CONE_SHARE
        x, y = spots[-1]
        edges = [
            (x + reach * math.cos(angle + turn), y - reach * math.sin(angle + turn))
            for turn in (self._fov / 2, self._fov / 4, 0.0, -self._fov / 4, -self._fov / 2)
        ]
        pygame.draw.polygon(surface, (*ACCENT, 90), [(x, y), *edges])
        pygame.draw.circle(surface, ACCENT, (x, y), 2 * width)
        return surface


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
        return surface
