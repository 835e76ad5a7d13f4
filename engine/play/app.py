"""The command `python play.py`: its settings, and what it does with them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine import config
from engine.action import Action
from engine.data.history import from_start
from engine.data.recording import new_folder, open_recording
from engine.errors import EngineError
from engine.play import script
from engine.play.offer import Load, Offer, load_engine
from engine.play.preferences import FILE, Kept
from engine.play.saves import Saves, data_folder
from engine.play.settings import Settings, check
from engine.world import FrameSize, World

if TYPE_CHECKING:
    import numpy as np

ABOUT = """\
Play a world that a neural network draws.

  python play.py                                              in a window
  python play.py world=doom device=cpu fullscreen=true
  python play.py headless=true frames=100 record=out          without one, and how fast it was
  python play.py replay=out                                   are its frames the same again?
  python play.py export=out format=gif every=2                as gif, mp4 or png, one frame of 2
  python play.py export=out beside=true                       with the real game beside it (needs ViZDoom)

world is a world's name or a checkpoint's folder, start the number of a start scene (null: the
title screen asks, unless title=false or a script plays). denoise_steps (null: the
checkpoint's own) trades picture for speed; threads (null: PyTorch's choice) is for the CPU,
graphs=false keeps a step on a GPU from being launched in CUDA graphs, compile=true has PyTorch's
compiler fuse that work: a slow beginning, then less time for a step. scale is the window's size
in frame sizes (null: fits the screen), scaling is smooth, sharp or whole (multiples of the frame), sensitivity degrees
per pixel of mouse motion. script plays a file's actions in place of the keys, record keeps what is played in a folder,
frames is how many a headless run plays. saves and screenshots are folders (null: in the user's data folder), slot is
the save that F5 and F9 mean, autosave_seconds (0: only when you quit) how often play is saved by itself, games the
folder of games of one's own, which the title screen offers once they are trained. keys.doom.use=[q] has another key
press a key of a world. preferences is the file of what the settings screen keeps, in the window, of device,
denoise_steps, scaling, fullscreen, sensitivity, autosave_seconds and keys (null: in the user's data folder); what the
command line says goes before it. verbose prints where an error arose. docs/playing.md says more."""

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, load: Load | None = None) -> int:
    """Play as the command line says; 0 when done, 1 if a replay's frames differ.

    2 after an error, which is one sentence on standard error. `load` stands in for Engine.load.
    """
    try:
        settings = config.from_command_line(Settings, argv, about=ABOUT)
        _check(settings)
        logging.basicConfig(level=logging.DEBUG if settings.verbose else logging.WARNING)
        if settings.headless or settings.replay or settings.export:
            return _task(settings)(settings, load)
        return _play_in_window(settings, load, config.named(argv))
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
    return _export if settings.export else _play_headless


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
    with load_engine(settings, load) as engine, tqdm(total=len(recording), unit="frame", disable=None) as bar:

        def count(index: int, frame: np.ndarray) -> None:
            bar.update()

        found = replay(recording, engine, count)
    print(found)
    return 0 if found.same else 1


def _export(settings: Settings, load: Load | None) -> int:
    assert settings.export
    if settings.beside:
        from engine.data.side_by_side import export_side_by_side

        print(export_side_by_side(settings.export, settings.format, settings.every))
        return 0
    from engine.data.export import export

    print(f"exported to {export(settings.export, settings.format, settings.every)}")
    return 0


def _play_headless(settings: Settings, load: Load | None) -> int:
    from engine.play import headless

    actions = _script(settings)
    record = Path(settings.record) if settings.record else None
    start = settings.start or 0
    print(headless.play(lambda: load_engine(settings, load), actions, settings.frames, start=start, record=record))
    return 0


def _play_in_window(settings: Settings, load: Load | None, named: Collection[str]) -> int:
    """`named`: the settings that the command line gives, which go before those that the player keeps."""
    from engine.play.game import Game
    from engine.play.window import Window

    actions = _script(settings) if settings.script else None
    # Absolute, for the real game changes the folder of the whole process for a moment when it starts.
    kept = Kept(_folder(settings.preferences) or data_folder() / FILE, settings, named)
    if kept.fault:
        print(f"play: {kept.fault}", file=sys.stderr)
    saves = Saves(_folder(settings.saves) or data_folder() / "saves", settings.slot)
    offer = Offer(settings, load, kept, saves)
    if load is None:
        _check_world(settings, offer)
    size = offer.first.world.frame if offer.first else FrameSize(192, 320)
    shown = kept.current
    window = Window(offer.heading, (size.width, size.height), settings.scale, shown.fullscreen, shown.scaling)
    asks = settings.title and offer.first is not None and not settings.script
    game = Game(
        window,
        offer,
        kept,
        saves=saves,
        screenshots=_folder(settings.screenshots) or data_folder() / "screenshots",
        start=settings.start if settings.start is not None or asks else 0,
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
        if any(sentence.startswith("recorded") for sentence in game.worker.recorded):
            print("play.py replay=FOLDER plays a recording again, export=FOLDER makes a video of it")
    return 0


def _check_world(settings: Settings, offer: Offer) -> None:
    """Raise for a world or a start scene that there is not, before a window is opened."""
    if offer.first is None:
        from engine import checkpoint  # brings torch, which is worth it only here

        checkpoint.of_world(settings.world)
    elif settings.start is not None:
        from_start(offer.first.world, settings.start)


def _folder(setting: str | None) -> Path | None:
    return Path(setting).absolute() if setting else None


def _script(settings: Settings) -> Callable[[World], Iterator[Action]]:
    entries = script.read(settings.script) if settings.script else None
    return lambda world: script.actions(entries, world.action_spec)


def _check(settings: Settings) -> None:
    check(settings)
    if settings.record:
        new_folder(settings.record)  # made now, so that a folder that cannot be written is known before anything loads
