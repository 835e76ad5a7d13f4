"""Actions bench: does the world obey? A probe that reads the action off frames, trained on real ones alone.

It is then asked about generated frames and about the real frames of the same moments. Keys that leave little
to be seen (a push against a wall, a key held in the air) are hard on both, hence the agreement of the two.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.bench.clips import WALKS, Clip, batches, episodes, load
from engine.bench.report import Found, table
from engine.bench.subject import Subject, unroll

log = logging.getLogger(__name__)

EPISODE_FRAMES = 500  # of the probe's footage
SHOWN = 3  # latents that a probe sees: two motions, so that it can tell a push from gliding on
WIDTH = 96
HISTORY = 64  # true frames before an own rollout
TURN_WITHIN = 2.0  # degrees: turns nearer than this agree


class Probe(nn.Module):
    """Latents of three frames in a row [N, 3, rows, columns, channels] -> the last action's keys, as logits, and mouse.

    The mouse is in units of the action's scale.
    """

    def __init__(self, channels: int, rows: int, columns: int, keys: int, axes: int) -> None:
        super().__init__()
        self.keys = keys
        self.trunk = nn.Sequential(
            nn.Conv2d(channels * (2 * SHOWN - 1), WIDTH, 3, padding=1), nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH // 2, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.LazyLinear(256), nn.GELU(), nn.Dropout(0.2), nn.Linear(256, keys + axes))
        self(torch.zeros(1, SHOWN, rows, columns, channels))

    def forward(self, latents: Tensor) -> Tensor:
        frames = torch.cat([latents, latents[:, 1:] - latents[:, :-1]], dim=1)
        return self.head(self.trunk(frames.movedim(-1, 2).flatten(1, 2)))


@dataclass(frozen=True)
class Read:
    """What a probe read: keys bool [N, keys], mouse float [N, axes] in degrees."""

    keys: np.ndarray
    mouse: np.ndarray


def measure(subject: Subject) -> Found:
    """For each key and mouse axis: the probe right on real frames, right on generated ones, and agreement of both."""
    settings = subject.settings.actions
    probe = train(subject)
    length = HISTORY + settings.frames
    clips = [Clip(e, 0, length) for e in episodes(subject, WALKS, settings.sequences, length)]
    held, real, own = [], [], []
    for batch in batches(clips, subject.settings.batch):
        track = load(subject, batch)
        begin = [HISTORY] * len(batch)
        made = unroll(subject.rollout(len(batch)), track.latents, track.actions, track.poses, begin)
        seen = [subject.encode(subject.decode(row)) for row in made[:, HISTORY:]]
        again = torch.cat([track.latents[:, :HISTORY], torch.stack(seen)], dim=1)
        last = slice(HISTORY + 1 - SHOWN, None)
        real.append(_windows(track.latents[:, last]))
        own.append(_windows(again[:, last]))
        held.append(track.actions[:, HISTORY:].flatten(0, 1))
    truth = torch.cat(held).cpu().numpy()
    return _found(subject, truth, read(subject, probe, torch.cat(real)), read(subject, probe, torch.cat(own)))


def train(subject: Subject) -> Probe:
    """Train a probe on real footage of maps that no bench is scored on."""
    settings, spec = subject.settings.actions, subject.engine.action_spec
    count = -(-settings.train_frames // EPISODE_FRAMES)
    found = episodes(subject, WALKS, count, EPISODE_FRAMES, split="validate")
    tracks = [load(subject, [Clip(episode, 0, EPISODE_FRAMES)]) for episode in found]
    latents = torch.cat([track.latents for track in tracks]).float()
    actions = torch.cat([track.actions for track in tracks])
    target = actions / torch.from_numpy(spec.scale).to(actions)
    rows, columns, channels = subject.model.settings.latent_shape
    with torch.random.fork_rng():
        torch.manual_seed(subject.settings.seed)
        probe = Probe(channels, rows, columns, len(spec.keys), len(spec.mouse_limits)).to(latents.device)
        optimiser = torch.optim.AdamW(probe.parameters(), 1e-3, weight_decay=0.05)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, settings.train_steps)
        for step in range(settings.train_steps):
            row = torch.randint(len(latents), (128,))
            last = torch.randint(SHOWN - 1, latents.shape[1], (128,))
            index = last[:, None] + torch.arange(1 - SHOWN, 1)
            told = probe(latents[row[:, None], index])
            wanted = target[row, last]
            loss = F.binary_cross_entropy_with_logits(told[:, : probe.keys], wanted[:, : probe.keys])
            loss = loss + 10 * F.smooth_l1_loss(told[:, probe.keys :], wanted[:, probe.keys :], beta=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            if step % 250 == 0:
                log.info("actions: probe step %d, loss %.3f", step, loss.item())
    return probe.eval()


@torch.no_grad()
def read(subject: Subject, probe: Probe, latents: Tensor) -> Read:
    """What the probe reads off latents [N, 3, rows, columns, channels]."""
    told = torch.cat([probe(part.float()) for part in latents.split(256)]).cpu().numpy()
    scale = subject.engine.action_spec.scale[probe.keys :]
    return Read(told[:, : probe.keys] > 0, told[:, probe.keys :] * scale)


def _windows(latents: Tensor) -> Tensor:
    """[B, T, ...] -> every three frames in a row, [B * (T - 2), 3, ...]."""
    return latents.unfold(1, SHOWN, 1).movedim(-1, 2).flatten(0, 1)


def _found(subject: Subject, truth: np.ndarray, real: Read, own: Read) -> Found:
    spec = subject.engine.action_spec
    rows = []
    for i, key in enumerate(spec.keys):
        wanted = truth[:, i] > 0.5
        held = float(wanted.mean())
        pairs = ((real.keys[:, i], wanted), (own.keys[:, i], wanted), (own.keys[:, i], real.keys[:, i]))
        rows.append([key, round(held, 4), *(_share(a, b) for a, b in pairs)])
    for i, axis in enumerate(("yaw", "pitch")[: len(spec.mouse_limits)]):
        wanted = truth[:, len(spec.keys) + i]
        pairs = ((real.mouse[:, i], wanted), (own.mouse[:, i], wanted), (own.mouse[:, i], real.mouse[:, i]))
        held = float((np.abs(wanted) > TURN_WITHIN).mean())
        rows.append([axis, round(held, 4), *(_share(np.abs(a - b) < TURN_WITHIN, np.True_) for a, b in pairs)])
    rows.append(["mean", None, *(round(float(np.mean([row[column] for row in rows])), 4) for column in (2, 3, 4))])
    error = np.abs(own.mouse - truth[:, len(spec.keys) :]).mean(axis=0)
    settings = subject.settings.actions
    note = (
        f"{len(truth)} frames of {settings.sequences} own rollouts of {settings.frames} frames on maps never "
        f"trained on. Shares of frames; turns count as equal within {TURN_WITHIN:g} degrees."
    )
    columns = ["action", "held", "probe right on real", "probe right on generated", "agreement"]
    by_action = [dict(zip(columns, row, strict=True)) for row in rows]
    figures = {"rows": by_action, "mouse_error_degrees": error.round(3).tolist()}
    return Found({"actions": table(columns, rows, note)}, figures)


def _share(one: np.ndarray, other: np.ndarray | np.bool_) -> float:
    return round(float((one == other).mean()), 4)
