"""The worlds that can be played: what loads each, as the player's settings say, and its title screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.play.preferences import Kept
from engine.play.saves import Saves
from engine.play.settings import Settings
from engine.play.shelf import Shelved, Weights, shelf, shelved, weights

if TYPE_CHECKING:
    from engine.core import Engine
    from engine.play.title import Title

Load = Callable[..., "Engine"]


class Offer:
    """The world that the command line names, and the others beside it."""

    def __init__(self, settings: Settings, load: Load | None, kept: Kept, saves: Saves):
        """`load`: stands in for Engine.load."""
        self._settings, self._load, self._kept, self.saves = settings, load, kept, saves
        self.unused = ""  # which of the player's settings cannot be used here, in a sentence
        self.first = shelved(settings.world)
        self.heading = self.first.title if self.first else Path(settings.world).name
        self._shelf = shelf(Path(settings.games), self.first) if self.first else []
        self._loaded: dict[str, Weights] = {}  # by the name that they were loaded by

    @property
    def note(self) -> str:
        """What the player is to know about their settings."""
        return self._kept.fault or self.unused

    def title(self, shown: Shelved) -> Title:
        """The title screen of a world."""
        from engine.play.bindings import bound, key_line
        from engine.play.faults import faults
        from engine.play.title import Title

        settings = self._kept.over(self._settings)
        machine = f"loading for device {settings.device} with {steps_a_frame(settings.denoise_steps)}"
        saves = self.saves.newest_first(shown.world.name)
        own, *others = (self._loaded.get(one.name) or weights(one.name) for one in (shown, *self._shelf))
        titles = {other: one.title for other, one in zip(others, self._shelf, strict=True) if other}
        title = Title(self._shelf, shown, saves, machine, faults(saves, own, titles))
        title.weights = own
        title.keys = key_line(bound(shown.world, settings.keys.get(shown.world.name, {}))[0])
        return title

    def is_outdated(self, title: Title, shown: Shelved) -> bool:
        """Whether a title screen of a world was made for other weights than were loaded meanwhile."""
        return title.weights != self._loaded.get(shown.name, title.weights)

    def loader(self, name: str | None = None) -> Callable[[], Engine]:
        """What loads a world, by default the first, with the settings of when it is called."""

        def loaded() -> Engine:
            settings = self._kept.over(self._settings)
            engine = load_engine(settings, self._load, world=name, device=self._device(settings))
            self._loaded[name or self._settings.world] = Weights(engine.world.name, engine.checkpoint_hash)
            return engine

        return loaded

    def _device(self, settings: Settings) -> str:
        """The device of the settings. One that was kept, and is not there today, is no error but a note."""
        if settings.device != "auto" and "device" not in self._kept.fixed:
            from engine.model.machine import find_device

            try:
                find_device(settings.device)
            except ConfigError as error:
                self.unused = f"your setting is not used: {error}"
                return "auto"
        return settings.device


def steps_a_frame(number: int | None) -> str:
    """Denoise steps, in words."""
    count = "the checkpoint's own number of" if number is None else number
    return f"{count} denoise step{'s' * (number != 1)} a frame"


def load_engine(settings: Settings, load: Load | None, world: str | None = None, device: str | None = None) -> Engine:
    """The engine of the settings. `load` stands in for Engine.load, `world` and `device` for those of the settings."""
    if load is None:
        from engine.core import Engine  # brings torch: seconds, which the window shows as loading

        load = Engine.load
    return load(
        world or settings.world,
        device=device or settings.device,
        seed=settings.seed,
        denoise_steps=settings.denoise_steps,
        threads=settings.threads,
        graphs=settings.graphs,
        compile=settings.compile,
    )
