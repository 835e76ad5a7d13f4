"""The engine: one world's network, stepped by actions, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine import checkpoint
from engine import world as worlds
from engine.action import Action
from engine.data.starts import load_start, num_starts
from engine.errors import ActionError, ConfigError, EngineError, FrameError, SessionError
from engine.model.diffusion import schedule
from engine.model.network import WorldModel
from engine.session import Session

DENOISE_STEPS = 2
History = tuple[np.ndarray, Sequence[Action] | np.ndarray] | tuple[np.ndarray, Sequence[Action] | np.ndarray, Any]


@dataclass(frozen=True)
class Step:
    """What one action led to.

    frame: uint8 [height, width, 3]. latency_ms: time inside the engine. info: "pose", (x, y, z, angle in
    degrees) as the network believes it; "frame_index"; "memory_entries" and "memory_bytes" held.
    """

    frame: np.ndarray
    latency_ms: float
    info: dict[str, Any] = field(default_factory=dict)


class Engine:
    """A generated world. `Engine.load`, then `reset`, then `step` for every frame.

    The same seed, actions and device give the same frames.
    """

    def __init__(
        self, model: WorldModel, manifest: checkpoint.Manifest, world: worlds.World, device: torch.device, seed: int,
        denoise_steps: int,
    ) -> None:  # fmt: skip
        self.model, self.manifest, self.world = model, manifest, world
        self.action_spec = world.action_spec
        self.device, self.seed, self.denoise_steps = str(device), seed, denoise_steps
        self.checkpoint_hash = manifest.digest
        self.session: Session | None = None

    @classmethod
    def load(
        cls, name: str = "doom", device: str = "auto", seed: int = 0, denoise_steps: int | None = None,
        threads: int | None = None,
    ) -> Engine:  # fmt: skip
        """Load a world's shipped checkpoint, or the checkpoint in the folder `name`.

        device: "auto", "cpu" or "cuda". denoise_steps: evaluations of the generator per frame; by
        default what the checkpoint was made for. threads: of the CPU; all by default. Raises EngineError kinds.
        """
        if threads is not None:
            torch.set_num_threads(_at_least_one(threads, "threads"))
        chosen = _device(device)
        known = worlds.names()
        path = Path(name)
        if not (path / checkpoint.MANIFEST).exists() and "/" not in name and name not in known:
            worlds.load(name)  # raises, naming the nearest world
        folder = checkpoint.find(name)
        model, manifest = checkpoint.load(folder)
        world = worlds.load(manifest.world)
        steps = denoise_steps if denoise_steps is not None else int(manifest.notes.get("denoise_steps", DENOISE_STEPS))
        model = model.requires_grad_(False).to(chosen, _dtype(chosen))
        model.codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return cls(model, manifest, world, chosen, seed, _at_least_one(steps, "denoise_steps"))

    @property
    def num_starts(self) -> int:
        """How many start scenes are shipped for this world."""
        return num_starts(self.world.name)

    def reset(
        self, start: int | np.ndarray = 0, history: History | None = None, seed: int | None = None
    ) -> np.ndarray:
        """Begin a session and return its present frame, uint8 [height, width, 3].

        start: index of a shipped start, or an image of the frame's size. history: (frames, actions) or (frames,
        actions, poses), in place of start: actions[i] was held between frames[i-1] and frames[i], the last
        frame is the present one; poses are [n, 4], x, y, z, angle in degrees. seed: in place of the engine's.
        """
        if history is None:
            history = self._start_history(start)
        frames, actions = self._frames(history[0]), self._actions(history[1])
        if len(frames) != len(actions) or len(frames) == 0:
            raise FrameError(f"a history needs as many actions as frames, at least one: {len(frames)} and {len(actions)}")
        poses = None if len(history) < 3 or history[2] is None else self._poses(history[2], len(frames))
        self.seed = self.seed if seed is None else seed
        levels = schedule(self.denoise_steps)
        self.session = Session(self.model, self.world.camera.pose_unit, levels, self.seed)
        self.session.start(frames, actions, poses)
        return frames[-1].copy()

    def step(self, action: Action) -> Step:
        """Generate the frame that follows `action`. Raises ActionError or, before `reset`, SessionError."""
        begun = time.perf_counter()
        session = self._present()
        frame = session.step(self.action_spec.encode(action))
        info = {
            "pose": session.pose,
            "frame_index": session.num_frames - 1,
            "memory_entries": session.num_entries,
            "memory_bytes": session.memory_bytes,
        }
        return Step(frame, (time.perf_counter() - begun) * 1e3, info)

    def observe(self, frame: np.ndarray, action: Action, pose: Sequence[float] | None = None) -> None:
        """Take a real frame as what followed `action`, in place of generating one.

        frame: uint8 [height, width, 3]. pose: (x, y, z, angle in degrees), or None to have it estimated.
        """
        session = self._present()
        told = None if pose is None else self._poses(np.asarray([pose]), 1)[0]
        session.observe(self._frames(np.asarray(frame)[None])[0], self.action_spec.encode(action), told)

    def close(self) -> None:
        """End the session and let go of the network."""
        self.session = None

    def _present(self) -> Session:
        if self.session is None:
            raise SessionError("there is no session yet: call reset() before step() and observe()")
        return self.session

    def _start_history(self, start: int | np.ndarray) -> History:
        if isinstance(start, np.ndarray):
            return start[None], np.zeros((1, self.action_spec.size), dtype=np.float32), None
        if isinstance(start, bool) or not isinstance(start, (int, np.integer)):
            raise FrameError(f"start is the index of a shipped start or an image (a numpy array), not {start!r}")
        if not 0 <= start < self.num_starts:
            raise EngineError(f"there is no start {start}: world {self.world.name!r} ships {self.num_starts}, from 0")
        scene = load_start(self.world.name, int(start))
        return scene.frames, scene.actions, scene.poses

    def _frames(self, frames: Any) -> np.ndarray:
        frames = np.asarray(frames)
        if frames.dtype != np.uint8:
            raise FrameError(f"frames are RGB of type uint8, not {frames.dtype}")
        if frames.ndim != 4 or frames.shape[1:] != self.world.frame_shape:
            size = "x".join(str(n) for n in frames.shape[1:])
            raise FrameError(f"frames of world {self.world.name!r} have shape {self.world.frame_shape}, not {size}")
        return frames

    def _actions(self, actions: Any) -> np.ndarray:
        if not isinstance(actions, np.ndarray):
            return np.stack([self.action_spec.encode(action) for action in actions])
        if actions.ndim != 2 or actions.shape[1] != self.action_spec.size or not np.isfinite(actions).all():
            raise ActionError(f"encoded actions are finite numbers [n, {self.action_spec.size}], not {actions.shape}")
        return actions.astype(np.float32)

    def _poses(self, poses: Any, count: int) -> np.ndarray:
        poses = np.asarray(poses, dtype=np.float32)
        if poses.shape != (count, 4):
            raise FrameError(f"poses are (x, y, z, angle) for each of {count} frames, not of shape {poses.shape}")
        return poses


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} is not there: PyTorch finds no GPU; use device=cpu")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}")
    return device


def _dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def _at_least_one(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is a whole number from 1, not {value!r}")
    return value
