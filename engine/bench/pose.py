"""Pose bench: does the model know where it is, and what does it cost if it does not?

First the model reckons its own pose, step by step, under a scripted player's actions: from its own frames, from the
true ones, and from the actions alone. The real game's pose under the same actions is the truth. Then the model
returns to a place (as in the revisit bench) with a believed pose that has drifted while it was away.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.bench.clips import WALKS, Clip, Track, batches, episodes, load
from engine.bench.report import Found, Scores, table
from engine.bench.revisit import aligned, returns
from engine.bench.subject import Subject, unroll
from engine.model import pose as poses
from engine.model.pose import looking_back

log = logging.getLogger(__name__)

OWN, TRUE, BLIND = "own frames", "true frames", "actions alone"
Drift = tuple[float, float]  # map units, degrees


def measure(subject: Subject) -> Found:
    """Tables "pose" (error of the reckoned pose by step) and "pose-cost" (a return by how wrong the pose is)."""
    reckoned, cost = _reckoning(subject), _cost(subject)
    return Found(reckoned.tables | cost.tables, reckoned.figures | cost.figures)


def _reckoning(subject: Subject) -> Found:
    settings = subject.settings.pose
    length = settings.history + settings.steps
    clips = [Clip(e, 0, length) for e in episodes(subject, WALKS, settings.sequences, length)]
    found: dict[str, list[np.ndarray]] = {}
    for batch in batches(clips, subject.settings.batch):
        track = load(subject, batch)
        for name, believed in reckon(subject, track, settings.history).items():
            off = error(believed, track.poses[:, settings.history :], subject.world.camera.pose_unit)
            found.setdefault(name, []).append(off)
    errors = {name: np.concatenate(parts) for name, parts in found.items()}
    marks = [step for step in settings.marks if step <= settings.steps]
    rows = [
        [name, *(round(float(value), 2) for step in marks for value in off[:, step - 1].mean(axis=0))]
        for name, off in errors.items()
    ]
    columns = ["pose from", *(f"{unit}, step {step}" for step in marks for unit in ("map units", "degrees"))]
    note = (
        f"Mean distance of the pose that the model believes from the real game's under the same actions, in "
        f"{len(clips)} sequences on maps never trained on, after {settings.history} frames whose poses are told."
    )
    figures = {
        name: {
            "units_by_step": _rounded(off[..., 0].mean(axis=0)),
            "degrees_by_step": _rounded(off[..., 1].mean(axis=0)),
        }
        for name, off in errors.items()
    }
    return Found({"pose": table(columns, rows, note)}, {"reckoning": figures})


@torch.inference_mode()
def reckon(subject: Subject, track: Track, begin: int) -> dict[str, Tensor]:
    """Poses [B, T - begin, SIZE] that the model believes in from frame `begin` on, by what it reckons them from."""
    latents, actions, truth = track.latents, track.actions, track.poses
    own, seeing = subject.rollout(len(actions)), subject.rollout(len(actions))
    for rollout in (own, seeing):
        rollout.start(latents[:, :begin], actions[:, :begin], truth[:, :begin])
    pose, motion, before = own.pose, own.velocity, own.action
    found: dict[str, list[Tensor]] = {OWN: [], TRUE: [], BLIND: []}
    for index in range(begin, actions.shape[1]):
        action = actions[:, index]
        own.step(action)
        seeing.observe(latents[:, index], action, seeing.locate(latents[:, index], action))
        asked, _ = subject.model.ask(pose, motion, before, action)
        pose, motion, before = asked.float(), looking_back(pose, asked.float()), action
        for name, believed in ((OWN, own.pose), (TRUE, seeing.pose), (BLIND, pose)):
            found[name].append(believed)
        if index % 256 == 0:
            log.info("pose: frame %d of %d", index, actions.shape[1])
    return {name: torch.stack(believed, dim=1) for name, believed in found.items()}


def error(believed: Tensor, truth: Tensor, pose_unit: float) -> np.ndarray:
    """How far poses [.., SIZE] are from the true ones: float64 [.., 2], map units and degrees."""
    moved = (believed[..., :2] - truth[..., :2]).norm(dim=-1) * pose_unit
    turned = torch.rad2deg(poses.wrap(believed[..., 2] - truth[..., 2]).abs())
    return torch.stack([moved, turned], dim=-1).double().cpu().numpy()


def _cost(subject: Subject) -> Found:
    settings = subject.settings.pose
    clips = returns(subject, settings.gap, settings.sequences, settings.frames)
    drifts: list[Drift] = [
        (0.0, 0.0),
        *((float(u), 0.0) for u in settings.units),
        *((0.0, float(d)) for d in settings.degrees),
    ]
    scores = Scores(subject)
    for batch in batches(sorted(clips, key=len), subject.settings.batch):
        batch = aligned(batch)
        track = load(subject, batch)
        begin = track.actions.shape[1] - settings.frames
        left = [clip.still + clip.episode.meta["visit_end"] - clip.first for clip in batch]
        seeds = [subject.settings.seed + clip.episode.meta["seed"] for clip in batch]
        truth = np.stack([clip.frames(begin, len(clip)) for clip in batch])
        for drift in drifts:
            believed = drifted(track.poses, left, begin, drift, subject.world.camera.pose_unit, seeds)
            rollout = subject.rollout(len(batch))
            latents = unroll(rollout, track.latents, track.actions, believed, [begin] * len(batch))
            scores.add(_name(drift), subject.decode(latents[:, begin:]), truth)
            log.info("pose: returned with %s", _name(drift))
    best = scores.means(_name(drifts[0]))[0]
    rows = [
        [name, psnr, round((psnr or 0.0) - (best or 0.0), 4), ssim]
        for name in scores.found
        for psnr, ssim, _ in [scores.means(name)]
    ]
    note = (
        f"{len(clips)} returns of {settings.frames} frames at gap {settings.gap}, with the true history. The believed "
        "pose drifts evenly while the player is away, each sequence in a direction of its own, and is wrong by so "
        "much as the return begins."
    )
    cost = {"units": _line(scores, drifts, 0), "degrees": _line(scores, drifts, 1)}
    figures: dict[str, Any] = {"cost": cost, "scores": scores.figures()}
    return Found({"pose-cost": table(["pose wrong by", "PSNR, dB", "difference, dB", "SSIM"], rows, note)}, figures)


def drifted(truth: Tensor, left: list[int], back: int, drift: Drift, pose_unit: float, seeds: list[int]) -> Tensor:
    """Poses [B, T, SIZE] that go wrong evenly from each row's frame `left` on, and by all of `drift` from `back` on."""
    units, degrees = drift
    time = torch.arange(truth.shape[1], device=truth.device)
    rows = []
    for pose, begin, seed in zip(truth, left, seeds, strict=True):
        random = np.random.default_rng(seed)
        angle, side = random.uniform(0, 2 * math.pi), random.choice((-1.0, 1.0))
        whole = [
            units / pose_unit * math.cos(angle),
            units / pose_unit * math.sin(angle),
            side * math.radians(degrees),
            0.0,
        ]
        part = ((time - begin) / max(back - 1 - begin, 1)).clamp(0, 1)
        rows.append(pose + part.unsqueeze(1).to(pose.dtype) * pose.new_tensor(whole))
    return torch.stack(rows)


def _line(scores: Scores, drifts: list[Drift], which: int) -> list[list[float | None]]:
    """[how wrong, PSNR] of the drifts that are of map units (0) or of degrees (1) alone."""
    return [[drift[which], scores.means(_name(drift))[0]] for drift in drifts if drift[1 - which] == 0]


def _name(drift: Drift) -> str:
    units, degrees = drift
    return f"{degrees:g} degrees" if degrees else f"{units:g} map units" if units else "nothing"


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in values]
