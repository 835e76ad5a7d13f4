"""Settings of `python play.py`, and which of them are a player's own to keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engine.errors import ConfigError
from engine.play.view import SCALINGS

Binds = dict[str, list[str]]  # of one world: what presses each of its keys, where that is not as in its world.yaml


@dataclass(frozen=True)
class Preferences:
    """What a player sets once, in the window or in a file."""

    device: str = "auto"
    denoise_steps: int | None = None
    sensitivity: float = 0.12
    scaling: str = "smooth"
    fullscreen: bool = False
    autosave_seconds: float = 60.0
    keys: dict[str, Binds] = field(default_factory=dict)  # by the world's name


@dataclass(frozen=True)
class Settings(Preferences):
    """All settings; `app.ABOUT` says what each means."""

    world: str = "doom"
    seed: int = 0
    start: int | None = None
    title: bool = True
    threads: int | None = None
    graphs: bool = True
    compile: bool = False
    scale: float | None = None
    hud: bool = True
    script: str | None = None
    record: str | None = None
    preferences: str | None = None
    saves: str | None = None
    slot: str = "quick"
    games: str = "games"
    screenshots: str | None = None
    replay: str | None = None
    export: str | None = None
    format: str = "mp4"
    every: int = 1
    beside: bool = False
    headless: bool = False
    frames: int = 100
    verbose: bool = False


def check(settings: Preferences) -> None:
    """Raise ConfigError for a value of the right type that is out of range."""
    for name, low in (("start", 0), ("frames", 1), ("every", 1), ("denoise_steps", 1), ("threads", 1)):
        value = getattr(settings, name, None)
        if value is not None and value < low:
            raise ConfigError(f"setting {name!r}: at least {low}, not {value}")
    for name in ("sensitivity", "scale"):
        value = getattr(settings, name, None)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"setting {name!r}: a number above 0, not {value}")
    if not 0 <= settings.autosave_seconds < math.inf:
        raise ConfigError(f"setting 'autosave_seconds': 0 for never, or more, not {settings.autosave_seconds}")
    if settings.scaling not in SCALINGS:
        raise ConfigError(f"setting 'scaling': one of {', '.join(SCALINGS)}, not {settings.scaling!r}")
    if isinstance(settings, Settings):
        _check_tasks(settings)


def _check_tasks(settings: Settings) -> None:
    """Raise ConfigError for settings that ask for two things at once, or for something to be done to nothing."""
    folders = [name for name in ("replay", "export", "record") if getattr(settings, name)]
    if len(folders) > 1 and folders != ["record"]:
        raise ConfigError(f"{' and '.join(folders)} are not done in one run: give one of them")
    if settings.beside and not settings.export:
        raise ConfigError("beside=true puts the real game beside an export: name the recording, export=DIR")
