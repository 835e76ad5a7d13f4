"""State bench: does a change last? A door opened, an item taken, a monster shot stay so when the player comes back.

A scripted player looks at a thing, changes it, looks again, stays away for a gap and comes back. The model has the true
history up to the return and draws the return alone. It is judged where the change shows: the pixels in which the game
at the same poses and the same time looks different if nothing had been changed.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

import worlds
from engine.bench.clips import Clip, batches, episodes, load
from engine.bench.metrics import LUMA
from engine.bench.report import Found, table
from engine.bench.revisit import CODEC, MEMORIES, NEAREST, aligned, clips_of, draw_all, nearest
from engine.bench.subject import Subject
from engine.data.episode import Episode
from engine.data.pictures import write_sheet
from engine.errors import ConfigError, RecordingError

log = logging.getLogger(__name__)

FLAVOURS = {"door": "animated", "item": "animated", "monster": "monsters"}  # of the maps, by what the player changes
TRUTH = "the real game"
ERRAND = 900  # frames in which a player finds something, changes it and looks at it
DIFFERENT = 24.0  # grey levels
LEAST = 20  # pixels that a change must show in, for a frame to count
ASTRAY = 1.0  # map units that a pose looked from may be beside the asked one
SAME = 0.02  # map units and degrees within which two looks count as from one pose
# (before, after, which of the poses could be looked from): uint8 [n, height, width, 3] twice, bool [n]
Views = tuple[np.ndarray, np.ndarray, np.ndarray]


def measure(subject: Subject) -> Found:
    """For each kind of change and each contender: share of the changed pixels that look rather like after it."""
    settings = subject.settings.state
    if subject.settings.maps:
        raise ConfigError("the state bench needs generated maps: leave out wad and map")
    rows, figures, sheet = [], {}, []
    for deed in settings.deeds:
        if deed not in FLAVOURS:
            raise ConfigError(f"there is no change {deed!r} to measure (changes: {', '.join(FLAVOURS)})")
        shares, pictures, pixels = _of_deed(subject, deed)
        sheet += pictures
        figures[deed] = {
            name: {"share": round(float(each.mean()), 4), "by_sequence": [round(float(value), 4) for value in each]}
            for name, each in shares.items()
        } | {"pixels": round(float(np.mean(pixels)), 1)}
        rows += [[f"{deed}: {name}", round(float(each.mean()), 4), len(each)] for name, each in shares.items()]
    path = subject.settings.media / f"bench_state{subject.settings.label}.png"
    if sheet:
        write_sheet(path, sheet)
    note = (
        f"Returns of {settings.frames} frames about {settings.gap} frames after a change, on maps never trained on, "
        "with the true history. Share of the changed region's pixels that are nearer to the real game as it is after "
        "the change than to the game without it; half is chance."
    )
    found = {"sheet": path.name if sheet else "", "shares": figures}
    return Found({"state": table(["change, contender", "like after", "sequences"], rows, note)}, found)


def _of_deed(subject: Subject, deed: str) -> tuple[dict[str, np.ndarray], list[np.ndarray], list[float]]:
    """Share by contender, one for each sequence [n]; rows of the contact sheet; changed pixels of a frame."""
    settings = subject.settings.state
    frames, sheet, pixels = settings.frames, [], []
    shares: dict[str, list[float]] = {}
    found = sorted(_clips(subject, deed), key=lambda pair: len(pair[0]))  # near in length, little standing still
    shown = {clip.episode.path: seen for clip, seen in found}
    for batch in batches([clip for clip, _ in found], subject.settings.batch):
        batch = aligned(batch)
        track = load(subject, batch)
        begin = [len(batch[0]) - frames] * len(batch)
        truth = np.stack([clip.frames(begin[0], len(clip)) for clip in batch])
        drawn = {TRUTH: truth, CODEC: subject.decode(track.latents[:, -frames:])}
        drawn |= draw_all(subject, track, list(MEMORIES), begin, frames)
        index = nearest(track, frames)[0].astype(int).tolist()
        old = [np.concatenate([clip.frames(i, i + 1) for i in row]) for clip, row in zip(batch, index, strict=True)]
        drawn[NEAREST] = np.stack(old)
        for row, clip in enumerate(batch):
            before, after, there = shown[clip.episode.path]
            pixels.append(changed(before, after)[there].sum(axis=(1, 2)).mean())
            for name, pictures in drawn.items():
                shares.setdefault(name, []).append(like_after(pictures[row], before, after, there))
            if len(sheet) < settings.sheet:
                middle = [before[frames // 2], truth[row, frames // 2], drawn["this model"][row, frames // 2]]
                sheet.append(np.stack([*middle, drawn["window"][row, frames // 2]]))
        log.info("%s: %d of %d sequences", deed, len(shares[TRUTH]), len(found))
    return {name: np.array(values) for name, values in shares.items()}, sheet, pixels


def _clips(subject: Subject, deed: str) -> list[tuple[Clip, Views]]:
    """Clips that end with a return to something changed, and what the game shows there with and without the change."""
    settings = subject.settings.state
    length, wanted = int(1.3 * settings.gap) + ERRAND, settings.sequences
    found = episodes(subject, {deed: 1.0}, wanted + 4 + wanted // 2, length, settings.gap, flavour=FLAVOURS[deed])
    kept: list[tuple[Clip, Views]] = []
    for clip in clips_of(found, settings.frames):
        if len(kept) == wanted:
            break
        before, after, there = views(clip.episode, clip.episode.meta["return_start"], settings.frames)
        there &= changed(before, after).sum(axis=(1, 2)) >= LEAST
        if there.mean() >= 0.5:
            kept.append((clip, (before, after, there)))
    if not kept:
        raise RecordingError(f"no footage shows a change by the tour {deed!r} on its return: record more of it")
    return kept


def views(episode: Episode, first: int, frames: int) -> Views:
    """What the real game shows from the poses of frames `first` on, had the player done nothing, and as it is.

    The game is played twice for as long: idle, and by the episode's actions. Then the player is put to each pose.
    """
    env = worlds.make_env(episode.meta["world"], **episode.meta["game"])
    idle = np.zeros_like(episode.actions[1 : first + 1])
    poses = episode.poses[first : first + frames]
    try:
        before, seen_before = _look(env, episode, idle, poses)
        after, seen_after = _look(env, episode, episode.actions[1 : first + 1], poses)
    finally:
        env.close()
    same = np.abs(seen_before - seen_after).max(axis=1) < SAME
    return before, after, same & (np.abs(seen_after - poses)[:, :3].max(axis=1) < ASTRAY)


def _look(env: Any, episode: Episode, actions: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames and poses [n, 4] from which they were really seen, after `actions` and a moment's rest."""
    spec = env.unwrapped.spec_of_actions
    env.reset(seed=episode.meta["seed"])
    rest = np.zeros((20, actions.shape[1]), dtype=np.float32)  # frames in which a walker comes to a stand
    for action in np.concatenate([actions, rest]):
        env.step(spec.decode(action))
    looks = [env.unwrapped.look_from(tuple(float(value) for value in pose)) for pose in poses]
    return np.stack([frame for frame, _ in looks]), np.array([info["pose"] for _, info in looks])


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """bool [n, height, width]: where two uint8 [n, height, width, 3] differ by more than DIFFERENT grey levels."""
    return np.abs(before @ LUMA - after @ LUMA) > DIFFERENT


def like_after(frames: np.ndarray, before: np.ndarray, after: np.ndarray, there: np.ndarray) -> float:
    """Share of the changed pixels of the frames `there` in which `frames` are nearer to `after` than to `before`."""

    def apart(truth: np.ndarray) -> np.ndarray:
        return ((frames.astype(np.int32) - truth) ** 2).sum(axis=-1)

    mask = changed(before, after) & there[:, None, None]
    return float((apart(after) < apart(before))[mask].mean())
