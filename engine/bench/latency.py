"""Latency bench: what does the player wait for? Engine.step by denoise steps, after a long history."""

from __future__ import annotations

import torch

from engine.action import Action
from engine.bench.clips import WALKS, Clip, episodes, load
from engine.bench.report import Found, percentiles, table
from engine.bench.subject import Subject
from engine.core import Engine
from engine.model.diffusion import schedule
from engine.model.rollout import Rollout

EPISODE_FRAMES = 600
WARM_UP = {"cpu": 5, "cuda": 30}  # on a GPU every pass of a step is recorded by then


class History:
    """Real footage without end: one episode forwards, backwards and forwards again, so that poses never jump."""

    def __init__(self, subject: Subject) -> None:
        episode = episodes(subject, WALKS, 1, EPISODE_FRAMES)[0]
        self.clip = Clip(episode, 0, EPISODE_FRAMES)
        self.track = load(subject, [self.clip])
        self.position = 1

    def begin(self, engine: Engine) -> Rollout:
        """Begin a session of the engine on the episode's first frame; its rollout, to be fed with `feed`."""
        engine.reset(history=(self.clip.frames(0, 1), self.clip.actions[:1], self.clip.poses[:1]))
        assert engine.session is not None
        self.position = 1
        return engine.session.rollout

    @torch.inference_mode()
    def feed(self, rollout: Rollout, length: int) -> None:
        """Have the rollout observe real frames until its history is `length` frames."""
        last = EPISODE_FRAMES - 1
        while rollout.num_frames < length:
            index = last - abs(last - self.position % (2 * last))
            self.position += 1
            track = self.track
            rollout.observe(track.latents[:, index], track.actions[:, index], track.poses[:, index])


def measure(subject: Subject) -> Found:
    """p50, p95 and p99 of one step, and frames a second, by denoise steps."""
    settings = subject.settings.latency
    history = History(subject)
    rows, figures = [], {}
    for steps in settings.steps:
        rollout = history.begin(subject.engine)
        rollout.levels = schedule(steps)
        history.feed(rollout, settings.history)
        found = percentiles(times(subject, settings.frames))
        figures[str(steps)] = found
        rows.append([f"{steps} denoise step" + "s" * (steps > 1), *found.values()])
    note = (
        f"{settings.frames} steps of the engine after {settings.history} frames of history: action in, frame out, "
        f"codec and memory included, the window not. The rate of the real game is {subject.world.rate:g}."
    )
    return Found({"latency": table(["per frame", "p50, ms", "p95, ms", "p99, ms", "frames/s"], rows, note)}, figures)


def times(subject: Subject, count: int) -> list[float]:
    """Milliseconds of `count` steps of the session that has begun, after a few that are not counted."""
    warm_up = WARM_UP[subject.model.device.type]
    return time_steps(subject, subject.engine, range(count + warm_up))[warm_up:]


def time_steps(subject: Subject, engine: Engine, which: range) -> list[float]:
    """Milliseconds of each of an engine's steps along a winding walk; which: their numbers in it."""
    spec = engine.action_spec
    walk = [Action(tuple(spec.keys[:1]), (turn if spec.mouse_limits else 0.0, 0.0)) for turn in (4.0, 0.0, -4.0, 0.0)]
    taken = []
    for index in which:
        begun = subject.now()
        engine.step(walk[index // 8 % len(walk)])
        taken.append((subject.now() - begun) * 1e3)
    return taken
