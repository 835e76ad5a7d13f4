"""One episode of footage: a player in a game, frame by frame, and the same episode rendered again from its actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import worlds
from engine import world as definitions
from engine.action import Action, ActionSpec
from engine.data.episode import DEPTH_CELL, open_episode, write_episode
from engine.data.footage_palette import PaletteFrames
from engine.errors import RecordingError

SCRIPT = "script.json"  # in place of episode.json where an episode is kept as its seed and actions alone
NO_POSE = (float("nan"),) * 4
Pose = tuple[float, float, float, float]


@dataclass(frozen=True)
class Played:
    """What was seen and done: frames as indices with a palette or as RGB, actions encoded, poses."""

    frames: np.ndarray
    palette: np.ndarray | None
    actions: np.ndarray  # float32 [num_frames, action size]; actions[0] is zeros
    poses: np.ndarray  # float32 [num_frames, 4]
    depth: np.ndarray | None = None  # float16 [num_frames, height / 8, width / 8], where the game tells it


def play(
    env: gymnasium.Env, spec: ActionSpec, choose: Callable[[Pose], Action], num_frames: int, seed: int | None = None
) -> Played:
    """Record `num_frames` of any environment whose frames are RGB uint8 [height, width, 3].

    choose: the action that follows a pose (info["pose"], or NaNs where the game tells none). An
    episode that the game ends early is shorter.
    """
    frame, info = env.reset(seed=seed)
    frames = PaletteFrames(num_frames, *frame.shape[:2])
    actions = np.zeros((num_frames, spec.size), dtype=np.float32)
    poses = np.zeros((num_frames, 4), dtype=np.float32)
    frames.append(frame)
    poses[0] = info.get("pose", NO_POSE)
    depth = [_squares(info["depth"])] if "depth" in info else []
    for i in range(1, num_frames):
        action = choose(info.get("pose", NO_POSE))
        actions[i] = spec.encode(action)
        # What is kept in float32 is what the game gets, so that the episode can be played again exactly.
        frame, _, terminated, truncated, info = env.step(spec.decode(actions[i]))
        if terminated or truncated:
            break
        frames.append(frame)
        poses[i] = info.get("pose", NO_POSE)
        if depth:
            depth.append(_squares(info["depth"]))
    stored, palette = frames.arrays()
    return Played(stored, palette, actions[: len(stored)], poses[: len(stored)], np.stack(depth) if depth else None)


def _squares(depth: np.ndarray) -> np.ndarray:
    """Depth [height, width] -> float16 [height / 8, width / 8], each square's harmonic mean: near things count most."""
    rows, columns = (size // DEPTH_CELL for size in depth.shape)
    inverse = 1 / depth[: rows * DEPTH_CELL, : columns * DEPTH_CELL].reshape(rows, DEPTH_CELL, columns, DEPTH_CELL)
    return (1 / inverse.mean(axis=(1, 3))).astype(np.float16)


def record(
    path: Path, world: str, game: dict[str, Any], num_frames: int, tour: str, gap: int, with_frames: bool = True
) -> None:
    """Record an episode of `world` into the folder `path`. game: settings of worlds.make_env, with its seed."""
    env = worlds.make_env(world, **game, **worlds.footage_settings(world))
    try:
        player = worlds.make_player(world, env, game["seed"], tour, gap)
        spec = definitions.load(world).action_spec
        played = play(env, spec, player.act, num_frames, seed=game["seed"])
    finally:
        env.close()
    meta = {"world": world, "split": worlds.split_of(game["seed"]), "game": game, "seed": game["seed"], **player.marks}
    if with_frames:
        write_episode(path, played.frames, played.actions, played.poses, meta, played.palette, played.depth)
    else:
        _write_script(path, played, meta)


def render_again(path: Path, out: Path) -> None:
    """Play the actions of an episode, or of one kept without frames, again and write the whole episode to `out`."""
    meta, actions = _read_script(path)
    world, game = meta["world"], meta["game"]
    spec = definitions.load(world).action_spec
    env = worlds.make_env(world, **game, **worlds.footage_settings(world))
    following = iter(actions[1:])
    try:
        played = play(env, spec, lambda _: spec.decode(next(following)), len(actions), seed=game["seed"])
    finally:
        env.close()
    kept = {key: value for key, value in meta.items() if key not in ("format", "num_frames")}
    write_episode(out, played.frames, played.actions, played.poses, kept, played.palette, played.depth)


def _write_script(path: Path, played: Played, meta: dict[str, Any]) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        np.save(path / "actions.npy", played.actions)
        np.save(path / "poses.npy", played.poses)
        (path / SCRIPT).write_text(json.dumps({"num_frames": len(played.actions), **meta}, indent=1))
    except OSError as error:
        raise RecordingError(f"cannot write an episode to {path}: {error.strerror or error}") from error


def _read_script(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    if not (path / SCRIPT).exists():
        episode = open_episode(path)
        return episode.meta, episode.actions
    try:
        return json.loads((path / SCRIPT).read_text()), np.load(path / "actions.npy")
    except (OSError, ValueError, EOFError) as error:
        raise RecordingError(f"{path} is not a whole episode: {error}") from error
