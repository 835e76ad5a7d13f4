"""An episode of footage on disk: exact frames with the action before each and the pose at each.

A folder of plain files, read lazily:
    episode.json  format, world, num_frames, and where it came from (seed, flavour, map, tour)
    actions.npy   float32 [num_frames, action size]; actions[i] was held between frames i-1 and i, actions[0] is zeros
    poses.npy     float32 [num_frames, 4]: x, y, z in the game's units, angle in degrees; NaN where the game has none
    frames.npy    uint8 [num_frames, height, width, 3] RGB, or [num_frames, height, width] with
    palette.npy   uint8 [num_colours, 3], where the game draws with at most 256 colours
    depth.npy     float16 [num_frames, height / 8, width / 8], where the game tells it: distance from the camera along
                  its axis in the game's units, of each square of 8x8 pixels
"""

from __future__ import annotations

import json
import stat
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import RecordingError, one_line, shown

FORMAT = 1
DEPTH_CELL = 8  # pixels on a side of one square of depth.npy


@dataclass(frozen=True)
class Episode:
    """One episode; frames are memory-mapped and read in ranges."""

    path: Path
    meta: dict[str, Any]
    actions: np.ndarray  # float32 [num_frames, action size]
    poses: np.ndarray  # float32 [num_frames, 4]
    stored: np.ndarray  # uint8 [num_frames, height, width] palette indices or [..., 3] RGB
    palette: np.ndarray | None  # uint8 [num_colours, 3]
    depth: np.ndarray | None = None  # float16 [num_frames, height / 8, width / 8], the game's units

    def __len__(self) -> int:
        return len(self.actions)

    def frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """uint8 RGB [stop - start, height, width, 3]. Raises RecordingError where the palette lacks a colour."""
        part = np.asarray(self.stored[start:stop])
        if self.palette is None:
            return part
        try:
            return self.palette[part]
        except IndexError as error:
            raise RecordingError(
                f"{self.path} uses colour {part.max()} of {len(self.palette)}: it is damaged"
            ) from error


def write_episode(
    path: Path,
    frames: np.ndarray,
    actions: np.ndarray,
    poses: np.ndarray,
    meta: dict[str, Any],
    palette: np.ndarray | None = None,
    depth: np.ndarray | None = None,
) -> None:
    """Write an episode to the folder `path`; episode.json comes last, so a folder with it is whole.

    An episode that was there before is replaced. Raises RecordingError for arrays that do not make
    an episode, or a folder that cannot be written.
    """
    actions, poses = np.asarray(actions, dtype=np.float32), np.asarray(poses, dtype=np.float32)
    palette = None if palette is None else np.asarray(palette, dtype=np.uint8)
    for fault in _faults(frames, actions, poses, palette, depth):
        raise RecordingError(f"cannot write an episode to {path}: {fault}")
    text = json.dumps({**meta, "format": FORMAT, "num_frames": len(frames)}, indent=1)
    try:
        path.mkdir(parents=True, exist_ok=True)
        for stale in ("episode.json", "palette.npy", "depth.npy"):
            (path / stale).unlink(missing_ok=True)
        np.save(path / "frames.npy", frames)
        np.save(path / "actions.npy", actions)
        np.save(path / "poses.npy", poses)
        if palette is not None:
            np.save(path / "palette.npy", palette)
        if depth is not None:
            np.save(path / "depth.npy", depth)
        (path / "episode.json.part").write_text(text, encoding="utf-8")
        (path / "episode.json.part").replace(path / "episode.json")
    except OSError as error:
        raise RecordingError(f"cannot write an episode to {path}: {error.strerror or error}") from error


def open_episode(path: Path | str) -> Episode:
    """Open the episode in folder `path`. Raises RecordingError for anything but a whole episode."""
    path = Path(path)
    try:
        meta = json.loads(_plain(path / "episode.json").read_text(encoding="utf-8"))
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            found = meta.get("format") if isinstance(meta, dict) else meta
            raise RecordingError(f"{path}: episode format {shown(found)} is not {FORMAT}")
        stored = _open_array(path / "frames.npy")
        actions, poses = np.array(_open_array(path / "actions.npy")), np.array(_open_array(path / "poses.npy"))
        palette = np.array(_open_array(path / "palette.npy")) if (path / "palette.npy").exists() else None
        depth = _open_array(path / "depth.npy") if (path / "depth.npy").exists() else None
    except FileNotFoundError as error:
        raise RecordingError(f"{path} is not a whole episode: there is no {Path(error.filename).name}") from error
    except (OSError, ValueError, EOFError, RecursionError) as error:
        raise RecordingError(f"{path} is not a whole episode: {one_line(error)}") from error
    for fault in _faults(stored, actions, poses, palette, depth):
        raise RecordingError(f"{path} is not a whole episode: {fault}")
    if meta.get("num_frames") != len(stored):
        raise RecordingError(
            f"{path} is not a whole episode: {len(stored)} frames, not {shown(meta.get('num_frames'))}"
        )
    return Episode(path, meta, actions, poses, stored, palette, depth)


def find_episodes(root: Path | str) -> list[Path]:
    """Folders below `root` that hold a whole episode, sorted by name."""
    return sorted(found.parent for found in Path(root).glob("**/episode.json"))


def _plain(path: Path) -> Path:
    """The path of a plain file, not one of a pipe or a device that is read without end. Raises OSError kinds."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is not a file")
    return path


def _open_array(path: Path) -> np.ndarray:
    """The .npy file `path`, mapped read-only. Raises ValueError, EOFError or OSError if it is damaged or of objects."""
    try:
        return np.lib.format.open_memmap(_plain(path), mode="r")
    except (TypeError, OverflowError, SyntaxError, tokenize.TokenError, MemoryError) as error:
        raise ValueError(f"{path.name} does not say what it holds") from error


def _faults(
    frames: np.ndarray, actions: np.ndarray, poses: np.ndarray, palette: np.ndarray | None, depth: np.ndarray | None
) -> Iterator[str]:
    """What keeps these arrays from making an episode."""
    if frames.dtype != np.uint8:
        yield f"frames are uint8, not {frames.dtype}"
    if palette is None and (frames.ndim != 4 or frames.shape[3] != 3):
        yield f"frames without a palette are [num_frames, height, width, 3], not {list(frames.shape)}"
    if palette is not None and frames.ndim != 3:
        yield f"frames with a palette are [num_frames, height, width], not {list(frames.shape)}"
    if palette is not None and (palette.ndim != 2 or palette.shape[1] != 3 or palette.dtype != np.uint8):
        yield f"a palette is uint8 [num_colours, 3], not {palette.dtype} {list(palette.shape)}"
    if depth is not None:
        squares = [len(frames), *(size // DEPTH_CELL for size in frames.shape[1:3])]
        if list(depth.shape) != squares or depth.dtype != np.float16:
            yield f"depth is float16 {squares}, not {depth.dtype} {list(depth.shape)}"
    if actions.ndim != 2 or poses.ndim != 2 or poses.shape[1] != 4:
        yield (
            "actions are [num_frames, action size] and poses [num_frames, 4], "
            f"not {list(actions.shape)} and {list(poses.shape)}"
        )
    elif not 0 < len(frames) == len(actions) == len(poses):
        yield f"{len(frames)} frames, {len(actions)} actions and {len(poses)} poses: there must be equally many"
