"""Replay: execute a recording's actions again, and say whether every frame is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engine.action import Action
from engine.config import is_seed
from engine.data.machine import describe_machine, num_threads
from engine.data.recording import BEGINNING, Recording, digest, open_recording
from engine.data.recording_files import find_file
from engine.errors import RecordingError, shown
from engine.model.recall import Recall
from engine.world import World

MOST_STARTS = 1 << 31  # no world has as many


class Player(Protocol):
    """What a replay needs of an engine."""

    world: World
    device: str
    denoise_steps: int
    checkpoint_hash: str

    def reset(self, start: Any = 0, history: Any = None, seed: int | None = None) -> np.ndarray: ...

    def restore(self, path: Path | str) -> np.ndarray: ...

    def set_recall(self, recall: Recall) -> None: ...

    def step(self, action: Action) -> Any: ...


@dataclass(frozen=True)
class Replay:
    """What came of it; as text, one sentence."""

    num_frames: int  # of the recording
    num_same: int  # equal in every pixel
    first_difference: int | None  # number of the first frame that is not
    circumstances: tuple[str, ...]  # what differs from the recording's: checkpoint, device, ...

    @property
    def same(self) -> bool:
        """Whether every frame is the same, under the same circumstances."""
        return self.first_difference is None and not self.circumstances

    def __str__(self) -> str:
        if self.first_difference is None:
            found = f"all {self.num_frames} frames are the same"
        else:
            found = f"{self.num_same} of {self.num_frames} frames are the same, frame {self.first_difference} is not"
        if not self.circumstances:
            return found
        return f"not the same replay: {'; '.join(self.circumstances)}; {found}"


def replay(
    recording: Recording | Path | str, engine: Player, watch: Callable[[int, np.ndarray], None] | None = None
) -> Replay:
    """Execute a recording again in `engine`, whose session it replaces, comparing the digests of all frames.

    watch: called with the number of every frame and the frame, uint8 [height, width, 3]. Raises RecordingError for a
    recording of another world, or one that began in the middle of a session which it does not hold.
    """
    tape = recording if isinstance(recording, Recording) else open_recording(recording)
    check_world(tape, engine.world)
    circumstances = tuple(_circumstances(tape.meta, engine))
    actions = [engine.world.action_spec.decode(row) for row in tape.actions[1:]]
    frame = _begin(tape, engine)
    num_same, first_difference = 0, None
    for index, recorded in enumerate(tape.digests):
        if index:
            heed_recall(tape, index, engine)
            frame = engine.step(actions[index - 1]).frame
        if watch is not None:
            watch(index, frame)
        if digest(frame) == recorded:
            num_same += 1
        elif first_difference is None:
            first_difference = index
    return Replay(len(tape), num_same, first_difference, circumstances)


def heed_recall(tape: Recording, index: int, engine: Player) -> None:
    """Have the engine use of memory what was used from frame `index` on. Raises RecordingError or SessionError."""
    if index not in tape.recalls:
        return
    try:
        engine.set_recall(Recall.from_json(tape.recalls[index]))
    except ValueError as error:
        raise RecordingError(f"{tape.path} is damaged at frame {index}: {error}") from error


def _begin(tape: Recording, engine: Player) -> np.ndarray:
    beginning = find_file(tape.path, BEGINNING)
    if beginning:
        return engine.restore(beginning)
    start, seed = first_start(tape)
    return engine.reset(start, seed=seed)


def first_start(tape: Recording) -> tuple[int, int]:
    """The start scene and the seed of a recording that begins where its session did. Raises RecordingError."""
    number, start, seed = (tape.meta.get(name) for name in ("first_frame", "start", "seed"))
    if number not in (0, None):
        raise RecordingError(f"{tape.path} begins at frame {shown(number)} of its session, which it does not hold")
    if not is_seed(seed) or type(start) is not int or not 0 <= start < MOST_STARTS:
        said = f"start scene {shown(start)}, seed {shown(seed)}"
        raise RecordingError(f"{tape.path} does not say where its session began: {said}; the recording is damaged")
    return start, seed


def check_world(tape: Recording, world: World) -> None:
    """Raise RecordingError unless the recording is of `world` as it is now: its name, actions and frame size."""
    meta, spec = tape.meta, world.action_spec
    if meta.get("world") != world.name:
        raise RecordingError(f"{tape.path} is a recording of world {shown(meta.get('world'))}, not of {world.name!r}")
    recorded = meta["keys"], meta["mouse_limits"], (meta["height"], meta["width"])
    if recorded != (list(spec.keys), list(spec.mouse_limits), world.frame_shape[:2]):
        raise RecordingError(f"{tape.path} was recorded when world {world.name!r} had other actions or frames")


def _circumstances(meta: dict[str, Any], engine: Player) -> list[str]:
    recorded, hash_here = meta.get("checkpoint_hash"), engine.checkpoint_hash
    device, steps = meta.get("device", engine.device), meta.get("denoise_steps", engine.denoise_steps)
    now = {
        "checkpoint": (recorded[:12] if isinstance(recorded, str) else recorded, hash_here[:12]),
        "device": (device, engine.device),
        "denoise steps": (steps, engine.denoise_steps),
    }
    if device == engine.device:  # another device says that already
        machine, threads = describe_machine(engine.device), num_threads(engine.device)
        now |= {
            "machine": (meta.get("machine", machine), machine),
            "number of threads": (meta.get("threads", threads), threads),
        }
    return [f"{name} was {_named(then)}, is {here}" for name, (then, here) in now.items() if then != here]


def _named(value: Any) -> str:
    """A value of the recording's, without quotation marks where it reads well so."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= 100 else shown(value)
