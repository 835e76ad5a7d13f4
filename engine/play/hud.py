"""What is drawn over the frame: figures, notes, the pause sign and the table of keys."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import pygame

from engine.play.bindings import WINDOW_KEYS, short
from engine.play.chart import LatencyPanel, MapPanel
from engine.play.gamepad import HELP as GAMEPAD
from engine.play.memory_panel import MemoryPanel
from engine.play.panel import ACCENT, DIM, LIGHT, RED, Text, fitted_panel, text_height
from engine.play.view import GENERATED, REAL, Note, View
from engine.world import World

SLOW_S = 15.0  # that it is said that the machine is too slow; the figures say so as long as it is
FIGURES_EVERY_S = 0.25  # figures that change with each frame cannot be read


@dataclass(frozen=True)
class HudState:
    """What the HUD shows."""

    view: View
    note: Note
    paused: bool
    has_mouse: bool  # or there is no use for it
    show_figures: bool
    show_keys: bool
    show_map: bool = False
    show_graph: bool = False
    show_memory: bool = False
    mouse_is_free: bool = False
    picture: pygame.Rect | None = None  # where in the window it lies; None: all over the area


class Hud:
    """Draws a HudState; text is rendered only when it changes."""

    def __init__(self, world: World, device: str = "cpu", denoise_steps: int = 1):
        """`device`, `denoise_steps`: what the world is drawn with, to say what to change where that is too slow."""
        self._world = world
        fewer = f"{denoise_steps - 1} denoise step{'s' * (denoise_steps > 2)} a frame (F10)"
        faster = [fewer] * (denoise_steps > 1) + ["a GPU"] * (device == "cpu")
        self._faster = ", ".join([*faster, "fewer other programs"])
        self._slow_from: float | None = None  # time.monotonic
        self._figures: tuple[tuple[Text, ...], ...] = ()
        self._figures_at = float("-inf")
        self._map, self._graph = MapPanel(world), LatencyPanel(world)
        self.memory = MemoryPanel()
        self._noted: View | None = None

    def show_keys_of(self, world: World) -> None:
        """Have the table of keys tell of this world's: the same world with other keys."""
        self._world = world

    def draw(self, surface: pygame.Surface, area: pygame.Rect, state: HudState, now: float) -> None:
        """Draw over the frame in `area`; `now` is time.monotonic()."""
        height = text_height(area)
        margin = height // 2
        self._note(state.view)
        charts: list[pygame.Rect] = []
        if not state.show_keys:  # the table needs the room
            charts = self._draw_charts(surface, area, state, height)
        figures = pygame.Rect(0, 0, 0, 0)
        if state.show_figures and not state.show_keys:
            drawn = _panel(self._current_figures(state.view, now), height, area.size)
            figures = surface.blit(drawn, (area.x + margin, area.y + margin))
        if state.view.recording:
            self._draw_recording(surface, area, height)
        self._draw_signs(surface, area, state, height, [figures, *charts])
        if state.show_keys:
            table = self._keys(height, (area.width, area.height - 3 * height))  # below it is room for a note
            surface.blit(table, table.get_rect(midtop=(area.centerx, area.y + margin)))
        bottom = self._draw_memory(surface, area, state, height) - margin
        for words, colour in self._sentences(state, now):
            line = _panel(((Text(words, colour),),), height, (area.width - 2 * margin, area.height))
            place = line.get_rect(midbottom=(area.centerx, bottom))
            surface.blit(line, place)
            bottom = place.top - margin // 2

    def _draw_signs(
        self, surface: pygame.Surface, area: pygame.Rect, state: HudState, height: int, taken: list[pygame.Rect]
    ) -> None:
        """At the top, in the middle, or below what is `taken`: what is not as usual, and the key that ends it."""
        signs = [("Paused", "P goes on")] * state.paused
        signs += [("Memory off", "M turns it on")] * (not state.view.info.get("memory_on", True))
        signs += self._name_worlds(surface, state.picture or area, state.view, height, taken)
        top = area.y + height // 2
        for what, key in () if state.show_keys else signs:  # the table needs the room
            sign = _panel(((Text(what, ACCENT), Text(f"   {key}", DIM)),), round(height * 1.4), area.size)
            place = below(sign.get_rect(midtop=(area.centerx, top)), taken, height // 4)
            surface.blit(sign, place)
            top = place.bottom + height // 4

    def _draw_memory(self, surface: pygame.Surface, area: pygame.Rect, state: HudState, height: int) -> int:
        """At the bottom; the upper edge of it."""
        memory = state.view.memory
        if memory is None or not state.show_memory or state.show_keys:
            self.memory.hide()
            return area.bottom
        return self.memory.draw(surface, area, memory, height, state.mouse_is_free)

    def _name_worlds(
        self, surface: pygame.Surface, picture: pygame.Rect, view: View, height: int, taken: list[pygame.Rect]
    ) -> list[tuple[str, str]]:
        """Names in the corners of two frames side by side; else the sign that says that it is not the generated one."""
        if view.shows == GENERATED:
            return []
        if view.real is None:
            return [("Real game", "on its way to this moment")]
        if view.shows == REAL:
            return [("Real game", "Tab goes back")]
        margin = height // 2
        for words, left in (("generated", picture.x), ("real game", picture.centerx)):
            name = _panel(((Text(words),),), height, (picture.width // 2 - 2 * margin, picture.height))
            surface.blit(name, below(name.get_rect(topleft=(left + margin, picture.y + margin)), taken, height // 4))
        return []

    def _note(self, view: View) -> None:
        """Let the charts know of a view, each once, whether they are shown or not."""
        if view is not self._noted:
            self._noted = view
            self._map.track.note(view)
            self._graph.note(view)

    def _draw_charts(
        self, surface: pygame.Surface, area: pygame.Rect, state: HudState, height: int
    ) -> list[pygame.Rect]:
        """At the sides, below the figures and the sign of a recording; where they are."""
        top, margin, places = area.y + 3 * height, height // 2, []
        if state.show_map:
            size = max(48, area.height // 3)
            places.append(surface.blit(self._map.draw(size, state.view), (area.right - margin - size, top)))
        if state.show_graph:
            graph = self._graph.draw(max(64, area.width // 4), max(24, area.height // 8))
            places.append(surface.blit(graph, (area.x + margin, top)))
        return places

    def changes_at(self, state: HudState, now: float) -> float:
        """When the picture changes by itself, without a new frame; time.monotonic()."""
        return state.note.gone if now < state.note.gone else float("inf")

    def _sentences(self, state: HudState, now: float) -> list[tuple[str, tuple[int, int, int]]]:
        """From the bottom of the window upwards."""
        sentences = []
        if now < state.note.gone:
            sentences.append((state.note.text, LIGHT))
        if state.show_keys:
            return sentences  # the table needs the room
        if not state.has_mouse:
            sentences.append(("click to look around  ·  Esc quits  ·  F1 keys", DIM))
        self._slow_from = (self._slow_from or now) if state.view.is_slow else None
        if self._slow_from is not None and now < self._slow_from + SLOW_S and not state.paused:
            rates = f"{state.view.frames_per_s:.1f} of {self._world.rate:g} frames/s"
            sentences.append((f"{rates}: too slow. Try {self._faster}", ACCENT))
        return sentences

    def _current_figures(self, view: View, now: float) -> tuple[tuple[Text, ...], ...]:
        if now - self._figures_at >= FIGURES_EVERY_S or now < self._figures_at:
            self._figures_at = now
            rate = f"{view.frames_per_s:.1f}" if view.frames_per_s else "–"
            numbers = [(rate, " fps"), (f"{view.latency_ms:.0f}", " ms")]
            if "memory_entries" in view.info:
                numbers.append((f"{view.info['memory_entries']}", " memories"))
            if "memory_bytes" in view.info:
                numbers.append((f"{view.info['memory_bytes'] / 1e6:.1f}", " MB"))
            if view.consistency is not None:
                numbers.append((f"{100 * view.consistency:.0f}%", " as before"))
            row = []
            for i, (number, unit) in enumerate(numbers):
                colour = ACCENT if view.is_slow and i < 2 else LIGHT
                row += [Text("    " * (i > 0) + number, colour), Text(unit, DIM)]
            self._figures = (tuple(row),)
        return self._figures

    def _draw_recording(self, surface: pygame.Surface, area: pygame.Rect, height: int) -> None:
        sign = _panel(((Text("     REC", RED),),), height, area.size)
        place = sign.get_rect(topright=(area.right - height // 2, area.y + height // 2))
        surface.blit(sign, place)
        pygame.draw.circle(surface, RED, (place.x + round(height * 0.95), place.centery), round(height * 0.28))

    def _keys(self, height: int, space: tuple[int, int]) -> pygame.Surface:
        """The world's keys, the window's and the gamepad's, in two columns of one length."""
        told = [(key.name, ", ".join(short(bind) for bind in key.bind)) for key in self._world.keys]
        told += [("look", "mouse")] * bool(self._world.mouse)
        told += [(what, short(key)) for key, what in WINDOW_KEYS]
        told += [("", ""), ("gamepad", ""), *GAMEPAD]
        half = -(-len(told) // 2)
        left, right = told[:half], told[half:]
        rows = []
        for pair in itertools.zip_longest(left, right, fillvalue=("", "")):
            rows.append(
                tuple(Text(words, colour) for cell in pair for words, colour in zip(cell, (DIM, LIGHT), strict=True))
            )
        return _panel(tuple(rows), height, space, (0, 12, 23, 34))


def below(place: pygame.Rect, taken: list[pygame.Rect], gap: int) -> pygame.Rect:
    """A place, moved down past what is `taken` of it."""
    while (index := place.collidelist(taken)) >= 0:
        place = place.move(0, taken[index].bottom + gap - place.y)
    return place


@lru_cache(maxsize=32)
def _panel(
    rows: tuple[tuple[Text, ...], ...], height: int, space: tuple[int, int], columns: tuple[int, ...] = ()
) -> pygame.Surface:
    return fitted_panel(rows, height, space, columns)
