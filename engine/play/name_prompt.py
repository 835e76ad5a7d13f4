"""Asking for a save's name, over what is shown; while it is open, keys are letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pygame

from engine.play.panel import ACCENT, DIM, LIGHT, fitted_line, font, hint_line, sheet, text_height
from engine.play.saves import LONGEST_NAME, Saves

ENTER = (pygame.K_RETURN, pygame.K_KP_ENTER)
HINT = "Enter takes it  ·  Esc does not"
PAD_HINT = "A takes it  ·  B does not  ·  up, down, right and left write"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 -."  # that a gamepad writes
BOX = (34, 38, 52)


class NamePrompt:
    """A line to type in, with a name proposed: typing replaces it, Enter takes it."""

    def __init__(self, saves: Saves, world: str, use: Callable[[str], None], renames: Path | None = None):
        """`world`: whose saves they are, by name. `use`: what the name is for. `renames`: a save to be renamed."""
        self._saves, self._world, self.use, self._renames = saves, world, use, renames
        self._head = f"Another name for {renames.stem!r}" if renames else "Save under the name"
        self.name, self.note = renames.stem if renames else saves.proposal(world), ""
        self.is_open, self.taken = True, False  # taken: Enter has closed it, not Esc
        self._is_proposal, self._hint = True, HINT
        self._replaces = ""  # the name of an earlier save that Enter will write over

    def handle(self, event: pygame.event.Event) -> None:
        """Take a letter or a key."""
        self._hint = PAD_HINT if hasattr(event, "pad") else HINT if event.type == pygame.TEXTINPUT else self._hint
        if event.type == pygame.TEXTINPUT:
            self._type(event.text)
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self.is_open = False
        elif event.type == pygame.KEYDOWN and event.key in ENTER:
            self._enter()
        elif event.type == pygame.KEYDOWN and hasattr(event, "pad") and event.key in (pygame.K_UP, pygame.K_DOWN):
            self._turn(1 if event.key == pygame.K_DOWN else -1)
        elif event.type == pygame.KEYDOWN and hasattr(event, "pad") and event.key == pygame.K_RIGHT:
            self._type(LETTERS[0]) if not self._is_proposal else self._become(self.name)
        elif event.type == pygame.KEYDOWN and event.key in self._erases(event):
            self._become("" if self._is_proposal else self.name[:-1])
        elif event.type == pygame.KEYDOWN and event.key in (pygame.K_RIGHT, pygame.K_END):
            self._is_proposal = False  # go on typing after it

    def draw(self, surface: pygame.Surface, area: pygame.Rect) -> None:
        """Draw it in the middle of the frame's `area`."""
        height = round(text_height(area) * 1.3)
        wide, pad = min(area.width, height * 22), height // 2
        back = sheet(wide, round(height * 4.6))
        place = back.get_rect(center=area.center)
        surface.blit(back, place)
        head = fitted_line(self._head, height, LIGHT, wide - 2 * pad)
        surface.blit(head, (place.x + pad, place.y + pad))
        box = pygame.Rect(place.x + pad, place.y + pad + round(height * 1.1), wide - 2 * pad, round(height * 1.3))
        pygame.draw.rect(surface, BOX, box, border_radius=4)
        name = font(height).render(self.name, True, BOX if self._is_proposal else LIGHT)
        inside = box.inflate(-pad, 0)
        over = max(0, name.get_width() + 4 - inside.width)  # its end is what one types at
        where = pygame.Rect(over, 0, inside.width, name.get_height())
        spot = name.get_rect(midleft=inside.midleft)
        if self._is_proposal:  # what one types takes its place
            pygame.draw.rect(surface, ACCENT, spot.clip(inside).inflate(4, 0), border_radius=2)
        surface.blit(name, spot, where)
        caret = pygame.Rect(0, 0, 2, height)
        caret.midleft = (min(inside.right - 2, inside.x + name.get_width() + 1), box.centery)
        pygame.draw.rect(surface, ACCENT, caret)
        small = round(height * 0.8)
        line = (
            fitted_line(self.note, small, ACCENT, box.width)
            if self.note
            else hint_line(self._hint, small, DIM, box.width)
        )
        surface.blit(line, (box.x, box.bottom + round(height * 0.4)))

    def _turn(self, by: int) -> None:
        """Another letter at the end; in place of a name proposed, the first of a new one."""
        kept, last = ("", "") if self._is_proposal else (self.name[:-1], self.name[-1:].lower())
        letters = LETTERS if kept else LETTERS.rstrip(" -.")  # a name begins with a letter
        place = letters.find(last) + by if last else 0
        self._become(kept + letters[place % len(letters)])

    @staticmethod
    def _erases(event: pygame.event.Event) -> tuple[int, ...]:
        """The keys that take the last letter away."""
        return (pygame.K_BACKSPACE, pygame.K_DELETE, *[pygame.K_LEFT] * hasattr(event, "pad"))

    def _type(self, text: str) -> None:
        name = text if self._is_proposal else self.name + text
        if len(name) > LONGEST_NAME:
            self.note = f"a name has at most {LONGEST_NAME} characters"
        elif fault := self._saves.fault(name):
            self.note = fault
        else:
            self._become(name)

    def _become(self, name: str) -> None:
        self.name, self.note, self._is_proposal, self._replaces = name, "", False, ""

    def _enter(self) -> None:
        self.name = self.name.rstrip()
        if not self.name:
            self.note = "type a name, or Esc"
        elif self._renames and self.name == self._renames.stem:
            self.is_open = False
        elif self._saves.is_reserved(self.name):
            self.note = f"{self.name!r} is not to be had: type another name"
        elif self._renames and self._saves.named(self._world, self.name).exists():
            self.note = f"{self.name!r} is there already: type another name"
        elif self._saves.named(self._world, self.name).exists() and self._replaces != self.name:
            self.note, self._replaces = f"{self.name!r} is there already: Enter again writes over it", self.name
        else:
            self.is_open, self.taken = False, True
