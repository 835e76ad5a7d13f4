"""Drift bench: does it fall apart? Minutes of the model's own frames under a scripted player's actions.

Picture statistics second by second, beside the real footage that the actions come from. What counts is
their slope: real footage wanders too, so its own slopes say how much is none.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from engine.bench.clips import WALKS, Clip, batches, episodes, load
from engine.bench.metrics import statistics
from engine.bench.report import Found, table
from engine.bench.subject import Subject
from engine.data.pictures import write_sheet

log = logging.getLogger(__name__)

PART = 32  # frames decoded at once
PERIOD = 10  # seconds at the beginning and at the end that are compared
SHEET_COLUMNS = 8
STANDING = 16  # frames without any action, after the rollout
STATISTICS = ("brightness", "contrast", "sharpness", "red", "green", "blue")


def measure(subject: Subject) -> Found:
    """Slopes per minute of generated and real footage, and distances in the codec's latent space."""
    settings = subject.settings.drift
    rate = subject.world.rate
    length = settings.history + round(settings.seconds * rate)
    clips = [Clip(e, 0, length) for e in episodes(subject, WALKS, settings.sequences, length)]
    own, real, cells, sheet, shimmer = [], [], [], [], []
    for batch in batches(clips, subject.settings.batch):
        track = load(subject, batch)
        latents, standing = _roll(subject, track.latents, track.actions, track.poses)
        true = track.latents[:, settings.history :]
        for row, clip in enumerate(batch):
            pictures, again = _pictures(subject, latents[row])
            own.append(_seconds(pictures, rate))
            real.append(_seconds(clip.frames(settings.history, length), rate))
            cells.append((again, true[row].float().flatten(1, 2).cpu()))
            shimmer.append(_change(subject.decode(standing[row])))
            sheet.append(pictures[:: round(settings.sheet_every * rate)])
    path = subject.settings.media / f"bench_drift_{settings.seconds}s{subject.settings.label}.png"
    write_sheet(path, _lines(sheet))
    figures = _figures(own, real, cells, min(settings.seconds // 2, PERIOD) * rate)
    figures["shimmer"] = round(float(np.mean(shimmer)), 3)
    note = (
        f"{len(clips)} rollouts of {settings.seconds} s on maps never trained on. Slopes are per minute, on the scale "
        "0 to 255, mean over rollouts; the spread is between real episodes. Frechet distance, of codec cells: own "
        "frames against the same real footage, and real footage against that of the other episodes. Shimmer: by how "
        f"much a frame differs from the last, in {STANDING} more frames of standing still; 0 where nothing moves."
    )
    columns = ["figure", "generated", "real footage", "spread of real"]
    figures |= {"sheet": path.name, "seconds": settings.seconds}
    return Found({"drift": table(columns, rows(figures), note)}, figures)


def rows(figures: dict[str, Any]) -> list[list[Any]]:
    """A table of levels and slopes: a picture that has fallen apart already no longer changes."""
    found: list[list[Any]] = []
    for index, name in enumerate(STATISTICS):
        own, real = (float(np.mean([row[index] for row in figures["by_second"][key]])) for key in ("own", "real"))
        slope = figures["slopes"][name]
        found.append([f"{name}, mean", round(own, 3), round(real, 3), None])
        found.append([f"{name}, slope per minute", slope["own"], slope["real"], slope["real_spread"]])
    found.append(["shimmer, standing still", figures["shimmer"], None, None])
    return found + [[f"Frechet distance to real, {when}", *pair, None] for when, pair in figures["frechet"].items()]


def slopes(values: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    """Least-squares slope per minute of values [time, ...], `seconds` apart."""
    time = np.arange(len(values)) * seconds / 60
    time = time - time.mean()
    return np.tensordot(time, values, axes=(0, 0)) / max(float((time**2).sum()), 1e-12)


def frechet(one: torch.Tensor, other: torch.Tensor) -> float:
    """Squared Frechet distance of two clouds of points [n, d], taken as normal distributions (Heusel et al. 2017)."""
    one, other = one.double(), other.double()
    cov_a, cov_b = one.T.cov(), other.T.cov()
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    shift = (one.mean(0) - other.mean(0)).square().sum()
    return float(shift + cov_a.trace() + cov_b.trace() - 2 * cross)


@torch.inference_mode()
def _roll(
    subject: Subject, latents: torch.Tensor, actions: torch.Tensor, poses: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The latents [B, frames, ...] of an own rollout after the true history; [B, STANDING, ...] more without action."""
    begin = subject.settings.drift.history
    rollout = subject.rollout(len(actions), graphs=True)
    rollout.start(latents[:, :begin], actions[:, :begin], poses[:, :begin])
    made = []
    for index in range(begin, actions.shape[1]):
        made.append(rollout.step(actions[:, index]))
        if index % 256 == 0:
            log.info("drift: frame %d of %d", index, actions.shape[1])
    standing = [rollout.step(torch.zeros_like(actions[:, 0])) for _ in range(STANDING)]
    return torch.stack(made, dim=1), torch.stack(standing, dim=1)


def _change(frames: np.ndarray) -> float:
    """Mean absolute difference of each of frames uint8 [n, ...] from the one before."""
    return float(np.abs(np.diff(frames.astype(np.int16), axis=0)).mean())


def _pictures(subject: Subject, latents: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """The frames of one rollout, and the cells [frames, cells, channels] that the codec sees in them."""
    pictures = np.concatenate([subject.decode(part) for part in latents.split(PART)])
    return pictures, subject.encode(pictures).float().flatten(1, 2).cpu()


def _seconds(frames: np.ndarray, rate: float) -> np.ndarray:
    """STATISTICS of each second: float64 [seconds, 6]."""
    parts = [statistics(frames[start : start + PART]) for start in range(0, len(frames), PART)]
    mean, std = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "std"))
    sharp = np.concatenate([part.sharpness for part in parts])
    rows = np.column_stack([mean.mean(-1), std.mean(-1), sharp, mean])
    whole = int(len(rows) / rate)
    return np.stack([rows[round(s * rate) : round((s + 1) * rate)].mean(0) for s in range(whole)])


def _figures(
    own: list[np.ndarray], real: list[np.ndarray], cells: list[tuple[torch.Tensor, torch.Tensor]], period: float
) -> dict[str, Any]:
    own_slopes, real_slopes = (np.stack([slopes(row) for row in rows]) for rows in (own, real))
    spread = real_slopes.std(axis=0, ddof=1) if len(real) > 1 else np.full(len(STATISTICS), np.nan)
    named = {
        name: {
            "own": round(float(own_slopes[:, i].mean()), 3),
            "real": round(float(real_slopes[:, i].mean()), 3),
            "real_spread": None if np.isnan(spread[i]) else round(float(spread[i]), 3),
            "own_each": [round(float(value), 3) for value in own_slopes[:, i]],
        }
        for i, name in enumerate(STATISTICS)
    }
    span = round(period)
    when = {"first seconds": slice(0, span), "last seconds": slice(-span, None), "all": slice(None)}
    return {
        "slopes": named,
        "frechet": {name: _distances(cells, part) for name, part in when.items()},
        "by_second": {"own": np.mean(own, axis=0).round(2).tolist(), "real": np.mean(real, axis=0).round(2).tolist()},
        "statistics": list(STATISTICS),
    }


def _distances(cells: list[tuple[torch.Tensor, torch.Tensor]], part: slice) -> list[float | None]:
    """Own frames against the same real ones; and, of two episodes or more, half of the real ones against the rest."""
    own = torch.cat([made[part].flatten(0, 1) for made, _ in cells])
    real = [true[part].flatten(0, 1) for _, true in cells]
    half = len(real) // 2
    among = round(frechet(torch.cat(real[:half]), torch.cat(real[half:])), 3) if half else None
    return [round(frechet(own, torch.cat(real)), 3), among]


def _lines(sheet: list[np.ndarray]) -> list[np.ndarray]:
    """Every rollout's pictures in lines of one length, the last one filled up with black."""
    lines = []
    for pictures in sheet:
        missing = -len(pictures) % SHEET_COLUMNS
        whole = np.concatenate([pictures, np.zeros((missing, *pictures.shape[1:]), np.uint8)])
        lines += [whole[start : start + SHEET_COLUMNS] for start in range(0, len(whole), SHEET_COLUMNS)]
    return lines
