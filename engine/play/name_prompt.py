"""Asking for a save's name, over the frame; while it is open, keys are letters."""

from __future__ import annotations

import pygame

from engine.play.panel import ACCENT, DIM, LIGHT, fitted_line, font, sheet, text_height
from engine.play.saves import LONGEST_NAME, Saves

ENTER = (pygame.K_RETURN, pygame.K_KP_ENTER)
HINT = "Enter saves  ·  Esc does not"
BOX = (34, 38, 52)


class NamePrompt:
    """A line to type in, with a name proposed: typing replaces it, Enter takes it."""

    def __init__(self, saves: Saves, world: str):
        """`world`: whose saves they are, by name."""
        self._saves, self._world = saves, world
        self.name, self.note = saves.proposal(world), ""
        self.is_open, self.taken = True, False  # taken: Enter has closed it, not Esc
        self._is_proposal = True
        self._replaces = ""  # the name of an earlier save that Enter will write over

    def handle(self, event: pygame.event.Event) -> None:
        """Take a letter or a key."""
        if event.type == pygame.TEXTINPUT:
            self._type(event.text)
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
            self.is_open = False
        elif event.type == pygame.KEYDOWN and event.key in ENTER:
            self._enter()
        elif event.type == pygame.KEYDOWN and event.key in (pygame.K_BACKSPACE, pygame.K_DELETE):
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
        head = font(height).render("Save under the name", True, LIGHT)
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
        line = fitted_line(self.note or HINT, round(height * 0.8), ACCENT if self.note else DIM, box.width)
        surface.blit(line, (box.x, box.bottom + round(height * 0.4)))

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
        elif self._saves.is_reserved(self.name):
            self.note = f"{self.name!r} is not to be had: type another name"
        elif self._saves.named(self._world, self.name).exists() and self._replaces != self.name:
            self.note, self._replaces = f"{self.name!r} is there already: Enter again writes over it", self.name
        else:
            self.is_open, self.taken = False, True
