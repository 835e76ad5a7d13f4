"""The engine: one world's network, stepped by actions, frame by frame."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch

from engine import checkpoint
from engine import world as worlds
from engine.action import Action
from engine.data import history as histories
from engine.data import saved_state, savefile
from engine.data.starts import num_starts
from engine.errors import CheckpointError, ConfigError, SaveError, SessionError
from engine.model.diffusion import schedule
from engine.model.network import WorldModel
from engine.session import Session, Snapshot

DENOISE_STEPS = 2
REWIND_SECONDS = 60


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

    The same seed, actions and device give the same frames, also after a save, a rewind or a branch. An engine is
    closed by `close`, or by leaving a `with` block.
    """

    def __init__(
        self, model: WorldModel, manifest: checkpoint.Manifest, world: worlds.World, device: torch.device, seed: int,
        denoise_steps: int,
    ) -> None:  # fmt: skip
        self.manifest, self.world = manifest, world
        self.action_spec = world.action_spec
        self.device, self.seed, self.denoise_steps = str(device), _seed(seed), denoise_steps
        self._model: WorldModel | None = model
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
        if not isinstance(name, (str, Path)) or not str(name):
            raise ConfigError(f"name is a world's name or a checkpoint's folder, not {name!r}")
        name = str(name)
        if not (Path(name) / checkpoint.MANIFEST).exists() and "/" not in name and name not in worlds.names():
            worlds.load(name)  # raises, naming the nearest world
        folder = checkpoint.find(name)
        model, manifest = checkpoint.load(folder)
        world = worlds.load(folder if (folder / "world.yaml").is_file() else manifest.world)
        _check_fit(world, manifest)
        steps = denoise_steps if denoise_steps is not None else int(manifest.notes.get("denoise_steps", DENOISE_STEPS))
        model = model.requires_grad_(False).to(chosen, _dtype(chosen))
        model.codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return cls(model, manifest, world, chosen, seed, _at_least_one(steps, "denoise_steps"))

    @property
    def model(self) -> WorldModel:
        """The network. Raises SessionError once the engine is closed."""
        if self._model is None:
            raise SessionError("this engine is closed: load another")
        return self._model

    @property
    def info(self) -> dict[str, Any]:
        """Of the present frame, what `Step.info` says. Raises SessionError before `reset`."""
        session = self._present()
        return {
            "pose": session.pose,
            "frame_index": session.num_frames - 1,
            "memory_entries": session.num_entries,
            "memory_bytes": session.memory_bytes,
        }

    @property
    def num_starts(self) -> int:
        """How many start scenes are shipped for this world."""
        return num_starts(self.world)

    def reset(
        self, start: int | np.ndarray = 0, history: histories.Told | None = None, seed: int | None = None
    ) -> np.ndarray:
        """Begin a session and return its present frame, uint8 [height, width, 3].

        start: index of a shipped start, or an image of the frame's size. history: (frames, actions) or (frames,
        actions, poses), in place of start: actions[i] was held between frames[i-1] and frames[i], the last
        frame is the present one; poses are [n, 4], x, y, z, angle in degrees. seed: in place of the engine's.
        """
        seed = self.seed if seed is None else _seed(seed)
        past = histories.from_start(self.world, start) if history is None else histories.from_told(self.world, history)
        session = self._new_session(seed)
        session.start(past.frames, past.actions, past.poses)
        self.session, self.seed = session, seed
        return past.frames[-1].copy()

    def step(self, action: Action) -> Step:
        """Generate the frame that follows `action`. Raises ActionError or, before `reset`, SessionError."""
        begun = time.perf_counter()
        session = self._present()
        frame = session.step(self.action_spec.encode(action))
        return Step(frame, (time.perf_counter() - begun) * 1e3, self.info)

    def observe(self, frame: np.ndarray, action: Action, pose: Sequence[float] | None = None) -> None:
        """Take a real frame as what followed `action`, in place of generating one.

        frame: uint8 [height, width, 3]. pose: (x, y, z, angle in degrees), or None to have it estimated.
        """
        session = self._present()
        told = None if pose is None else histories.check_poses([pose], 1)[0]
        session.observe(histories.check_frames(self.world, [frame])[0], self.action_spec.encode(action), told)

    def save(self, path: Path | str, **notes: Any) -> Path:
        """Write the session to one file, whole or not at all, from which `restore` goes on as if never interrupted.

        notes: plain JSON values to keep with it; `engine.data.savefile.describe` shows them and the last frame.
        Raises SaveError if it cannot be written.
        """
        snapshot = self.snapshot()
        meta = {
            "world": self.world.name,
            "checkpoint_hash": self.checkpoint_hash,
            "seed": snapshot.seed,
            "begun": snapshot.begun,
            "frame_index": snapshot.frame_index,
            "device": self.device,
            "denoise_steps": self.denoise_steps,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "notes": notes,
        }
        frame = self._present().frame()
        return savefile.write(path, saved_state.pack(snapshot.moments, snapshot.bank, frame), meta)

    def restore(self, path: Path | str) -> np.ndarray:
        """Take up the session that `save` wrote, in place of the present one; its last frame, uint8 [height, width, 3].

        What follows is the same to the bit on the same device with as many denoise steps. Raises SaveError for a
        file that is damaged, or of another world or checkpoint; the present session then goes on.
        """
        tensors, meta = savefile.read(path)
        if meta.get("world") != self.world.name:
            raise SaveError(f"{path} is of world {meta.get('world')!r}, not of {self.world.name!r}")
        if meta.get("checkpoint_hash") != self.checkpoint_hash:
            held = str(meta.get("checkpoint_hash"))[:12]
            raise SaveError(f"{path} was made with checkpoint {held}, not {self.checkpoint_hash[:12]}: load that one")
        moments, bank = saved_state.unpack(tensors, self.model.settings, self.model.device)
        seed, begun = meta.get("seed"), meta.get("begun")
        if not _is_seed(seed) or type(begun) is not int or not 1 <= begun <= moments[-1].num_frames:
            raise SaveError(f"the saved session {path} is damaged: seed {seed!r}, {begun!r} frames of history")
        session = self._new_session(seed)
        frame = session.take_up(Snapshot(tuple(moments), bank, begun, seed, self.checkpoint_hash))
        self.session, self.seed = session, seed
        return frame

    def snapshot(self) -> Snapshot:
        """The session as it is now, kept in memory: for `rewind` and `branch`. Raises SessionError before `reset`."""
        return self._present().snapshot(self.checkpoint_hash)

    @property
    def rewindable_frames(self) -> int:
        """How many frames `rewind` can go back now: a minute of play, less near the session's beginning."""
        return 0 if self.session is None else self.session.rewindable

    def rewind(self, snapshot: Snapshot | None = None, *, frames: int | None = None) -> np.ndarray:
        """Go back to a snapshot, or by a number of frames; the frame that is present then, uint8 [height, width, 3].

        What comes after is forgotten, but not by snapshots. Raises SessionError for a snapshot of another checkpoint
        or device, or more frames than `rewindable_frames`.
        """
        if (snapshot is None) == (frames is None):
            raise SessionError("rewind takes a snapshot or a number of frames, one of them")
        if snapshot is None:
            most = self._present().rewindable
            if isinstance(frames, bool) or not isinstance(frames, int) or not 0 <= frames <= most:
                raise SessionError(f"one can go back by 0 to {most} frames now, not by {frames!r}")
            return self._present().rewind(frames)
        if not isinstance(snapshot, Snapshot):
            raise SessionError(f"rewind takes what snapshot() gave, not {snapshot!r}")
        if snapshot.checkpoint_hash != self.checkpoint_hash or snapshot.device != self.model.device:
            raise SessionError("the snapshot is of another checkpoint or device: save and restore the session instead")
        session = self.session or self._new_session(snapshot.seed)
        frame = session.take_up(snapshot)
        self.session, self.seed = session, snapshot.seed
        return frame

    def share(self, seed: int | None = None) -> Engine:
        """Another engine on the same network in memory, with a session of its own to `reset`."""
        device, seed = self.model.device, self.seed if seed is None else seed
        return Engine(self.model, self.manifest, self.world, device, seed, self.denoise_steps)

    def branch(self, snapshot: Snapshot | None = None) -> Engine:
        """Another engine that goes on from a snapshot, or from the present frame, while this one goes its own way."""
        other = self.share()
        other.rewind(snapshot or self.snapshot())
        return other

    def close(self) -> None:
        """End the session and let go of the network."""
        self.session = self._model = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_session(self, seed: int) -> Session:
        levels = schedule(self.denoise_steps)
        rewind_frames = math.ceil(REWIND_SECONDS * self.world.rate)
        return Session(self.model, self.world.camera.pose_unit, levels, seed, rewind_frames)

    def _present(self) -> Session:
        if self.session is None and self._model is not None:
            raise SessionError("there is no session yet: call reset() before anything else")
        if self.session is None:
            raise SessionError("this engine is closed: load another")
        return self.session


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} is not there: PyTorch finds no GPU; use device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r} is not there: there are {torch.cuda.device_count()} GPUs, from cuda:0")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, not {name!r}")
    return device


def _dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it natively, else float32."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def _check_fit(world: worlds.World, manifest: checkpoint.Manifest) -> None:
    """Raise CheckpointError if the checkpoint was made for other frames or actions than the world has."""
    settings = manifest.settings
    made = settings.height, settings.width, settings.action_size, settings.mouse_axes
    needed = world.frame.height, world.frame.width, world.action_spec.size, len(world.action_spec.mouse_limits)
    if made != needed:
        numbers = "height, width, size of an action, mouse axes"
        raise CheckpointError(f"the checkpoint does not fit world {world.name!r}: {numbers} are {made}, not {needed}")


def _is_seed(seed: object) -> TypeGuard[int]:
    return isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and bool(0 <= seed < 2**63)


def _seed(seed: object) -> int:
    if not _is_seed(seed):
        raise ConfigError(f"seed is a whole number from 0 to 2**63 - 1, not {seed!r}")
    return int(seed)


def _at_least_one(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is a whole number from 1, not {value!r}")
    return value
