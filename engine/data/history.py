"""What a session may begin from: shipped starts, images, true histories; each checked against the world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.action import Action
from engine.data.starts import load_start, num_starts
from engine.errors import ActionError, EngineError, FrameError
from engine.world import World

FARTHEST = 1e9  # of a pose's numbers, in the game's units: no game is larger
Actions = Sequence[Action] | np.ndarray
# (frames, actions) or (frames, actions, poses), as a user gives them.
Told = tuple[np.ndarray, Actions] | tuple[np.ndarray, Actions, np.ndarray | None]


@dataclass(frozen=True)
class History:
    """Frames that are true, oldest first; the last one is the present."""

    frames: np.ndarray  # uint8 [n, height, width, 3]
    actions: np.ndarray  # float32 [n, size], encoded; actions[i] was held between frames i-1 and i
    poses: np.ndarray | None  # float32 [n, 4]: x, y, z, angle in degrees, NaN where unknown


def from_start(world: World, start: Any) -> History:
    """The history of a shipped start, by its index, or of an image alone. Raises EngineError kinds."""
    if isinstance(start, np.ndarray):
        frames = check_frames(world, start[None])
        return History(frames, np.zeros((1, world.action_spec.size), dtype=np.float32), None)
    if isinstance(start, bool) or not isinstance(start, (int, np.integer)):
        raise FrameError(f"start is the index of a shipped start or an image (a numpy array), not {start!r}")
    shipped = num_starts(world)
    if not shipped:
        raise EngineError(f"world {world.name!r} ships no starts: give reset() an image or a history")
    if not 0 <= start < shipped:
        raise EngineError(f"there is no start {start}: world {world.name!r} ships 0 to {shipped - 1}")
    scene = load_start(world, int(start))
    return from_told(world, (scene.frames, scene.actions, scene.poses))


def from_told(world: World, told: Any) -> History:
    """The history that a user tells as (frames, actions) or (frames, actions, poses). Raises EngineError kinds."""
    if not isinstance(told, (tuple, list)) or len(told) not in (2, 3):
        raise FrameError("a history is (frames, actions) or (frames, actions, poses)")
    frames, actions = check_frames(world, told[0]), _actions(world, told[1])
    if len(frames) != len(actions) or len(frames) == 0:
        raise FrameError(f"a history needs as many actions as frames, at least one: {len(frames)} and {len(actions)}")
    poses = None if len(told) < 3 or told[2] is None else check_poses(told[2], len(frames))
    return History(frames, actions, poses)


def check_frames(world: World, frames: Any) -> np.ndarray:
    """`frames` as uint8 [n, height, width, 3]. Raises FrameError."""
    frames = _array(frames, "frames")
    if frames.dtype != np.uint8:
        raise FrameError(f"frames are RGB of type uint8, not {frames.dtype}")
    if frames.ndim != 4 or frames.shape[1:] != world.frame_shape:
        raise FrameError(f"frames of world {world.name!r} have shape {world.frame_shape}, not {frames.shape[1:]}")
    return frames


def check_poses(poses: Any, count: int) -> np.ndarray:
    """`poses` as float32 [count, 4]; NaN stands for unknown. Raises FrameError."""
    poses = _array(poses, "poses")
    if poses.shape != (count, 4) or poses.dtype.kind not in "fiu":
        found = f"{poses.dtype} {poses.shape}"
        raise FrameError(f"poses are numbers (x, y, z, angle) for each of {count} frames, not {found}")
    if (np.abs(poses) > FARTHEST).any():
        raise FrameError(f"a pose is of finite numbers, up to {FARTHEST:g}, NaN where it is unknown")
    return poses.astype(np.float32)


def _actions(world: World, actions: Any) -> np.ndarray:
    spec = world.action_spec
    if not isinstance(actions, np.ndarray):
        if isinstance(actions, str) or not isinstance(actions, Iterable):
            raise ActionError(f"actions are a list of engine.Action or an array [n, {spec.size}], not {actions!r}")
        return np.array([spec.encode(action) for action in actions], dtype=np.float32).reshape(-1, spec.size)
    if actions.ndim != 2 or actions.shape[1] != spec.size or actions.dtype.kind not in "fiub":
        raise ActionError(f"encoded actions are numbers [n, {spec.size}], not {actions.dtype} {actions.shape}")
    if not np.isfinite(actions).all():
        raise ActionError("encoded actions are finite numbers")
    return actions.astype(np.float32)


def _array(values: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise FrameError(f"{name} are an array of one shape: {error}") from error
