"""A recording beside the real game: the generated world left, the real one right, begun alike and played alike.

    python -m engine.data.side_by_side recording=recordings/doom format=gif every=2

The real game is brought to where the recording begins as its start scene was made, and gets the recorded actions. It
needs a world whose start scenes name their game, and that game (for Doom: pip install -e '.[doom]').
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import torch
from tqdm import tqdm

from engine import world as definitions
from engine.action import Action, ActionSpec
from engine.data import command, savefile
from engine.data.export import Shot, check_kind, default_out, write
from engine.data.real_game import GameOver, RealGame
from engine.data.recording import BEGINNING, Recording, open_recording
from engine.data.recording_files import find_file
from engine.data.replay import check_world, first_start
from engine.errors import EngineError, RecordingError, WorldError, shown

LOSSLESS: dict[str, Any] = {
    "codec": "libx264rgb",
    "pix_fmt_out": "rgb24",
    "quality": None,
    "macro_block_size": 1,
    "ffmpeg_log_level": "error",
    "output_params": ["-crf", "0", "-preset", "ultrafast"],
}


@dataclass(frozen=True)
class SideBySideConfig:
    """Settings of one export."""

    recording: str = "???"  # folder of a recording
    format: str = "mp4"  # mp4, gif or png
    every: int = 1  # one of so many frames is exported
    out: str = ""  # where to; by default beside.mp4, beside.gif or the folder beside, in the recording's folder


@dataclass(frozen=True)
class SideBySide:
    """What came of it; as text, one sentence."""

    path: Path
    num_frames: int
    over_at: int | None  # the frame from which on the real game was over, and its last frame is shown darkened

    def __str__(self) -> str:
        over = "" if self.over_at is None else f"; the real game is over at frame {self.over_at}, and dark from there"
        return f"exported {self.num_frames} frames to {self.path}: generated left, real right{over}"


def export_side_by_side(path: Path | str, kind: str, every: int = 1, out: Path | str | None = None) -> SideBySide:
    """Write the recording in the folder `path`, and the real game beside it, as "mp4", "gif" or "png".

    One of `every` frames, as `engine.data.export.export`. Raises ConfigError for another kind, RecordingError for
    what cannot be read or written or did not begin in a start scene, WorldError where the real game is not known,
    not installed or leads elsewhere.
    """
    check_kind(kind, every)
    recording = open_recording(os.path.abspath(path) if isinstance(path, str | os.PathLike) else path)
    name = recording.meta.get("world")
    if name not in definitions.names():
        raise WorldError(f"{recording.path} is of world {shown(name)}, whose real game is not known here")
    world = definitions.load(str(name))
    check_world(recording, world)
    start, before = _beginning(recording, world.action_spec)
    actions = [world.action_spec.decode(row) for row in recording.actions[1:]]
    target = Path(out).absolute() if out else default_out(recording.path, "beside", kind)
    game = RealGame(world.name, start)
    try:
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "beside.mp4"
            real = chain([_bring(game, before)], _follow(game, actions))
            over_at = _write_pairs(recording, real, video)
            height, width = recording.frame_size
            shot = Shot(video, height, 2 * width + _gap(width), len(recording), recording.meta["rate"])
            write(shot, kind, every, target)
    finally:
        game.close()
    return SideBySide(target, -(-len(recording) // every), over_at)


def pair(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Two frames, uint8 [height, width, 3], left and right in one, with a black line between them."""
    height, width, _ = generated.shape
    return np.concatenate([generated, np.zeros((height, _gap(width), 3), dtype=np.uint8), real], axis=1)


def _gap(width: int) -> int:
    return max(1, width // 80)


def _beginning(recording: Recording, spec: ActionSpec) -> tuple[int, list[Action]]:
    """The start scene that led to the recording's first frame, and what was done between the two."""
    saved = find_file(recording.path, BEGINNING)
    if saved is None:
        return first_start(recording)[0], []
    tensors, meta = savefile.read(saved)
    start, done = meta.get("start"), tensors.get("actions")
    if start is None:
        raise RecordingError(f"{recording.path} did not begin in a start scene: no real game is known to go with it")
    fits = done is not None and done.ndim == 2 and done.shape[1] == spec.size and done.dtype == torch.float32
    if type(start) is not int or done is None or not fits:
        raise RecordingError(f"{saved} does not say what led to it: start {shown(start)}; the recording is damaged")
    return start, [spec.decode(row) for row in done.numpy()]


def _bring(game: RealGame, before: list[Action]) -> np.ndarray:
    """Bring the real game to the recording's first frame; its own there. Raises WorldError."""
    with _told_in_a_sentence():
        frame = game.begin()
        for action in before:
            frame = game.step(action)
    return frame


def _follow(game: RealGame, actions: list[Action]) -> Iterator[np.ndarray]:
    """The real game's frames after each action, uint8 [height, width, 3], until it is over."""
    for action in actions:
        try:
            with _told_in_a_sentence():
                frame = game.step(action)
        except GameOver:
            return
        yield frame


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """Faults of the game's own kinds, which are known only where it is installed, as one that the engine knows."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        fault = " ".join(f"{type(error).__name__}: {error}".split())
        raise WorldError(f"the real game stopped with a fault of its own, {fault}") from error


def _write_pairs(recording: Recording, real: Iterator[np.ndarray], video: Path) -> int | None:
    """Write a video without loss of each frame beside the real one; from which frame on there was no real one."""
    (height, width), count = recording.frame_size, len(recording)
    size = 2 * width + _gap(width), height
    writer = imageio_ffmpeg.write_frames(str(video), size, **{**LOSSLESS, "fps": recording.meta["rate"]})
    shown_last, over_at, written = np.zeros((height, width, 3), dtype=np.uint8), None, 0
    try:
        writer.send(None)
        for generated in tqdm(recording.each_frame(), total=count, unit="frame", disable=None):
            frame = next(real, None)
            if frame is None and over_at is None:
                shown_last, over_at = shown_last // 3, written
            shown_last = shown_last if frame is None else frame
            writer.send(pair(generated, shown_last))
            written += 1
    except (OSError, RuntimeError) as error:
        raise RecordingError(f"cannot put the frames side by side in {video.parent}; is the disk full?") from error
    finally:
        writer.close()
    if written < count:
        raise RecordingError(f"{recording.path}: the video ends at frame {written}; the recording is damaged")
    return over_at


def _run(settings: SideBySideConfig) -> str:
    return str(export_side_by_side(settings.recording, settings.format, settings.every, settings.out or None))


def main() -> int:
    """Read the command line, export, and say where to."""
    return command.run(SideBySideConfig, __doc__ or "", _run)


if __name__ == "__main__":
    raise SystemExit(main())
