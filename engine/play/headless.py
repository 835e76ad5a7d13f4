"""Playing without a window: a script's actions, as fast as the machine can, and how fast that was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from engine.action import Action
from engine.play.tape import Tape
from engine.world import World

if TYPE_CHECKING:
    from engine.core import Engine


def play(
    load: Callable[[], Engine],
    script: Callable[[World], Iterator[Action]],
    num_frames: int,
    *,
    start: int = 0,
    record: Path | None = None,
) -> str:
    """Play `num_frames` actions from a start scene; the returned lines say how fast, and where the recording is."""
    engine = load()
    tape = Tape(engine)
    try:
        actions = script(engine.world)
        frame = engine.reset(start)
        if record:
            tape.begin(record, frame, start)
        seconds, latencies_ms = [], []
        for _ in tqdm(range(num_frames), desc=engine.world.title, unit="frame", disable=None):
            began = time.perf_counter()
            action = next(actions)
            step = engine.step(action)
            tape.add(action, step)
            seconds.append(time.perf_counter() - began)
            latencies_ms.append(step.latency_ms)
        ended = tape.end()
    finally:
        tape.end()
        engine.close()
    lines = [_speed(seconds, latencies_ms, engine.world.rate)]
    if ended:
        lines.append(f"recorded {ended[1]} frames in {ended[0]}")
    return "\n".join(lines)


def _speed(seconds: list[float], latencies_ms: list[float], rate: float) -> str:
    p50, p95 = np.percentile(latencies_ms, [50, 95])
    return (
        f"{len(seconds)} frames in {sum(seconds):.2f} s: {len(seconds) / sum(seconds):.1f} frames/s overall, "
        f"{1 / float(np.median(seconds)):.1f} frames/s median (the world's rate is {rate:g}); "
        f"latency p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    )
