"""Actions bench: does the world obey? A probe that reads the action off frames, trained on real ones alone.

It is then asked about generated frames and about the real frames of the same moments, both out of the codec. Keys
that leave little to be seen (a push against a wall, a key held in the air) are hard on both, hence the agreement of
the two. A key that is never held is never read either, and agrees at no merit: so each action's balanced shares stand
beside, means of those of the frames where it is held and of those where it is not, and kappa, the agreement beyond
what chance would give (Cohen 1960).
"""

from __future__ import annotations

import numpy as np
import torch

from engine.bench.clips import WALKS, Clip, batches, episodes, load
from engine.bench.probe import AFTER, BEFORE, Footage, Probe, Read, train
from engine.bench.report import Found, table
from engine.bench.subject import Subject, unroll

EPISODE_FRAMES = 500  # of the probe's footage
HISTORY = 64  # true frames before an own rollout
TURN_WITHIN = 2.0  # degrees: turns nearer than this agree
COLUMNS = (
    "action", "held", "probe right on real", "probe right on generated", "agreement",
    "balanced: on real", "balanced: on generated", "kappa",
)  # fmt: skip


def measure(subject: Subject) -> Found:
    """For each key and mouse axis: the probe right on real frames, right on generated ones, and agreement of both."""
    settings = subject.settings.actions
    probe = learn(subject)
    length = HISTORY + settings.frames + AFTER
    clips = [Clip(e, 0, length) for e in episodes(subject, WALKS, settings.sequences, length)]
    held, real, own = [], [], []
    for batch in batches(clips, subject.settings.batch):
        track = load(subject, batch)
        begin = [HISTORY] * len(batch)
        made = unroll(subject.rollout(len(batch)), track.latents, track.actions, track.poses, begin)
        real += [probe.read(frames) for frames in _pictures(subject, track.latents)]
        own += [probe.read(frames) for frames in _pictures(subject, made)]
        held += list(track.actions[:, HISTORY : HISTORY + settings.frames].cpu().numpy())
    return _found(subject, np.concatenate(held), _joined(real), _joined(own))


def learn(subject: Subject) -> Probe:
    """Train a probe on real footage of maps that no bench is scored on."""
    settings = subject.settings.actions
    frames = min(EPISODE_FRAMES, settings.train_frames)
    found = episodes(subject, WALKS, -(-settings.train_frames // frames), frames, split="validate")
    footage = [Footage(e.frames, e.actions[:frames], e.poses[:frames]) for e in found]
    world = subject.world
    return train(
        world.action_spec, world.camera, footage, settings.train_steps, subject.settings.seed, subject.model.device
    )


def _pictures(subject: Subject, latents: torch.Tensor) -> np.ndarray:
    """Of latents [B, T, ...] those frames that the probe wants, uint8 [B, T - HISTORY + BEFORE, height, width, 3]."""
    return subject.decode(latents[:, HISTORY - BEFORE :])


def _joined(parts: list[Read]) -> Read:
    return Read(np.concatenate([part.keys for part in parts]), np.concatenate([part.mouse for part in parts]))


def _found(subject: Subject, truth: np.ndarray, real: Read, own: Read) -> Found:
    spec = subject.engine.action_spec
    rows = []
    for i, key in enumerate(spec.keys):
        wanted, seen, made = truth[:, i] > 0.5, real.keys[:, i], own.keys[:, i]
        rows.append(_row(key, wanted, seen == wanted, made == wanted, made == seen))
        rows[-1].append(kappa(seen, made))
    for i, axis in enumerate(("yaw", "pitch")[: len(spec.mouse_limits)]):
        wanted, seen, made = truth[:, len(spec.keys) + i], real.mouse[:, i], own.mouse[:, i]
        equal = [np.abs(a - b) < TURN_WITHIN for a, b in ((seen, wanted), (made, wanted), (made, seen))]
        rows.append([*_row(axis, np.abs(wanted) > TURN_WITHIN, *equal), None])
    rows.append(["mean", None, *(_mean([row[column] for row in rows]) for column in range(2, len(COLUMNS)))])
    settings = subject.settings.actions
    note = (
        f"{len(truth)} frames of {settings.sequences} own rollouts of {settings.frames} frames on maps never "
        f"trained on. Shares of frames; turns count as equal within {TURN_WITHIN:g} degrees, and as held beyond. "
        "Balanced: the mean of the shares where an action is held and where it is not. Kappa: agreement beyond chance."
    )
    figures = {
        "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        "mouse_error_degrees": _errors(own.mouse, truth[:, len(spec.keys) :]),
        "mouse_error_degrees_on_real": _errors(real.mouse, truth[:, len(spec.keys) :]),
    }
    return Found({"actions": table(COLUMNS, rows, note)}, figures)


def _row(name: str, held: np.ndarray, real: np.ndarray, own: np.ndarray, agree: np.ndarray) -> list[str | float | None]:
    """Cells but the last, of bools [N]: whether it was held, whether it was read right, and whether readings agree."""
    shares = [round(float(part.mean()), 4) for part in (held, real, own, agree)]
    return [name, *shares, balanced(real, held), balanced(own, held)]


def balanced(right: np.ndarray, held: np.ndarray) -> float | None:
    """The mean of the shares of `right` where `held` and where not, bool [N]; None if it never or always is."""
    if held.all() or not held.any():
        return None
    return round(float((right[held].mean() + right[~held].mean()) / 2), 4)


def kappa(one: np.ndarray, other: np.ndarray) -> float | None:
    """How much more two readings bool [N] agree than by chance, of how much they could; None if both never change."""
    chance = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    return round(float(((one == other).mean() - chance) / (1 - chance)), 4) if chance < 1 else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _errors(read: np.ndarray, truth: np.ndarray) -> list[float]:
    return np.abs(read - truth).mean(axis=0).round(3).tolist()
