"""An episode of footage on disk: exact frames with the action before each and the pose at each.

A folder of plain files, read lazily:
    episode.json  format, world, num_frames, and where it came from (seed, flavour, map, tour)
    actions.npy   float32 [num_frames, action size]; actions[i] was held between frames i-1 and i, actions[0] is zeros
    poses.npy     float32 [num_frames, 4]: x, y, z in the game's units, angle in degrees; NaN where the game has none
    frames.npy    uint8 [num_frames, height, width, 3] RGB, or [num_frames, height, width] with
    palette.npy   uint8 [num_colours, 3], where the game draws with at most 256 colours
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import RecordingError

FORMAT = 1


@dataclass(frozen=True)
class Episode:
    """One episode; frames are memory-mapped and read in ranges."""

    path: Path
    meta: dict[str, Any]
    actions: np.ndarray  # float32 [num_frames, action size]
    poses: np.ndarray  # float32 [num_frames, 4]
    stored: np.ndarray  # uint8 [num_frames, height, width] palette indices or [..., 3] RGB
    palette: np.ndarray | None  # uint8 [num_colours, 3]

    def __len__(self) -> int:
        return len(self.actions)

    def frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """uint8 RGB [stop - start, height, width, 3]."""
        part = np.asarray(self.stored[start:stop])
        return part if self.palette is None else self.palette[part]


def write_episode(
    path: Path,
    frames: np.ndarray,
    actions: np.ndarray,
    poses: np.ndarray,
    meta: dict[str, Any],
    palette: np.ndarray | None = None,
) -> None:
    """Write an episode to the folder `path`; episode.json comes last, so a folder with it is whole."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        np.save(path / "frames.npy", frames)
        np.save(path / "actions.npy", np.asarray(actions, dtype=np.float32))
        np.save(path / "poses.npy", np.asarray(poses, dtype=np.float32))
        if palette is not None:
            np.save(path / "palette.npy", np.asarray(palette, dtype=np.uint8))
        text = json.dumps({"format": FORMAT, "num_frames": len(frames), **meta}, indent=1)
        (path / "episode.json").write_text(text)
    except OSError as error:
        raise RecordingError(f"cannot write an episode to {path}: {error.strerror or error}") from error


def open_episode(path: Path | str) -> Episode:
    """Open the episode in folder `path`. Raises RecordingError for anything but a whole episode."""
    path = Path(path)
    try:
        meta = json.loads((path / "episode.json").read_text())
        if meta.get("format") != FORMAT:
            raise RecordingError(f"{path}: episode format {meta.get('format')!r} is not {FORMAT}")
        actions, poses = np.load(path / "actions.npy"), np.load(path / "poses.npy")
        stored = np.load(path / "frames.npy", mmap_mode="r")
        palette = np.load(path / "palette.npy") if (path / "palette.npy").exists() else None
    except (OSError, ValueError, EOFError) as error:
        raise RecordingError(f"{path} is not a whole episode: {error}") from error
    if not len(actions) == len(poses) == len(stored) == meta["num_frames"]:
        raise RecordingError(f"{path} is not a whole episode: frames, actions and poses differ in number")
    return Episode(path, meta, actions, poses, stored, palette)


def find_episodes(root: Path | str) -> list[Path]:
    """Folders below `root` that hold a whole episode, sorted by name."""
    return sorted(found.parent for found in Path(root).glob("**/episode.json"))
