"""Growth bench: is the cost flat? Time of a frame and bytes held, as the history grows."""

from __future__ import annotations

import logging

from engine.bench.latency import History, times
from engine.bench.report import Found, percentiles, table
from engine.bench.subject import Subject

log = logging.getLogger(__name__)


def measure(subject: Subject) -> Found:
    """Median time of a step, memory entries and bytes at each length of history, and ratios to the first."""
    settings = subject.settings.growth
    history = History(subject)
    rollout = history.begin(subject.engine)
    figures: dict[str, dict[str, float]] = {}
    for length in sorted(settings.lengths):
        history.feed(rollout, length)
        found = percentiles(times(subject, settings.frames))
        session = subject.engine.session
        assert session is not None
        figures[str(length)] = found | {"entries": session.num_entries, "bytes": session.memory_bytes}
        log.info("growth: %d frames, %.1f ms", length, found["p50_ms"])
    first = next(iter(figures.values()))
    rows = [
        [f"{length} frames", row["p50_ms"], row["p99_ms"], row["p50_ms"] / first["p50_ms"], row["entries"],
         row["bytes"] / 2**20]
        for length, row in figures.items()
    ]  # fmt: skip
    columns = ["history", "p50, ms", "p99, ms", "ratio of p50 to the first", "memory entries", "memory, MiB"]
    note = f"{settings.frames} steps at each length; the history is real footage that the engine observed."
    return Found({"growth": table(columns, rows, note)}, figures)
