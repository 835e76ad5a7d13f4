"""Revisit bench: is a place the same when the player comes back?

A scripted player sees a place, stays away for a gap, and comes back the same way. The model has the
true history up to the return (or, with its own memory, up to the leaving) and draws the return alone, under
the true actions; every frame is held against the true frame of the same moment.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from engine.bench import metrics
from engine.bench.clips import Clip, Track, episodes, load
from engine.bench.report import CEILING, COLUMNS, Found, Scores, table
from engine.bench.subject import Subject, unroll
from engine.data.episode import Episode
from engine.data.pictures import write_sheet
from engine.errors import RecordingError
from engine.model.entry import row_size
from engine.model.memory import words
from engine.model.recall import Recall
from engine.model.settings import ModelSettings

log = logging.getLogger(__name__)

TURN_WEIGHT = 1.0  # pose units that a radian counts for the nearest old view: the best of 1 to 32 on validation maps
SEEN_WITHIN = 0.35  # the same measure: nearer than this, a view was seen before
LAST = 8  # frames of a return judged by themselves, too
SHEET_COLUMNS = 8
SPARSE = "plain subsampling, as many bytes"  # entries left out until it takes what the memory model's take
EVERY = "this model, every block kept"
MEMORIES = {
    "this model": "blocks", EVERY: "every", "full history": "full", "plain subsampling": "plain", SPARSE: "plain",
    "window": "none",
}  # fmt: skip
OWN = "this model, own memory"
NEAREST, LAST_SEEN, CODEC = "nearest old frame", "last seen frame", "codec round trip"


def measure(subject: Subject) -> Found:
    """For each gap, every contender on the same returns."""
    tables: dict[str, dict[str, Any]] = {}
    figures: dict[str, Any] = {}
    rows = []
    for gap in subject.settings.revisit.gaps:
        found = _at_gap(subject, gap)
        figures[str(gap)] = found
        rows += [[f"{gap}: {name}", *_cells(row)] for name, row in found["scores"].items()]
    columns = ["gap, contender", *COLUMNS, f"last {LAST}, dB", "matched, dB", "sharpness"]
    counts = ", ".join(f"{found['sequences']} at gap {gap}" for gap, found in figures.items())
    note = (
        f"Returns of {subject.settings.revisit.frames} frames on maps never trained on: {counts}. All contenders are "
        "the same weights and sampler on the same footage; they differ in what the memory holds. Plain subsampling "
        "keeps the exact tokens of each block's last frame beside its picture. 'Matched' compares each frame with the "
        "most like of the true ones; a frozen picture scores well there. Sharpness is a share of the true frames': "
        "PSNR forgives blur, and this does not."
    )
    tables["revisit"] = table(columns, rows, note)
    return Found(tables, figures)


def returns(subject: Subject, gap: int, count: int, frames: int, tour: str = "revisit") -> list[Clip]:
    """At most `count` clips of held-out footage that end with `frames` frames of a return. Raises RecordingError."""
    spare = count + 2 + count // 4  # not every episode comes to its return
    length = int((2.5 if subject.settings.maps else 1.3) * gap) + 420  # a way back over hand-made maps may be cut off
    if tour != "revisit":  # a way round takes longer, and some maps have none
        spare, length = 2 * count, length + 300
    found = clips_of(episodes(subject, {tour: 1.0}, spare, length, gap), frames)[:count]
    if not found:
        raise RecordingError(f"no footage of gap {gap} has a return of {frames} frames: record more of it")
    return found


def clips_of(found: list[Episode], frames: int) -> list[Clip]:
    """From each episode with a return of at least `frames` frames: from the visit's start to that many into it."""
    clips = []
    for episode in found:
        marks = episode.meta
        if "return_start" not in marks or marks["return_end"] - marks["return_start"] < frames:
            continue
        begin = max(0, marks["visit_start"] - 4)
        clips.append(Clip(episode, begin, marks["return_start"] + frames))
    return clips


def aligned(clips: list[Clip]) -> list[Clip]:
    """The same clips at one length: the player of a shorter one stands still at first."""
    longest = max(len(clip) for clip in clips)
    return [Clip(clip.episode, clip.first, clip.end, longest - len(clip)) for clip in clips]


def nearest(track: Track, frames: int) -> np.ndarray:
    """For each of the last `frames` moments, the history frame of the nearest pose, and how near: [2, B, frames]."""
    history, asked = track.poses[:, :-frames], track.poses[:, -frames:]
    moved = (asked[:, :, None, :2] - history[:, None, :, :2]).norm(dim=-1)
    turned = asked[:, :, None, 2] - history[:, None, :, 2]
    turned = (torch.remainder(turned + torch.pi, 2 * torch.pi) - torch.pi).abs()
    cost, index = (moved + TURN_WEIGHT * turned).min(dim=2)
    return np.stack([index.cpu().numpy(), cost.cpu().numpy()])


def _at_gap(subject: Subject, gap: int) -> dict[str, Any]:
    settings = subject.settings.revisit
    frames = settings.frames
    found = returns(subject, gap, settings.sequences, frames, settings.tour)
    order = sorted(range(len(found)), key=lambda i: len(found[i]))  # near in length, little standing still
    scores, extra = Scores(subject), {}
    shown: dict[int, dict[str, np.ndarray]] = {}
    for rows in [order[i : i + subject.settings.batch] for i in range(0, len(order), subject.settings.batch)]:
        batch = aligned([found[row] for row in rows])
        track = load(subject, batch)
        drawn = _contenders(subject, batch, track, gap)
        truth = np.stack([clip.frames(len(clip) - frames, len(clip)) for clip in batch])
        seen = nearest(track, frames)[1] < SEEN_WITHIN
        for name, pictures in drawn.items():
            scores.add(name, pictures, truth)
            extra.setdefault(name, []).append((seen, _matched(pictures, truth), _sharpness(pictures, truth)))
        for i, row in enumerate(rows):
            if row < settings.sheet:
                shown[row] = {"truth": truth[i]} | {name: pictures[i] for name, pictures in drawn.items()}
        log.info("gap %d: %d of %d returns", gap, len(rows) + sum(len(b[0]) for b in extra[CODEC][:-1]), len(found))
    sheet = _write_sheet(subject, gap, shown)
    return {"sequences": len(found), "scores": _figures(scores, extra), "sheet": sheet}


def _contenders(subject: Subject, batch: list[Clip], track: Track, gap: int) -> dict[str, np.ndarray]:
    """The return as each contender draws it: uint8 [B, frames, height, width, 3]."""
    settings = subject.settings.revisit
    frames, length = settings.frames, len(batch[0])
    begin = [length - frames] * len(batch)
    names = [name for name, memory in MEMORIES.items() if memory != "full" or gap <= settings.full_up_to]
    drawn = draw_all(subject, track, names, begin, frames)
    if settings.own_memory:
        left = [clip.still + clip.episode.meta["visit_end"] - clip.first for clip in batch]
        drawn[OWN] = draw(subject, track, MEMORIES["this model"], left, frames)[0]
    near = nearest(track, frames)[0].astype(int)
    drawn[NEAREST] = np.stack(
        [np.concatenate([clip.frames(i, i + 1) for i in row]) for clip, row in zip(batch, near.tolist(), strict=True)]
    )
    last = np.stack([clip.frames(begin[0] - 1, begin[0]) for clip in batch])
    drawn[LAST_SEEN] = np.repeat(last, frames, axis=1)
    drawn[CODEC] = subject.decode(track.latents[:, -frames:])
    return drawn


def draw_all(
    subject: Subject, track: Track, names: Sequence[str], own_from: list[int], frames: int
) -> dict[str, np.ndarray]:
    """`draw` for contenders of MEMORIES, the first of which is this model: what it holds is what others may hold."""
    drawn: dict[str, np.ndarray] = {}
    share = row_size(subject.model.settings) / plain_size(subject.model.settings)
    drawn[names[0]], held = draw(subject, track, MEMORIES[names[0]], own_from, frames)
    for name in names[1:]:
        room = held * share if name == SPARSE else None
        drawn[name], _ = draw(subject, track, MEMORIES[name], own_from, frames, room)
    return drawn


def draw(
    subject: Subject, track: Track, memory: str, own_from: list[int], frames: int, room: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The last `frames` frames of a session that goes on alone from frame `own_from` on, with a memory as of Rollout:
    uint8 [B, n, ..]; and how many entries it holds in the end, [B].

    room: for how many entries there is room, [B]; so many are left of them, evenly.
    """
    rollout = subject.rollout(len(own_from), memory)
    if room is not None:
        count = track.actions.shape[1] // subject.model.settings.block_frames
        for bank, most in zip(rollout.banks, room.tolist(), strict=True):
            bank.recall = Recall(forgotten=left_out(count, most / count))
    latents = unroll(rollout, track.latents, track.actions, track.poses, own_from)
    return subject.decode(latents[:, -frames:]), rollout.banks.counts()


def plain_size(settings: ModelSettings) -> int:
    """Bytes of an entry that keeps the tokens of its block's last frame as they are, in bfloat16, in place of the
    memory model's, beside the same picture, nearness and pose."""
    exact = settings.dim * torch.bfloat16.itemsize
    made = words(settings.memory_dim) * torch.int16.itemsize + torch.float16.itemsize
    return row_size(settings) + settings.frame_tokens * (exact - made)


def left_out(count: int, share: float) -> tuple[int, ...]:
    """Which of `count` entries are left out, evenly, so that this share of them stays, the first one among them."""
    return tuple(index for index in range(1, count) if int(index * share) == int((index - 1) * share))


def _matched(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """PSNR of each frame [B, frames] against the most like of its return's true frames."""
    pairs = zip(pictures, truth, strict=True)
    return np.stack([metrics.psnr(own, true[metrics.match(own, true)], CEILING) for own, true in pairs])


def _sharpness(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Sharpness of each frame [B, frames] as a share of the mean of its return's true frames."""
    return metrics.statistics(pictures).sharpness / metrics.statistics(truth).sharpness.mean(axis=1, keepdims=True)


def _figures(scores: Scores, extra: dict[str, list[tuple[np.ndarray, ...]]]) -> dict[str, dict[str, Any]]:
    figures = scores.figures()
    for name, parts in extra.items():
        psnr = scores.all(name, "psnr")
        assert psnr is not None
        seen, matched, sharp = (np.concatenate(column) for column in zip(*parts, strict=True))
        figures[name] |= {
            "psnr_seen": round(float(psnr[seen].mean()), 4) if seen.any() else None,
            "psnr_last": round(float(psnr[:, -LAST:].mean()), 4),
            "psnr_matched": round(float(matched.mean()), 4),
            "sharpness": round(float(sharp.mean()), 4),
            "psnr_by_frame": [round(float(value), 3) for value in psnr.mean(axis=0)],
            "seen": round(float(seen.mean()), 4),
        }
    return figures


def _cells(row: dict[str, Any]) -> list[Any]:
    return [row[key] for key in ("psnr", "ssim", "flip", "psnr_last", "psnr_matched", "sharpness")]


def _write_sheet(subject: Subject, gap: int, shown: dict[int, dict[str, np.ndarray]]) -> str:
    """The first returns by seed, four rows each: truth, this model, window, nearest old frame."""
    if not shown:
        return ""
    step = max(1, subject.settings.revisit.frames // SHEET_COLUMNS)
    names = ("truth", "this model", "window", NEAREST)
    rows = [shown[row][name][::step] for row in sorted(shown) for name in names]
    path = subject.settings.media / f"bench_revisit_{gap}{subject.settings.label}.png"
    write_sheet(path, rows)
    return path.name
