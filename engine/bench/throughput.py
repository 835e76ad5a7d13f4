"""Throughput bench: how many worlds at once? Sessions stepping together, codec included."""

from __future__ import annotations

import torch

from engine.bench.clips import WALKS, Clip, episodes, load
from engine.bench.report import Found, percentiles, table
from engine.bench.subject import Subject
from engine.model.machine import Fetch

EPISODE_FRAMES = 600
HISTORY = 32
WARM_UP = {"cpu": 3, "cuda": 20}  # on a GPU every pass is recorded by then


@torch.inference_mode()
def measure(subject: Subject) -> Found:
    """Frames a second of all sessions together, by how many there are."""
    settings = subject.settings.throughput
    clip = Clip(episodes(subject, WALKS, 1, EPISODE_FRAMES)[0], 0, HISTORY + 1)
    track = load(subject, [clip])
    rows, figures, warm_up = [], {}, WARM_UP[subject.model.device.type]
    for batch in settings.batches:
        rollout = subject.rollout(batch, graphs=subject.engine.graphs)
        latents, actions, poses = (
            x.expand(batch, *x.shape[1:]) for x in (track.latents, track.actions, track.poses)
        )
        rollout.start(latents[:, :HISTORY], actions[:, :HISTORY], poses[:, :HISTORY])
        taken = []
        for _ in range(settings.frames + warm_up):
            begun = subject.now()
            latent, pose = rollout.propose(actions[:, HISTORY])
            arriving = Fetch(rollout.decode(latent), pose)
            rollout.observe(latent, actions[:, HISTORY], pose)
            rollout.draw_ahead()
            arriving.wait()
            taken.append((subject.now() - begun) * 1e3)
        found = percentiles(taken[warm_up:])
        found["fps"] = round(found["fps"] * batch, 2)
        figures[str(batch)] = found
        rows.append([str(batch), found["p50_ms"], found["p99_ms"], found["fps"]])
    steps = subject.engine.denoise_steps
    note = f"{settings.frames} steps each at {steps} denoise steps, every session's frame decoded."
    return Found({"throughput": table(["sessions", "p50, ms", "p99, ms", "frames/s, all"], rows, note)}, figures)
