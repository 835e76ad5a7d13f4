"""Replay bench: is a recording the truth? The same actions, run again, must give the same frames."""

from __future__ import annotations

import hashlib

import numpy as np

from engine.action import Action
from engine.bench.clips import WALKS, Clip, episodes
from engine.bench.report import Found, table
from engine.bench.subject import Subject

EPISODE_FRAMES = 600
HISTORY = 12


def measure(subject: Subject) -> Found:
    """Two runs of the same seed, history and actions, compared byte by byte; and a third of another seed."""
    count = subject.settings.replay.frames
    length = HISTORY + count
    clip = Clip(episodes(subject, WALKS, 1, EPISODE_FRAMES)[0], 0, length)
    spec = subject.engine.action_spec
    actions = [spec.decode(row) for row in clip.actions[HISTORY:]]
    first, second, other = (_play(subject, clip, actions, seed) for seed in (1, 1, 2))
    same = bool((first == second).all())
    differs = int((first != second).any(axis=(1, 2, 3)).argmax()) if not same else None
    figures = {
        "identical": same,
        "frames": count,
        "first_difference": differs,
        "another_seed_differs": bool((first != other).any()),
        "digest": hashlib.sha256(first.tobytes()).hexdigest(),
    }
    rows = [["identical frames", same], ["another seed gives other frames", figures["another_seed_differs"]]]
    return Found({"replay": table([f"{count} frames, played twice", "found"], rows)}, figures)


def _play(subject: Subject, clip: Clip, actions: list[Action], seed: int) -> np.ndarray:
    engine = subject.engine
    engine.reset(history=(clip.frames(0, HISTORY), clip.actions[:HISTORY], clip.poses[:HISTORY]), seed=seed)
    return np.stack([engine.step(action).frame for action in actions])
