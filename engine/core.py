"""The engine: one world's network, stepped by actions, frame by frame."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine import checkpoint
from engine import world as worlds
from engine.action import Action
from engine.config import MOST_DENOISE_STEPS, MOST_THREADS, at_least_one, check_seed
from engine.data import history as histories
from engine.data.starts import num_starts
from engine.errors import ConfigError, SessionError
from engine.model.diffusion import schedule
from engine.model.machine import find_device, number_type
from engine.model.network import WorldModel
from engine.model.packed import pack
from engine.model.recall import Recall
from engine.session import Attended, Session
from engine.snapshot import Past, Snapshot

REWIND_SECONDS = 60


@dataclass(frozen=True)
class Step:
    """What one action led to.

    frame: uint8 [height, width, 3]. latency_ms: time inside the engine. info: "pose", (x, y, z, angle in
    degrees) as the network believes it; "frame_index"; "memory_entries" and "memory_bytes" held; "memory_on".
    """

    frame: np.ndarray
    latency_ms: float
    info: dict[str, Any] = field(default_factory=dict)


class Engine:
    """A generated world. `Engine.load`, then `reset`, then `step` for every frame.

    The same seed, actions and device (and threads of a CPU) give the same frames, also after a save, a rewind or a
    branch. An engine is closed by `close`, or by leaving a `with` block.
    """

    def __init__(
        self, model: WorldModel, manifest: checkpoint.Manifest, world: worlds.World, device: torch.device, seed: int,
        denoise_steps: int, graphs: bool = True,
    ) -> None:  # fmt: skip
        self.manifest, self.world = manifest, world
        self.action_spec = world.action_spec
        self.device, self.seed, self.denoise_steps = str(device), check_seed(seed), denoise_steps
        self.graphs = graphs
        self._model: WorldModel | None = model
        self.checkpoint_hash = manifest.digest
        self.session: Session | None = None

    @classmethod
    def load(
        cls, name: str = "doom", device: str = "auto", seed: int = 0, denoise_steps: int | None = None,
        threads: int | None = None, graphs: bool = True, compile: bool = False,
    ) -> Engine:  # fmt: skip
        """Load a world's shipped checkpoint, or the checkpoint in the folder `name`.

        device: "auto", "cpu" or "cuda". denoise_steps: evaluations of the generator per frame; by
        default what the checkpoint was made for on that device. threads: of the CPU; all by default.
        graphs: launch a step's work on a GPU in a few parts recorded before; same frames, sooner.
        compile: have PyTorch's compiler fuse that work: a minute or more at first, then sooner; frames round otherwise.
        Raises EngineError kinds.
        """
        if threads is not None:
            torch.set_num_threads(at_least_one(threads, "threads", MOST_THREADS))
        if denoise_steps is not None:
            at_least_one(denoise_steps, "denoise_steps", MOST_DENOISE_STEPS)
        chosen = find_device(device)
        if compile and chosen.type != "cuda":
            raise ConfigError(f"compile=true is for a GPU, and gains nothing on {chosen}: leave it out")
        if not isinstance(name, (str, Path)) or not str(name):
            raise ConfigError(f"name is a world's name or a checkpoint's folder, not {name!r}")
        folder = checkpoint.of_world(name)
        model, manifest = checkpoint.load(folder)
        world = worlds.load(folder if (folder / "world.yaml").is_file() else manifest.world)
        checkpoint.check_fit(manifest, world)
        steps = denoise_steps if denoise_steps is not None else manifest.denoise_steps(chosen.type)
        model = model.requires_grad_(False).to(chosen, number_type(chosen))
        model.codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        pack(model)
        model.body, model.falls = world.camera.body, world.camera.falls
        if compile:
            importlib.import_module("engine.model.compiled").compile_parts(model)  # seconds
        steps = at_least_one(steps, "denoise_steps", MOST_DENOISE_STEPS)
        return cls(model, manifest, world, chosen, seed, steps, bool(graphs))

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
            "memory_on": session.recall.on,
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
        seed = self.seed if seed is None else check_seed(seed)
        past = histories.from_start(self.world, start) if history is None else histories.from_told(self.world, history)
        session = self._new_session(seed)
        session.start(past.frames, past.actions, past.poses)
        session.origin = None if history is not None or isinstance(start, np.ndarray) else int(start)
        self.session, self.seed = session, seed
        return past.frames[-1].copy()

    def step(self, action: Action) -> Step:
        """Generate the frame that follows `action`. Raises ActionError or, before `reset`, SessionError."""
        begun = time.perf_counter()
        session = self._present()
        frame = session.step(self.action_spec.encode(action))
        return Step(frame, (time.perf_counter() - begun) * 1e3, self.info)

    def observe(self, frame: np.ndarray, action: Action, pose: Sequence[float] | None = None) -> Step:
        """Take a real frame as what followed `action`, in place of generating one.

        frame: uint8 [height, width, 3]. pose: (x, y, z, angle in degrees), or None to have it estimated.
        """
        begun = time.perf_counter()
        session = self._present()
        told = None if pose is None else histories.check_poses([pose], 1)[0]
        session.observe(histories.check_frames(self.world, [frame])[0], self.action_spec.encode(action), told)
        return Step(frame, (time.perf_counter() - begun) * 1e3, self.info)

    @property
    def recall(self) -> Recall:
        """What of its memory the session may use, and which entries a player pinned or forgot.

        Raises SessionError before `reset`.
        """
        return self._present().recall

    def set_recall(self, recall: Recall) -> None:
        """Have the frames from the next one on use this of memory. Saves, snapshots and rewinds carry it.

        Raises SessionError for entries that are not there, or more pins than there is room for.
        """
        if not isinstance(recall, Recall):
            raise SessionError(f"set_recall takes an engine's recall, changed, not {recall!r}")
        self._present().set_recall(recall)

    def use_memory(self, on: bool) -> None:
        """Turn memory off or on from the next frame on; while it is off, it still takes in what is seen."""
        if not isinstance(on, bool):
            raise SessionError(f"memory is used or not, True or False, not {on!r}")
        self.set_recall(replace(self.recall, on=on))

    def attended(self, weigh: bool = False) -> list[Attended]:
        """What of memory the present frame was drawn from. weigh: have the next one measure its attention to each."""
        return self._present().attended(weigh)

    @property
    def past(self) -> Past | None:
        """The start scene that the session began in, and the actions since; None if it began otherwise."""
        return self._present().past

    @property
    def memory_slots(self) -> int:
        """How many memory entries a frame is drawn from at most."""
        return self.model.settings.memory_entries

    @property
    def places(self) -> np.ndarray:
        """Where each memory entry was seen from, float32 [entries, 3]: x, y, angle in degrees."""
        return self._present().places

    def thumbnail(self, entry: int) -> np.ndarray:
        """What was seen at the end of a memory entry's block, small: uint8 [height, width, 3]. Raises SessionError."""
        pictures = self._present().thumbnails
        if isinstance(entry, bool) or not isinstance(entry, (int, np.integer)) or not 0 <= entry < len(pictures):
            raise SessionError(f"there are {len(pictures)} memory entries, numbered from 0, but not {entry!r}")
        return pictures[entry]

    def save(self, path: Path | str, **notes: Any) -> Path:
        """Write the session to one file, whole or not at all, from which `restore` goes on as if never interrupted.

        notes: plain JSON values to keep with it; `engine.data.savefile.describe` shows them and the last frame.
        Raises SaveError if it cannot be written.
        """
        return self.prepare_save(**notes)(path)

    def prepare_save(self, **notes: Any) -> Callable[[Path | str], Path]:
        """What writes the session of this moment, as `save` does: later, on any thread, while the session goes on."""
        about = {"world": self.world.name, "device": self.device, "denoise_steps": self.denoise_steps, "notes": notes}
        about["created"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        return self.snapshot().packed(self._present().frame(), about)

    def restore(self, path: Path | str) -> np.ndarray:
        """Take up the session that `save` wrote, in place of the present one; its last frame, uint8 [height, width, 3].

        What follows is the same to the bit on the same device with as many denoise steps. Raises SaveError for a
        file that is damaged, or of another world or checkpoint; the present session then goes on.
        """
        taken = Snapshot.read(path, self.world.name, self.checkpoint_hash, self.model.settings, self.model.device)
        session = self._new_session(taken.seed)
        frame = session.take_up(taken)
        self.session, self.seed = session, taken.seed
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
        return Engine(self.model, self.manifest, self.world, device, seed, self.denoise_steps, self.graphs)

    def branch(self, snapshot: Snapshot | None = None) -> Engine:
        """Another engine that goes on from a snapshot, or from the present frame, while this one goes its own way."""
        other = self.share()
        other.rewind(snapshot or self.snapshot())
        return other

    def close(self) -> None:
        """End the session and let go of the network."""
        if self._model is not None:
            self._model.idle.clear()
        self.session = self._model = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_session(self, seed: int) -> Session:
        levels = schedule(self.denoise_steps)
        rewind_frames = math.ceil(REWIND_SECONDS * self.world.rate)
        return Session(self.model, self.world.camera.pose_unit, levels, seed, rewind_frames, self.graphs)

    def _present(self) -> Session:
        if self.session is None and self._model is not None:
            raise SessionError("there is no session yet: call reset() before anything else")
        if self.session is None:
            raise SessionError("this engine is closed: load another")
        return self.session
