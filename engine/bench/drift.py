"""Drift bench: does it fall apart? Minutes of the model's own frames under a scripted player.

Its actions are those that led through the real game, wherever they lead now; or a wanderer's, which turns where it is
stopped, there as here. Picture statistics second by second, beside the real footage that the player began in. What
counts is their slope: real footage wanders too, so its own slopes say how much is none. Frames are scored as they are
made, so a long rollout takes hardly more memory than a short one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import islice, pairwise
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor

import worlds
from engine.bench.clips import WALKS, Clip, Track, batches, episodes, load
from engine.bench.metrics import statistics
from engine.bench.moments import Moments
from engine.bench.report import Found, table
from engine.bench.subject import Subject
from engine.data.pictures import write_sheet
from engine.errors import ConfigError
from engine.model import pose as poses

log = logging.getLogger(__name__)

PART = 32  # frames scored at once
PERIOD = 10  # seconds at the beginning and at the end that are compared
SHEET_COLUMNS = 8
STANDING = 16  # frames without any action, after the rollout
TOURS = {"keys": WALKS, "wanderer": {"wander": 1.0}}  # by who plays
STATISTICS = ("brightness", "contrast", "sharpness", "red", "green", "blue")


class Look:
    """What the scored frames of one rollout, or of the same seconds of real footage, look like; taken in by parts.

    Frames are counted from the first after the history.
    """

    def __init__(self, subject: Subject) -> None:
        settings, self.rate = subject.settings.drift, subject.world.rate
        self.subject, self.count = subject, _length(subject)
        span = round(max(1, min(settings.seconds // 2, PERIOD)) * self.rate)
        self.windows = {
            "first seconds": range(span),
            "last seconds": range(self.count - span, self.count),
            "all": range(self.count),
        }
        self.moments: dict[str, Moments] = {}  # of the cells that the codec sees in the frames of each window
        self.frames: list[int] = []
        self.rows: list[np.ndarray] = []  # float64 [6] of each frame

    def add(self, frames: range, pictures: np.ndarray) -> None:
        """Score the pictures uint8 [n, height, width, 3] of n frames."""
        found = statistics(pictures)
        self.rows += list(np.column_stack([found.mean.mean(-1), found.std.mean(-1), found.sharpness, found.mean]))
        self.frames += frames
        cells = self.subject.encode(pictures).flatten(1, 2).cpu()  # [n, cells, channels]
        for name, window in self.windows.items():
            inside = [index for index, frame in enumerate(frames) if frame in window]
            if inside:
                part = Moments.of(cells[inside].flatten(0, 1))
                self.moments[name] = self.moments[name] + part if name in self.moments else part

    def by_second(self) -> np.ndarray:
        """STATISTICS of each second, means over its scored frames: float64 [seconds, 6]."""
        frames, rows = np.array(self.frames), np.stack(self.rows)
        edges = [round(second * self.rate) for second in range(int(self.count / self.rate) + 1)]
        return np.stack([rows[(begin <= frames) & (frames < end)].mean(0) for begin, end in pairwise(edges)])


def measure(subject: Subject) -> Found:
    """Slopes per minute of generated and real footage, and distances in the codec's latent space.

    Raises ConfigError where a second would be without a scored frame, and for a player that there is not.
    """
    settings, most = subject.settings.drift, int(subject.world.rate)
    if not 1 <= settings.score_every <= most:
        raise ConfigError(f"drift.score_every is 1 to {most}, at most a second of frames, not {settings.score_every}")
    if settings.player not in TOURS:
        raise ConfigError(f"drift.player is one of {', '.join(TOURS)}, not {settings.player!r}")
    length = settings.history + _length(subject)
    clips = [Clip(e, 0, length) for e in episodes(subject, TOURS[settings.player], settings.sequences, length)]
    own, real, sheet, shimmer = [], [], [], []
    for batch in batches(clips, subject.settings.batch):
        track = load(subject, batch, settings.history)
        rolled = _roll(subject, track, _players(subject, batch))
        looks, pictures, standing = _watch(subject, rolled, len(batch))
        own += looks
        sheet += pictures
        shimmer += [_change(subject.decode(latents)) for latents in standing]
        real += [_footage(subject, clip) for clip in batch]
    path = subject.settings.media / f"bench_drift_{settings.seconds}s{subject.settings.label}.png"
    write_sheet(path, _lines(sheet))
    figures = _figures(own, real)
    figures["shimmer"] = round(float(np.mean(shimmer)), 3)
    columns = ["figure", "generated", "real footage", "spread of real"]
    figures |= {"sheet": path.name, "seconds": settings.seconds}
    return Found({"drift": table(columns, rows(figures), _note(subject, len(clips)))}, figures)


def rows(figures: dict[str, Any]) -> list[list[Any]]:
    """A table of levels and slopes: a picture that has fallen apart already no longer changes."""
    found: list[list[Any]] = []
    for index, name in enumerate(STATISTICS):
        own, real = (float(np.mean([row[index] for row in figures["by_second"][key]])) for key in ("own", "real"))
        slope = figures["slopes"][name]
        found.append([f"{name}, mean", round(own, 3), round(real, 3), None])
        found.append([f"{name}, slope per minute", slope["own"], slope["real"], slope["real_spread"]])
    if figures["slopes_within_spread"] is not None:
        found.append([f"slopes within spread, of {len(STATISTICS)}", figures["slopes_within_spread"], None, None])
    found.append(["shimmer, standing still", figures["shimmer"], None, None])
    return found + [[f"Frechet distance to real, {when}", *pair, None] for when, pair in figures["frechet"].items()]


def slopes(values: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    """Least-squares slope per minute of values [time, ...], `seconds` apart."""
    time = np.arange(len(values)) * seconds / 60
    time = time - time.mean()
    return np.tensordot(time, values, axes=(0, 0)) / max(float((time**2).sum()), 1e-12)


def compare(own: np.ndarray, real: np.ndarray) -> dict[str, dict[str, Any]]:
    """Of each of STATISTICS the mean slope of own rollouts and of real episodes, both float64 [n, 6].

    Within spread: the first is no further from 0 than real episodes' are, as the root of their mean square; None of one
    episode. The same keys lead elsewhere in what is made up, so where real footage went is nothing to hold it against.
    """
    spread = real.std(axis=0, ddof=1) if len(real) > 1 else None
    near = None if spread is None else np.abs(own.mean(0)) <= np.sqrt(np.square(real).mean(0))
    return {
        name: {
            "own": round(float(own[:, i].mean()), 3),
            "real": round(float(real[:, i].mean()), 3),
            "real_spread": None if spread is None else round(float(spread[i]), 3),
            "within_spread": None if near is None else bool(near[i]),
            "own_each": [round(float(value), 3) for value in own[:, i]],
        }
        for i, name in enumerate(STATISTICS)
    }


def _players(subject: Subject, clips: Sequence[Clip]) -> list[worlds.Player]:
    """For each clip the player that walked it, as far as its history goes; none where keys are held as they were."""
    settings = subject.settings.drift
    if settings.player == "keys":
        return []
    players = [worlds.make_wanderer(subject.world.name, clip.episode.meta["seed"]) for clip in clips]
    for player, clip in zip(players, clips, strict=True):
        for pose in clip.poses[: settings.history - 1].tolist():
            player.act(tuple(pose))
    return players


@torch.inference_mode()
def _roll(subject: Subject, track: Track, players: Sequence[worlds.Player]) -> Iterator[Tensor]:
    """The latents [B, ...] of each frame of an own rollout after the true history, then of STANDING without action.

    players: who goes on in each row, by the poses that the model reckons; none: the track's actions.
    """
    begin, actions = subject.settings.drift.history, track.actions
    spec, unit = subject.world.action_spec, subject.world.camera.pose_unit
    rollout = subject.rollout(len(actions), graphs=True)
    rollout.start(track.latents[:, :begin], actions[:, :begin], track.poses[:, :begin])
    for index in range(begin, actions.shape[1]):
        held = actions[:, index]
        if players:
            seen_from = zip(players, rollout.pose.cpu(), strict=True)
            chosen = [spec.encode(player.act(poses.to_game(pose, unit))) for player, pose in seen_from]
            held = torch.from_numpy(np.stack(chosen)).to(actions.device)
        yield rollout.step(held)
        if index % 256 == 0:
            log.info("drift: frame %d of %d", index, actions.shape[1])
    for _ in range(STANDING):
        yield rollout.step(torch.zeros_like(actions[:, 0]))


def _watch(subject: Subject, rolled: Iterator[Tensor], batch: int) -> tuple[list[Look], list[np.ndarray], Tensor]:
    """Score a batch of rollouts as they are made: looks, pictures for the contact sheet, latents of standing still.

    Pictures are uint8 [n, height, width, 3] of each rollout, the latents [B, STANDING, ...].
    """
    settings, looks = subject.settings.drift, [Look(subject) for _ in range(batch)]
    shown: list[list[np.ndarray]] = [[] for _ in looks]
    sheet = round(settings.sheet_every * subject.world.rate)
    for part in _parts(subject):
        latents = torch.stack(list(islice(rolled, len(part))), dim=1)
        first = -part.start % sheet
        for row, look in enumerate(looks):
            look.add(part[:: settings.score_every], subject.decode(latents[row, :: settings.score_every]))
            if first < len(part):
                shown[row].append(subject.decode(latents[row, first::sheet]))
    return looks, [np.concatenate(pictures) for pictures in shown], torch.stack(list(rolled), dim=1)


def _footage(subject: Subject, clip: Clip) -> Look:
    """Score the real frames that a rollout stands beside."""
    settings, look = subject.settings.drift, Look(subject)
    for part in _parts(subject):
        begin, end = (settings.history + frame for frame in (part.start, part.stop))
        look.add(part[:: settings.score_every], clip.frames(begin, end, settings.score_every))
    return look


def _length(subject: Subject) -> int:
    """Frames of a rollout after its history."""
    return round(subject.settings.drift.seconds * subject.world.rate)


def _parts(subject: Subject) -> list[range]:
    """The frames of a rollout in parts of which PART are scored; each part begins with a scored frame."""
    frames, size = range(_length(subject)), PART * subject.settings.drift.score_every
    return [frames[start : start + size] for start in range(0, len(frames), size)]


def _change(frames: np.ndarray) -> float:
    """Mean absolute difference of each of frames uint8 [n, ...] from the one before."""
    return float(np.abs(np.diff(frames.astype(np.int16), axis=0)).mean())


def _figures(own: list[Look], real: list[Look]) -> dict[str, Any]:
    by_second = {"own": [look.by_second() for look in own], "real": [look.by_second() for look in real]}
    found = compare(*(np.stack([slopes(values) for values in each]) for each in by_second.values()))
    within = [slope["within_spread"] for slope in found.values()]
    return {
        "slopes": found,
        "slopes_within_spread": None if None in within else sum(within),
        "frechet": {name: _distances(own, real, name) for name in own[0].windows},
        "by_second": {key: np.mean(each, axis=0).round(2).tolist() for key, each in by_second.items()},
        "statistics": list(STATISTICS),
    }


def _distances(own: list[Look], real: list[Look], window: str) -> list[float | None]:
    """Own frames against the same real ones; and, of two episodes or more, half of the real ones against the rest."""
    made, true = ([look.moments[window] for look in looks] for looks in (own, real))
    half = len(true) // 2
    among = round(reduce(add, true[:half]).frechet(reduce(add, true[half:])), 3) if half else None
    return [round(reduce(add, made).frechet(reduce(add, true)), 3), among]


def _note(subject: Subject, count: int) -> str:
    settings = subject.settings.drift
    some = f" One frame in {settings.score_every} is scored." if settings.score_every > 1 else ""
    who = " A player that turns where it is stopped, in either." if settings.player == "wanderer" else ""
    return (
        f"{count} rollouts of {settings.seconds} s on maps never trained on.{some}{who} Slopes are per minute, on the "
        "scale 0 to 255, mean over rollouts; the spread is between real episodes. Slopes within spread: of how many "
        "statistics the slope is no further from 0 than those of real episodes are, as the root of their mean square. "
        "Frechet distance, of codec cells: own frames against the same real footage, and real footage against that of "
        f"the other episodes. Shimmer: by how much a frame differs from the last, in {STANDING} more frames of "
        "standing still; 0 where nothing moves."
    )


def _lines(sheet: list[np.ndarray]) -> list[np.ndarray]:
    """Every rollout's pictures in lines of one length, the last one filled up with black."""
    lines = []
    for pictures in sheet:
        missing = -len(pictures) % SHEET_COLUMNS
        whole = np.concatenate([pictures, np.zeros((missing, *pictures.shape[1:]), np.uint8)])
        lines += [whole[start : start + SHEET_COLUMNS] for start in range(0, len(whole), SHEET_COLUMNS)]
    return lines
