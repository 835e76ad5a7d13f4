"""Your own play as footage: recordings become episodes that training takes.

    python -m engine.data.import_recordings recordings

Each recording's video is decoded into episodes of one length, in its own folder `episodes`. Training does the same by
itself with recordings that it finds in its footage. Poses are those that the session believed.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine import world as definitions
from engine.data import command
from engine.data.episode import find_episodes, open_episode, write_episode
from engine.data.reckoning import fill_poses
from engine.data.recording import Recording, open_recording
from engine.data.replay import check_world
from engine.errors import ConfigError, RecordingError
from engine.world import World

log = logging.getLogger(__name__)

FOLDER = "episodes"  # in a recording's folder
USUAL_FRAMES = 300  # of an episode, where nothing else says how long; 17 seconds of Doom
FEWEST_FRAMES = 64  # a shorter recording does not shorten the episodes of others


@dataclass(frozen=True)
class ImportConfig:
    """Settings of one import."""

    recordings: str = "recordings"  # a recording, or a folder of them
    world: str = "doom"  # a world's name or folder; recordings of others are left out
    frames: int = 0  # of each episode; 0: as the episodes that are there, else as the shortest recording, at most 300


def find_recordings(root: Path | str) -> list[Path]:
    """Folders at or below `root` that hold a recording, sorted by name."""
    return sorted(found.parent for found in Path(root).glob("**/recording.json"))


def import_recordings(root: Path | str, world: World, frames: int = 0) -> list[Path]:
    """Make episodes of the recordings at or below `root` that have none yet; the folders of the new ones.

    frames: of each episode. The last episode of a recording ends with it, and overlaps the one before. 0 keeps what
    was made before and chooses for the rest: as long as the shortest episode there, or else as the shortest recording
    worth it. Recordings that are shorter, damaged or of another world are left out, with a line in the log. Raises
    RecordingError if that leaves nothing to train on, or a folder cannot be written.
    """
    if frames < 0:
        raise ConfigError(f"frames is a number from 1, or 0 to choose, not {frames}")
    found, left_out = _open_all(root, world)
    if not frames:
        found = [recording for recording in found if not _is_imported(recording, 0)]
        frames = _length(root, found)
    made = []
    for recording in found:
        if len(recording) < frames:
            left_out.append(f"{recording.path} has {len(recording)} frames, too few for episodes of {frames}")
        elif not _is_imported(recording, frames):
            made += _import(recording, world, frames)
    for sentence in left_out:
        log.warning("left out: %s", sentence)
    if left_out and not find_episodes(root):
        raise RecordingError(f"no recording in {root} can be trained on: {left_out[0]}")
    if made:
        log.info("%d episodes of %d frames made of the recordings in %s", len(made), frames, root)
    return made


def _open_all(root: Path | str, world: World) -> tuple[list[Recording], list[str]]:
    """The recordings of this world, and a sentence for each that is not to be had."""
    found, left_out = [], []
    for path in find_recordings(root):
        try:
            recording = open_recording(path)
            check_world(recording, world)
        except RecordingError as error:
            left_out.append(str(error))
        else:
            found.append(recording)
    return found, left_out


def _length(root: Path | str, recordings: list[Recording]) -> int:
    there = [len(open_episode(path)) for path in find_episodes(root)]
    if there:
        return min(there)
    lengths = [len(recording) for recording in recordings]
    worth = [length for length in lengths if length >= FEWEST_FRAMES] or lengths
    return min([USUAL_FRAMES, *worth])


def _is_imported(recording: Recording, frames: int) -> bool:
    """Whether all of it was made into episodes; of `frames` frames, unless that is 0."""
    paths = find_episodes(recording.path / FOLDER)
    if not paths:
        return False
    try:
        meta = open_episode(paths[-1]).meta
    except RecordingError:
        return False
    of, length = meta.get("recording"), meta["num_frames"]
    if not isinstance(of, dict) or type(of.get("first_frame")) is not int:
        return False
    return of.get("num_frames") == len(recording) == of["first_frame"] + length and frames in (0, length)


def _import(recording: Recording, world: World, frames: int) -> list[Path]:
    folder = recording.path / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    begins = list(range(0, len(recording) - frames + 1, frames))
    if begins[-1] + frames < len(recording):
        begins.append(len(recording) - frames)
    poses = fill_poses(recording.poses, recording.actions, world.action_spec)
    for begin in begins:
        part = slice(begin, begin + frames)
        actions = recording.actions[part].copy()
        actions[0] = 0.0  # what led to an episode's first frame is not part of it
        told = {"first_frame": begin, "num_frames": len(recording)}
        told |= {key: recording.meta[key] for key in ("checkpoint_hash", "seed") if key in recording.meta}
        meta = {"world": world.name, "recording": told}
        write_episode(folder / f"{begin:06d}", recording.frames(begin, begin + frames), actions, poses[part], meta)
    return [folder / f"{begin:06d}" for begin in begins]


def _run(settings: ImportConfig) -> str:
    root = Path(settings.recordings)
    if not find_recordings(root):
        raise RecordingError(f"there is no recording in {root}: R in the window makes one")
    made = import_recordings(root, definitions.load(settings.world), settings.frames)
    return f"{len(made)} episodes made in {root}; train on them with footage={root}"


def main() -> int:
    """Read the command line, import, and say what was made."""
    return command.run(ImportConfig, __doc__ or "", _run)


if __name__ == "__main__":
    raise SystemExit(main())
