"""The command `python play.py`: its settings, and what it does with them."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine import config
from engine.action import Action
from engine.data.recording import new_folder, open_recording
from engine.errors import ConfigError, EngineError
from engine.play import script
from engine.play.saves import Saves, data_folder
from engine.play.shelf import Shelved, shelf, shelved
from engine.play.view import SCALINGS
from engine.world import World

if TYPE_CHECKING:
    import numpy as np

    from engine.core import Engine
    from engine.play.title import Title

ABOUT = """\
Play a world that a neural network draws.

  python play.py                                              in a window
  python play.py world=doom device=cpu fullscreen=true
  python play.py headless=true frames=100 record=out          without one, and how fast it was
  python play.py replay=out                                   are its frames the same again?
  python play.py export=out format=gif every=2                as gif, mp4 or png, one frame of 2

world is a world's name or a checkpoint's folder, start the number of a start scene (null: the
title screen asks, unless title=false or a script plays). denoise_steps (null: the
checkpoint's own) trades picture for speed; threads (null: PyTorch's choice) is for the CPU. scale is the window's size
in frame sizes (null: fits the screen), scaling is smooth, sharp or whole (multiples of the frame), sensitivity degrees
per pixel of mouse motion. script plays a file's actions in place of the keys, record keeps what is played in a folder,
frames is how many a headless run plays. saves and screenshots are folders (null: in the user's data folder), slot is
the save that F5 and F9 mean, games the folder of games of one's own, which the title screen offers once they are
trained. verbose prints where an error arose. docs/playing.md says more."""

Load = Callable[..., "Engine"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Settings of `python play.py`; ABOUT says what each means."""

    world: str = "doom"
    device: str = "auto"
    seed: int = 0
    start: int | None = None
    title: bool = True
    denoise_steps: int | None = None
    threads: int | None = None
    fullscreen: bool = False
    scale: float | None = None
    scaling: str = "smooth"
    hud: bool = True
    sensitivity: float = 0.12
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


def main(argv: Sequence[str] | None = None, load: Load | None = None) -> int:
    """Play as the command line says; 0 when done, 1 if a replay's frames differ.

    2 after an error, which is one sentence on standard error. `load` stands in for Engine.load.
    """
    try:
        settings = config.from_command_line(Settings, argv, about=ABOUT)
        _check(settings)
        logging.basicConfig(level=logging.DEBUG if settings.verbose else logging.WARNING)
        return _task(settings)(settings, load)
    except EngineError as error:
        print(f"play: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        logger.debug("play stopped", exc_info=error)
        fault = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"play: stopped by a fault of the program, {fault} (verbose=true prints where)", file=sys.stderr)
        return 2


def _task(settings: Settings) -> Callable[[Settings, Load | None], int]:
    if settings.replay:
        return _replay
    if settings.export:
        return _export
    return _play_headless if settings.headless else _play_in_window


def _replay(settings: Settings, load: Load | None) -> int:
    """0 if every frame is the same under the same circumstances, else 1."""
    from tqdm import tqdm

    from engine.data.replay import replay

    assert settings.replay
    recording = open_recording(settings.replay)
    recorded = recording.meta.get("denoise_steps")
    if settings.denoise_steps is None and type(recorded) is int and recorded > 0:
        settings = replace(settings, denoise_steps=recorded)
    threads = recording.meta.get("threads")  # as many again, where the machine has them, or sums are rounded otherwise
    if settings.threads is None and type(threads) is int and 1 <= threads <= (os.cpu_count() or 1):
        settings = replace(settings, threads=threads)
    with _loader(settings, load)() as engine, tqdm(total=len(recording), unit="frame", disable=None) as bar:

        def count(index: int, frame: np.ndarray) -> None:
            bar.update()

        found = replay(recording, engine, count)
    print(found)
    return 0 if found.same else 1


def _export(settings: Settings, load: Load | None) -> int:
    from engine.data.export import export

    assert settings.export
    print(f"exported to {export(settings.export, settings.format, settings.every)}")
    return 0


def _play_headless(settings: Settings, load: Load | None) -> int:
    from engine.play import headless

    actions = _script(settings)
    record = Path(settings.record) if settings.record else None
    print(headless.play(_loader(settings, load), actions, settings.frames, start=settings.start or 0, record=record))
    return 0


def _play_in_window(settings: Settings, load: Load | None) -> int:
    from engine.play.game import Game
    from engine.play.window import Window

    actions = _script(settings) if settings.script else None
    first = shelved(settings.world)
    title = first.world.title if first else Path(settings.world).name
    frame_size = (first.world.frame.width, first.world.frame.height) if first else (320, 192)
    # Absolute, for the real game changes the folder of the whole process for a moment when it starts.
    saves = Saves(_folder(settings.saves) or data_folder() / "saves", settings.slot)
    window = Window(title, frame_size, settings.scale, settings.fullscreen, settings.scaling)
    asks = settings.title and first is not None and not settings.script
    start = settings.start if settings.start is not None or asks else 0
    titles = _Titles(settings, load, first, saves) if first and start is None else None
    game = Game(
        window,
        _loader(settings, load),
        title=title,
        saves=saves,
        screenshots=_folder(settings.screenshots) or data_folder() / "screenshots",
        start=start,
        title_screen=titles.first if titles else None,
        other_world=titles.other if titles else None,
        sensitivity=settings.sensitivity,
        record=_folder(settings.record),
        hud=settings.hud,
        script=actions,
    )
    try:
        game.run()
    finally:
        window.close()
        for sentence in game.worker.recorded:
            print(sentence)
    return 0


def _folder(setting: str | None) -> Path | None:
    return Path(setting).absolute() if setting else None


class _Titles:
    """Makes the title screen of each world that can be played."""

    def __init__(self, settings: Settings, load: Load | None, first: Shelved, saves: Saves):
        self._settings, self._load, self._first, self._saves = settings, load, first, saves
        self._shelf = shelf(Path(settings.games), first)

    def first(self) -> Title:
        return self._title(self._first)

    def other(self, chosen: Shelved) -> tuple[Title, Callable[[], Engine]]:
        return self._title(chosen), _loader(replace(self._settings, world=chosen.name), self._load)

    def _title(self, shown: Shelved) -> Title:
        from engine.play.title import Title

        steps = self._settings.denoise_steps or "the checkpoint's own number of"
        machine = f"loading for device {self._settings.device} with {steps} denoise steps a frame"
        return Title(self._shelf, shown, self._saves.newest_first(shown.world.name), machine)


def _loader(settings: Settings, load: Load | None) -> Callable[[], Engine]:
    def loaded() -> Engine:
        if load is None:
            from engine.core import Engine  # brings torch: seconds, which the window shows as loading

            make = Engine.load
        else:
            make = load
        return make(
            settings.world,
            device=settings.device,
            seed=settings.seed,
            denoise_steps=settings.denoise_steps,
            threads=settings.threads,
        )

    return loaded


def _script(settings: Settings) -> Callable[[World], Iterator[Action]]:
    entries = script.read(settings.script) if settings.script else None
    return lambda world: script.actions(entries, world.action_spec)


def _check(settings: Settings) -> None:
    for name, low in (("start", 0), ("frames", 1), ("every", 1), ("denoise_steps", 1), ("threads", 1)):
        value = getattr(settings, name)
        if value is not None and value < low:
            raise ConfigError(f"setting {name!r}: at least {low}, not {value}")
    for name in ("sensitivity", "scale"):
        value = getattr(settings, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"setting {name!r}: a number above 0, not {value}")
    if settings.scaling not in SCALINGS:
        raise ConfigError(f"setting 'scaling': one of {', '.join(SCALINGS)}, not {settings.scaling!r}")
    if settings.record:
        new_folder(settings.record)  # made now, so that a folder that cannot be written is known before anything loads
