"""Replaying: a recording's actions through the engine again, and whether they lead to the same frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from engine.data.recording import BEGINNING, Recording, digest
from engine.data.replay import heed_recall
from engine.errors import RecordingError

if TYPE_CHECKING:
    from engine.core import Engine


def replay(load: Callable[[], Engine], recording: Recording) -> tuple[str, bool]:
    """Play a recording again: a sentence about its frames, and whether every one is the same to the bit.

    Raises RecordingError for a recording of another world or checkpoint, or one that does not say how it began.
    """
    begun = {name: _number(recording, name) for name in ("seed", "start", "first_frame")}
    engine = load()
    try:
        _check_fit(recording, engine)
        frame = _begin(recording, engine, **begun)
        differing = [] if digest(frame) == recording.digests[0] else [0]
        rows = list(enumerate(recording.actions))[1:]
        for index, row in tqdm(rows, desc=engine.world.title, unit="frame", disable=None):
            heed_recall(recording, index, engine)
            step = engine.step(engine.world.action_spec.decode(row))
            if digest(step.frame) != recording.digests[index]:
                differing.append(index)
        return _verdict(recording, engine, differing), not differing
    finally:
        engine.close()


def _verdict(recording: Recording, engine: Engine, differing: list[int]) -> str:
    here = f"{engine.device} with {engine.denoise_steps} denoise steps"
    there = f"{recording.meta.get('device')} with {recording.meta.get('denoise_steps')} denoise steps"
    what = f"{len(recording)} frames replayed on {here}"
    if not differing:
        return f"{what}: every frame is the same"
    found = f"{what}: {len(differing)} differ, the first is frame {differing[0]}"
    return found if here == there else f"{found}; it was recorded on {there}, and only there are its frames the same"


def _begin(recording: Recording, engine: Engine, seed: int, start: int, first_frame: int) -> np.ndarray:
    if not first_frame:
        return engine.reset(start, seed=seed)
    beginning = recording.path / BEGINNING
    if not beginning.exists():
        raise RecordingError(f"{recording.path} began in mid-play and has no {BEGINNING}: it cannot be replayed")
    return engine.restore(beginning)


def _check_fit(recording: Recording, engine: Engine) -> None:
    meta, spec = recording.meta, engine.world.action_spec
    if meta.get("world") != engine.world.name:
        raise RecordingError(
            f"{recording.path} is of world {meta.get('world')!r}: replay it with world={meta.get('world')}"
        )
    if (meta["keys"], meta["mouse_limits"]) != (list(spec.keys), list(spec.mouse_limits)):
        raise RecordingError(f"{recording.path} was made when world {engine.world.name!r} had other actions")
    if meta.get("checkpoint_hash") != engine.checkpoint_hash:
        made, held = str(meta.get("checkpoint_hash"))[:12], engine.checkpoint_hash[:12]
        raise RecordingError(
            f"{recording.path} was made with checkpoint {made}, not {held}: world=FOLDER names another"
        )


def _number(recording: Recording, name: str) -> int:
    value = recording.meta.get(name, 0)
    if type(value) is not int or value < 0:
        raise RecordingError(f"{recording.path}/recording.json is damaged: {name} is {value!r}")
    return value
