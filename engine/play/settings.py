"""Settings of `python play.py`, and what their values may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.play.view import SCALINGS


@dataclass(frozen=True)
class Settings:
    """All settings; `app.ABOUT` says what each means."""

    world: str = "doom"
    device: str = "auto"
    denoise_steps: int | None = None
    sensitivity: float = 0.12
    scaling: str = "smooth"
    autosave_seconds: float = 60.0
    seed: int = 0
    start: int | None = None
    title: bool = True
    threads: int | None = None
    graphs: bool = True
    fullscreen: bool = False
    scale: float | None = None
    hud: bool = True
    script: str | None = None
    record: str | None = None
    saves: str | None = None
    slot: str = "quick"
    games: str = "games"
    screenshots: str | None = None
    replay: str | None = None
    export: str | None = None
    format: str = "mp4"
    every: int = 1
    headless: bool = False
    frames: int = 100
    verbose: bool = False


def check(settings: Settings) -> None:
    """Raise ConfigError for a value of the right type that is out of range."""
    for name, low in (("start", 0), ("frames", 1), ("every", 1), ("denoise_steps", 1), ("threads", 1)):
        value = getattr(settings, name)
        if value is not None and value < low:
            raise ConfigError(f"setting {name!r}: at least {low}, not {value}")
    for name in ("sensitivity", "scale"):
        value = getattr(settings, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"setting {name!r}: a number above 0, not {value}")
    if not 0 <= settings.autosave_seconds < math.inf:
        raise ConfigError(f"setting 'autosave_seconds': 0 for never, or more, not {settings.autosave_seconds}")
    if settings.scaling not in SCALINGS:
        raise ConfigError(f"setting 'scaling': one of {', '.join(SCALINGS)}, not {settings.scaling!r}")
