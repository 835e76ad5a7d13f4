"""What the window shows before one plays: the title screen, and that the network loads."""

from __future__ import annotations

import time
from collections.abc import Callable

import pygame

from engine.errors import SaveError
from engine.play.cards import Card
from engine.play.loading import LoadingScreen
from engine.play.name_prompt import NamePrompt
from engine.play.offer import Offer, steps_a_frame
from engine.play.save_menu import Act, SaveMenu
from engine.play.shelf import Shelved
from engine.play.title import Asked
from engine.play.worker import Worker
from engine.world import World


class Opening:
    """A title screen, if one is to choose; once something is chosen, or if not, the loading screen."""

    def __init__(self, offer: Offer, worker: Worker, chooses: bool):
        self._offer, self._worker = offer, worker
        self._shown = offer.first if chooses else None
        self._title = offer.title(self._shown) if self._shown else None
        self._loading = LoadingScreen(offer.heading, self._title.keys if self._title else "")
        self._chosen_at: float | None = None  # time.monotonic
        self._note = ""  # why what was chosen could not be loaded

    @property
    def is_choosing(self) -> bool:
        """Whether the title screen is shown."""
        if self._title is None or self._worker.view:
            return False
        note = self._worker.note
        if self._chosen_at is not None and note.said > self._chosen_at:  # it could not be loaded: choose another
            self._chosen_at, self._note = None, note.text
        return self._chosen_at is None

    @property
    def world(self) -> World | None:
        """The world whose title screen it is."""
        return self._shown.world if self._shown else None

    def handle(self, event: pygame.event.Event) -> Asked | None:
        """An event on the title screen; what it asks for but a card or a world."""
        assert self._title
        if event.type in (pygame.KEYDOWN, pygame.MOUSEBUTTONDOWN):
            self._note = ""
        asked = self._title.handle(event)
        if isinstance(asked, Shelved):
            self._show(asked)
        elif isinstance(asked, Card):
            self._choose(asked)
        return asked if isinstance(asked, Asked) else None

    def menu(self) -> SaveMenu:
        """What to do with the selected save."""
        assert self._title and self._title.save
        return SaveMenu(self._title.save)

    def act(self, menu: SaveMenu) -> NamePrompt | None:
        """Do what was chosen for a save; the prompt that it takes first, if it takes one."""
        path, saves, world = menu.card.save, self._offer.saves, self.world
        assert path and world
        if menu.chosen is Act.PLAY:
            self._choose(menu.card)
        elif menu.chosen is Act.DELETE:
            self._change(lambda: saves.delete(path), f"{path.stem!r} is deleted")
        elif menu.chosen is Act.RENAME:

            def rename(name: str) -> None:
                self._change(lambda: saves.rename(path, name), f"{path.stem!r} is called {name!r} now")

            return NamePrompt(saves, world.name, rename, renames=path)
        return None

    def _choose(self, card: Card) -> None:
        """Play from a card on, or say why that cannot be."""
        if card.fault:
            self._note = card.fault.says
            return
        worker = self._worker
        self._chosen_at, self._note = time.monotonic(), ""
        worker.post(lambda: worker.load(card.save) if card.save else worker.open_start(card.start))

    def _change(self, change: Callable[[], object], says: str) -> None:
        """Do something to the saves, say so, and show them as they are then."""
        assert self._shown and self._title
        try:
            change()
        except SaveError as error:
            says = str(error)
        before, self._title = self._title, self._offer.title(self._shown)
        self._title.come_from(before)
        self._note = says

    @property
    def exists(self) -> bool:
        """Whether there is a title screen to come back to."""
        return self._shown is not None or self._offer.first is not None

    def come_back(self) -> None:
        """Choose once more, in the same world."""
        self._shown = self._shown or self._offer.first
        assert self._shown
        self._title, self._chosen_at, self._note = self._offer.title(self._shown), None, ""
        self._loading = LoadingScreen(self._shown.title, self._title.keys)

    def load_again(self) -> None:
        """The settings are others: load the world with them."""
        if self._shown:
            self._offer.unused = ""
            self._show(self._shown)

    def draw(self, surface: pygame.Surface, elapsed_s: float) -> None:
        """Draw it as it is `elapsed_s` after the window opened."""
        if self._title and self._shown and self.is_choosing:
            if self._offer.is_outdated(self._title, self._shown):
                self._title = self._offer.title(self._shown)
            if engine := self._worker.engine:
                self._title.machine = f"drawn on {engine.device} with {steps_a_frame(engine.denoise_steps)}"
            self._title.note = self._note or self._offer.note
            self._title.draw(surface)
        else:
            self._loading.draw(surface, elapsed_s)

    def _show(self, chosen: Shelved) -> None:
        """Turn to the title screen of a world, which loads meanwhile."""
        load = self._offer.loader(chosen.name)
        self._shown, self._title, self._note = chosen, self._offer.title(chosen), ""
        self._loading = LoadingScreen(chosen.title, self._title.keys)
        self._worker.post(lambda: self._worker.open_world(load))
