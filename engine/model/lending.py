"""Passes of rollouts that have ended, and what was recorded of them, serve later ones."""

from __future__ import annotations

import torch

from engine.model.graphs import capture_on
from engine.model.network import WorldModel
from engine.model.passes import Passes

MOST_IDLE = 2  # passes of a batch size that are kept for later


def lend(model: WorldModel, batch: int, graphs: bool) -> Passes:
    """Passes for a new rollout. With graphs, those that an earlier one gave back: what was recorded serves again."""
    record = capture_on(model.device) if graphs else None
    idle = model.idle.get(batch) if record else None
    if not idle:
        with torch.inference_mode(False):  # so that a rollout in any mode can write to the buffers
            return Passes(model, batch, record)
    passes = idle.pop()
    assert isinstance(passes, Passes)
    passes.clear()
    return passes


def give_back(passes: Passes) -> None:
    """Have them serve another rollout, unless enough others wait."""
    idle = passes.model.idle.setdefault(passes.batch, [])
    if len(idle) < MOST_IDLE:
        idle.append(passes)
