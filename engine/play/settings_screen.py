"""The settings screen: what a player wants, chosen by keyboard, mouse or gamepad and kept at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pygame

from engine.play.bindings import bound, changed, pressed, rebind, short, unbind
from engine.play.choices import CHOICES, Choice
from engine.play.loading import backdrop
from engine.play.panel import ACCENT, DIM, LIGHT, fitted_line, font
from engine.play.preferences import Kept
from engine.world import World

ACTIVATE = (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_SPACE)
CLEAR = (pygame.K_DELETE, pygame.K_BACKSPACE)
LEAVE = (pygame.K_ESCAPE, pygame.K_F10)
BAR, CELL = (34, 38, 52), (46, 50, 66)
LINES = 24  # of the screen's height, about
CAPTURE = "press a key"
KEYS_HINT = "Enter, then the new key, or a button of the mouse  ·  Del takes it away"
AGAIN = "once more: every setting and every key as at first"


@dataclass
class Row:
    """A line of the screen: a choice, one of the world's keys, or something to do; none of them for a heading."""

    label: str
    choice: Choice | None = None
    key: str = ""
    do: Callable[[], None] | None = None
    place: pygame.Rect = field(default_factory=lambda: pygame.Rect(0, 0, 0, 0))
    cells: list[pygame.Rect] = field(default_factory=list)  # of a key's binds

    @property
    def is_heading(self) -> bool:
        return not (self.choice or self.key or self.do)


class SettingsScreen:
    """Rows to go through; every change is kept at once, in `kept`."""

    def __init__(self, kept: Kept, world: World, playing: bool):
        """`world`: as its world.yaml has it. `playing`: some of what is chosen waits for the next start."""
        self.is_open, self.note = True, kept.fault
        self._kept, self._world, self._playing = kept, world, playing
        self._take_keys()
        keys = [Row(key.name, key=key.name) for key in world.keys]
        rows = [Row(choice.label, choice=choice) for choice in CHOICES]
        rows += [Row(f"Keys of {world.title or world.name}"), *keys] if keys else []
        self._rows = [*rows, Row(""), Row("Reset to defaults", do=self._reset), Row("Back", do=self._leave)]
        self._columns = max(2, *(len(key.bind) for key in world.keys)) if keys else 2
        self._selected = self._column = self._scroll = 0
        self._captures = self._asks = False

    def handle(self, event: pygame.event.Event) -> None:
        """Act on an event of the keyboard or the mouse, or of a gamepad as keys."""
        if self._captures:
            self._capture(event)
        elif event.type == pygame.KEYDOWN:
            self._press(event.key)
        elif event.type == pygame.MOUSEWHEEL:
            self._go(-event.y)
        elif event.type in (pygame.MOUSEMOTION, pygame.MOUSEBUTTONDOWN) and self._point(event.pos):
            if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                self._activate(1)
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 3:
                self._clear() if self._row.key else self._activate(-1)

    def draw(self, surface: pygame.Surface) -> None:
        """Draw it over the whole window."""
        width, height = surface.get_size()
        surface.blit(backdrop(width, height), (0, 0))
        title = font(max(20, height // 11)).render("Settings", True, LIGHT)
        head, foot = height // 7, max(36, height // 8)
        surface.blit(title, title.get_rect(center=(width // 2, head // 2)))
        self._draw_rows(surface, pygame.Rect(0, head, width, height - head - foot))
        keys = "arrows choose and change  ·  Enter  ·  Esc goes back"
        for words, colour, share in (
            (self.note or self._hint(), ACCENT if self.note else LIGHT, 0.3),
            (keys, DIM, 0.7),
        ):
            line = fitted_line(words, max(14, height // 32), colour, round(0.98 * width))
            surface.blit(line, line.get_rect(center=(width // 2, height - foot + round(foot * share))))

    @property
    def _row(self) -> Row:
        return self._rows[self._selected]

    def _take_keys(self) -> None:
        self._own, fault = bound(self._world, self._kept.chosen.keys.get(self._world.name, {}))
        self.note = fault or self.note

    def _press(self, key: int) -> None:
        across = {pygame.K_LEFT: -1, pygame.K_RIGHT: 1}.get(key, 0)
        if key in LEAVE:
            self._leave()
        elif key in (pygame.K_UP, pygame.K_DOWN):
            self._go(1 if key == pygame.K_DOWN else -1)
        elif across and self._row.key:
            self._column = max(0, min(self._columns - 1, self._column + across))
        elif across and self._row.choice:
            self._change(self._row.choice, across, wraps=False)
        elif key in ACTIVATE:
            self._activate(1)
        elif key in CLEAR and self._row.key:
            self._clear()

    def _go(self, by: int) -> None:
        """Select the row so many further, or the next beyond it that can be selected."""
        index = max(0, min(len(self._rows) - 1, self._selected + by))
        while self._rows[index].is_heading:
            index += 1 if by > 0 else -1
        self._select(index)

    def _select(self, index: int, column: int | None = None) -> None:
        if index != self._selected or column not in (None, self._column):
            self.note, self._asks = "", False
        self._selected = index
        self._column = self._column if column is None else column

    def _point(self, spot: tuple[int, int]) -> bool:
        """Select what the mouse points at, if it is something."""
        for index, row in enumerate(self._rows):
            if row.place.collidepoint(spot) and not row.is_heading:
                cells = [column for column, cell in enumerate(row.cells) if cell.collidepoint(spot)]
                self._select(index, cells[0] if cells else None)
                return bool(cells) or not row.key
        return False

    def _activate(self, by: int) -> None:
        if self._row.choice:
            self._change(self._row.choice, by, wraps=True)
        elif self._row.do:
            self._row.do()
        else:
            self._captures, self.note = True, f"the new key for {self._row.key}  ·  Esc leaves it as it is"

    def _change(self, choice: Choice, by: int, wraps: bool) -> None:
        value = choice.beside(getattr(self._kept.chosen, choice.name), by, wraps)
        self.note = self._kept.choose(**{choice.name: value})

    def _capture(self, event: pygame.event.Event) -> None:
        """The next key or button is the new one."""
        if event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self._captures, self.note = False, ""
        elif event.type == pygame.MOUSEBUTTONDOWN or (event.type == pygame.KEYDOWN and not hasattr(event, "pad")):
            bind = pressed(event)
            if bind is None:
                self.note = "this key has no name to be kept by: press another"
                return
            own, says = rebind(self._own, self._row.key, self._column, bind)
            self._captures = own is self._own and "press another" in says
            self._keep_keys(own, says)

    def _clear(self) -> None:
        self._keep_keys(*unbind(self._own, self._row.key, self._column))

    def _keep_keys(self, own: World, says: str) -> None:
        self.note = says
        if own is not self._own:
            self._own = own
            others = {name: binds for name, binds in self._kept.chosen.keys.items() if name != self._world.name}
            binds = changed(self._world, own)
            self.note = self._kept.choose(keys={**others, **({self._world.name: binds} if binds else {})}) or says

    def _reset(self) -> None:
        if self._asks:
            self.note = self._kept.reset() or "everything is as at first"
            self._take_keys()
        else:
            self.note = AGAIN
        self._asks = not self._asks

    def _leave(self) -> None:
        self.is_open = False

    def _hint(self) -> str:
        """About the selected row."""
        name = "keys" if self._row.key else self._row.choice.name if self._row.choice else ""
        if name in self._kept.fixed:
            given = "" if name == "keys" else f"={getattr(self._kept.current, name)}"
            return f"{name}{given} on the command line holds in this run; what you choose, from the next on"
        if self._row.choice:
            waits = "  ·  once you come from the title screen" if self._row.choice.waits and self._playing else ""
            return self._row.choice.hint(getattr(self._kept.chosen, name)) + waits
        return KEYS_HINT if self._row.key else ""

    def _draw_rows(self, surface: pygame.Surface, room: pygame.Rect) -> None:
        tall = max(16, min(44, surface.get_height() // LINES))
        wide = min(round(room.width * 0.92), 30 * tall)
        left = room.x + (room.width - wide) // 2
        visible = max(1, room.height // tall)
        self._scroll = min(max(self._scroll, self._selected - visible + 1), self._selected, len(self._rows) - 1)
        self._scroll = max(0, min(self._scroll, len(self._rows) - visible))
        for index, row in enumerate(self._rows):
            line = index - self._scroll
            row.place, row.cells = pygame.Rect(left, room.y + line * tall, wide, tall), []
            if not 0 <= line < visible:
                row.place.size = (0, 0)  # one cannot point at what is hidden
                continue
            chosen = index == self._selected
            if chosen:
                pygame.draw.rect(surface, BAR, row.place, border_radius=tall // 4)
            size, middle = round(tall * 0.72), row.place.centery
            label = font(size).render(row.label, True, ACCENT if chosen else DIM if row.is_heading else LIGHT)
            surface.blit(label, label.get_rect(midleft=(left + tall // 2, middle)))
            values = pygame.Rect(left + wide * 2 // 5, row.place.y, wide * 3 // 5 - tall // 2, tall)
            if row.choice:
                value = row.choice.says(getattr(self._kept.chosen, row.choice.name))
                dim = row.choice.name in self._kept.fixed
                drawn = font(size).render(value, True, DIM if dim else LIGHT)
                there = surface.blit(drawn, drawn.get_rect(center=values.center))
                if chosen:
                    _draw_arrows(surface, there, size)
            elif row.key:
                self._draw_cells(surface, row, values, size, chosen)

    def _draw_cells(self, surface: pygame.Surface, row: Row, room: pygame.Rect, size: int, chosen: bool) -> None:
        """What presses a key of the world, one beside the other."""
        binds = next(key.bind for key in self._own.keys if key.name == row.key)
        gap = max(2, size // 4)
        wide = (room.width + gap) // self._columns - gap
        for column in range(self._columns):
            cell = pygame.Rect(room.x + column * (wide + gap), room.y + 2, wide, room.height - 4)
            row.cells.append(cell)
            here = chosen and column == self._column
            captures = here and self._captures
            pygame.draw.rect(surface, ACCENT if captures else CELL, cell, border_radius=gap)
            if here:
                pygame.draw.rect(surface, ACCENT, cell, width=2, border_radius=gap)
            words = CAPTURE if captures else short(binds[column]) if column < len(binds) else "–"
            colour = BAR if captures else DIM if "keys" in self._kept.fixed or words == "–" else LIGHT
            drawn = fitted_line(words, size, colour, wide - 4)
            surface.blit(drawn, drawn.get_rect(center=cell.center))


def _draw_arrows(surface: pygame.Surface, beside: pygame.Rect, size: int) -> None:
    """To the left and to the right of a value: it can be changed."""
    long, half = size * 2 // 5, size // 3
    for edge, way in ((beside.left - size, -1), (beside.right + size, 1)):
        middle = beside.centery
        pygame.draw.polygon(
            surface, ACCENT, ((edge + way * long, middle), (edge, middle - half), (edge, middle + half))
        )
