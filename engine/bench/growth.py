"""Growth bench: is the cost flat? Time of a frame and bytes held, as the history grows."""

from __future__ import annotations

import logging

import numpy as np

from engine.bench.latency import WARM_UP, History, time_steps
from engine.bench.report import Found, percentiles, table
from engine.bench.subject import Subject
from engine.core import Engine

log = logging.getLogger(__name__)
TURN = 8  # steps of one session before it is the next one's turn


def measure(subject: Subject) -> Found:
    """Median time of a step, memory entries and bytes at each length of history, and ratios to the first.

    The sessions step in turns: what else the machine does, and how warm it is, then slows all of them alike.
    """
    settings = subject.settings.growth
    lengths = sorted(settings.lengths)
    sessions = [_with_history(subject, length) for length in lengths]
    taken: list[list[float]] = [[] for _ in sessions]
    warm_up = WARM_UP[subject.model.device.type]
    for start in range(0, warm_up + settings.frames, TURN):
        turn = range(start, min(start + TURN, warm_up + settings.frames))
        for engine, times in zip(sessions, taken, strict=True):
            times += time_steps(subject, engine, turn)
    figures: dict[str, dict[str, float]] = {}
    for length, engine, times in zip(lengths, sessions, taken, strict=True):
        session = engine.session
        assert session is not None
        held = {"entries": session.num_entries, "bytes": session.memory_bytes}
        figures[str(length)] = percentiles(times[warm_up:]) | held | {"ratio": _ratio(times, taken[0], warm_up)}
        engine.close()
    rows = [
        [f"{length} frames", row["p50_ms"], row["p99_ms"], row["ratio"], row["entries"], row["bytes"] / 2**20]
        for length, row in figures.items()
    ]
    columns = ["history", "p50, ms", "p99, ms", "time, of the first's", "memory entries", "memory, MiB"]
    note = (
        f"{settings.frames} steps at each length, {TURN} of each session in turn; the history is real footage that "
        "the engine observed. Times of the first's: median over steps at the same place of the walk, in the same turn."
    )
    return Found({"growth": table(columns, rows, note)}, figures)


def _with_history(subject: Subject, length: int) -> Engine:
    """A session of its own that has observed `length` real frames."""
    engine = subject.engine.share()
    history = History(subject)
    history.feed(history.begin(engine), length)
    log.info("growth: %d frames observed", length)
    return engine


def _ratio(times: list[float], first: list[float], warm_up: int) -> float:
    return float(np.median(np.asarray(times[warm_up:]) / np.asarray(first[warm_up:])))
