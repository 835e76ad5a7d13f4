"""Footage as a Minari data set, and back: for learners of offline reinforcement learning, and for theirs to be played.

  python -m engine.data.minari_dataset source=footage dataset=mag/doom-walks-v0       exports episodes and recordings
  python -m engine.data.minari_dataset dataset=mag/doom-walks-v0 out=footage/walks    makes episodes of a data set

It needs the extra `minari`, which keeps data sets in MINARI_DATASETS_PATH, by default ~/.minari. Frames are kept exact.
Observations are frames, actions {"keys", "mouse"} as in the environments, and infos["pose"] is the pose of each frame.
A data set of another game is taken where its observations are RGB pictures and its actions fit the world's own."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine import world as definitions
from engine.action import ActionSpec
from engine.data import command
from engine.data.episode import Episode, find_episodes, open_episode, write_episode
from engine.data.footage_game import shrink
from engine.data.footage_spaces import map_space
from engine.data.import_recordings import FOLDER, find_recordings
from engine.data.reckoning import fill_poses
from engine.data.recording import Recording, open_recording
from engine.data.replay import check_world
from engine.errors import ConfigError, FrameError, RecordingError
from engine.world import World
from worlds.spaces import action_space, observation_space


@dataclass(frozen=True)
class MinariConfig:
    """Settings of one export or import."""

    dataset: str = ""  # the data set's name, as in mag/doom-walks-v0
    source: str = ""  # to export: a folder of episodes and recordings
    out: str = ""  # to import: the folder for episodes
    world: str = "doom"  # a world's name or folder


def export_dataset(root: Path | str, dataset: str, world: World) -> int:
    """Write the episodes and recordings below `root` as the Minari data set `dataset`; returns how many.

    Raises RecordingError if there are none, one is of another world, or Minari refuses.
    """
    minari = _minari()
    made: Any = None
    for episode in _all_below(root, world):
        buffer = _buffer(minari, episode, world.action_spec)
        if made is None:
            made = _create(minari, dataset, buffer, world)
        else:
            made.update_dataset_from_buffer([buffer])
    if made is None:
        raise RecordingError(f"there are no episodes and no recordings in {root}")
    return made.total_episodes


def import_dataset(dataset: str, out: Path | str, world: World) -> list[Path]:
    """Make episodes of the Minari data set `dataset` in `out`; their folders.

    Pictures are shrunk to the world's frames. Raises RecordingError if the data set is not there, FrameError or
    ConfigError if its pictures or actions do not fit the world.
    """
    minari = _minari()
    try:
        found = minari.load_dataset(dataset)
    except (ValueError, OSError) as error:
        raise RecordingError(f"there is no Minari data set {dataset!r} here: {_said(error)}") from error
    spec, size = world.action_spec, (world.frame.height, world.frame.width)
    encode = _encoder(found.spec.action_space, spec)
    made = []
    for episode in found.iterate_episodes():
        frames = np.asarray(episode.observations) if not isinstance(episode.observations, (dict, tuple)) else None
        if frames is None or frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise FrameError(f"the observations of {dataset!r} are not RGB pictures, uint8 [height, width, 3]")
        actions = np.zeros((len(frames), spec.size), dtype=np.float32)
        actions[1:] = encode(episode.actions, len(frames) - 1)
        told = np.asarray((episode.infos or {}).get("pose", np.full((len(frames), 4), np.nan)))
        poses = fill_poses(told, actions, spec)
        pictures = np.stack([shrink(frame, size) for frame in frames])
        path = Path(out) / f"{episode.id:06d}"
        write_episode(path, pictures, actions, poses, {"world": world.name, "minari": dataset})
        made.append(path)
    return made


def _minari() -> Any:
    try:
        return importlib.import_module("minari")
    except ImportError as error:
        raise ConfigError('Minari is not installed: pip install "minari[hdf5]"') from error


def _create(minari: Any, dataset: str, buffer: Any, world: World) -> Any:
    spaces = {"observation_space": observation_space(world), "action_space": action_space(world.action_spec)}
    about = f"frames of the world {world.title}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nobody's address and no environment to evaluate in is given
            return minari.create_dataset_from_buffers(
                dataset, [buffer], **spaces, description=about, jpeg_encoding=False
            )
    except (ValueError, OSError) as error:
        raise RecordingError(f"Minari cannot make the data set {dataset!r}: {_said(error)}") from error


def _all_below(root: Path | str, world: World) -> Iterator[Episode | Recording]:
    """Episodes, but for those made of recordings, and then the recordings themselves."""
    tapes = find_recordings(root)
    copies = {tape / FOLDER for tape in tapes}
    for path in find_episodes(root):
        if not copies & set(path.parents):
            episode = open_episode(path)
            if episode.meta.get("world", world.name) != world.name:
                raise RecordingError(f"{path} is an episode of world {episode.meta['world']!r}, not of {world.name!r}")
            yield episode
    for path in tapes:
        tape = open_recording(path)
        check_world(tape, world)
        yield tape


def _buffer(minari: Any, episode: Episode | Recording, spec: ActionSpec) -> Any:
    actions, steps, num_keys = episode.actions[1:], len(episode) - 1, len(spec.keys)
    last = np.arange(steps) == steps - 1
    return importlib.import_module("minari.data_collector").EpisodeBuffer(
        seed=episode.meta.get("seed"),
        observations=episode.frames(),
        actions={"keys": (actions[:, :num_keys] >= 0.5).astype(np.int8), "mouse": actions[:, num_keys:]},
        rewards=np.zeros(steps),
        terminations=np.zeros(steps, dtype=bool),
        truncations=last,
        infos={"pose": episode.poses},
    )


def _encoder(space: Any, spec: ActionSpec) -> Any:
    """What turns `count` actions of a data set's space into encoded ones, float32 [count, size]."""
    if space == action_space(spec):
        return lambda actions, count: np.concatenate(
            [np.asarray(actions[part], dtype=np.float32).reshape(count, -1) for part in ("keys", "mouse")], axis=1
        )
    mapped = map_space(space, spec.keys)
    if len(mapped.mouse) != len(spec.mouse_limits):
        raise ConfigError(f"the actions {space} have {len(mapped.mouse)} mouse axes, not {len(spec.mouse_limits)}")
    return lambda actions, count: np.stack([spec.encode(mapped.to_action(action)) for action in actions])


def _said(error: Exception) -> str:
    return " ".join(str(error).split())


def _run(settings: MinariConfig) -> str:
    if not settings.dataset or bool(settings.source) == bool(settings.out):
        raise ConfigError("give dataset=NAME and either source=FOLDER, to export, or out=FOLDER, to import")
    world = definitions.load(settings.world)
    if settings.source:
        return f"{export_dataset(settings.source, settings.dataset, world)} episodes written to {settings.dataset}"
    return f"{len(import_dataset(settings.dataset, settings.out, world))} episodes made in {settings.out}"


def main(argv: list[str] | None = None) -> int:
    """Read the command line, export or import, and say what was made."""
    return command.run(MinariConfig, __doc__ or "", _run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
