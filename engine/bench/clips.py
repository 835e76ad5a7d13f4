"""Held-out footage for the benches: recorded once into a folder, cut into clips, encoded in batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.bench.subject import Subject
from engine.data.episode import Episode, find_episodes, open_episode
from engine.data.footage import FootageConfig, record_all
from engine.errors import RecordingError
from engine.model import pose as poses

log = logging.getLogger(__name__)

WALKS = {"homes": 0.6, "explore": 0.4}  # tours of benches that need no return


@dataclass(frozen=True)
class Clip:
    """Frames `first` to `end` of an episode, after `still` frames more in which the player stood where they begin."""

    episode: Episode
    first: int
    end: int
    still: int = 0

    def __len__(self) -> int:
        return self.still + self.end - self.first

    @property
    def index(self) -> np.ndarray:
        """The episode's frame that each of the clip's is."""
        return np.concatenate([np.full(self.still, self.first), np.arange(self.first, self.end)])

    @property
    def actions(self) -> np.ndarray:
        """float32 [frames, size]; nothing was held before a clip's first frame."""
        actions = self.episode.actions[self.index].copy()
        actions[: self.still + 1] = 0
        return actions

    @property
    def poses(self) -> np.ndarray:
        return self.episode.poses[self.index]

    def frames(self, start: int, stop: int, step: int = 1) -> np.ndarray:
        """uint8 [n, height, width, 3] of the clip's frames from `start` up to `stop`, one in `step`."""
        index = self.index[start:stop:step]
        held = self.episode.frames(int(index[0]), int(index[-1]) + 1)
        return held[index - index[0]]


@dataclass(frozen=True)
class Track:
    """Clips of one length as the network takes them: latents [B, T, ...], actions [B, T, size], poses [B, T, SIZE]."""

    latents: Tensor  # of fewer frames, the first, where no more were asked for
    actions: Tensor
    poses: Tensor


def episodes(
    subject: Subject,
    tours: dict[str, float],
    count: int,
    frames: int,
    gap: int = 0,
    split: str = "test",
    flavour: str = "",
) -> list[Episode]:
    """The first `count` held-out episodes of at least `frames` frames; recorded where they are missing.

    flavour: of the maps, in place of the settings', and with calm monsters: nothing changes but by the player.
    Hand-made maps have exits: there, half as many will do, and an episode with a return may be shorter.
    """
    settings = subject.settings
    kind = "-".join([*tours, *([str(gap)] if gap else [])])
    folder = Path(settings.footage) / settings.maps / (flavour or settings.flavour) / split / f"{kind}-{frames}"
    if len(find_episodes(folder)) < count:
        log.info("recording %d episodes of %d frames into %s", count, frames, folder)
        asked = {tour: 0.0 for tour in ("homes", "explore", "revisit")} | tours
        record_all(
            FootageConfig(
                world=subject.world.name,
                out=str(folder),
                split=split,
                episodes=count,
                frames=frames,
                flavour=flavour or settings.flavour,
                calm=bool(flavour),
                wad=settings.wad,
                map=settings.map,
                tours=asked,
                gap=gap,
                workers=settings.workers,
            )  # fmt: skip
        )
    found = [open_episode(path) for path in find_episodes(folder)]
    enough = [e for e in found if len(e) >= frames or (settings.maps and "return_end" in e.meta)]
    whole = enough[:count]
    if len(whole) < (count // 2 if settings.maps else count):
        raise RecordingError(f"{folder} holds {len(whole)} episodes of {frames} frames, and {count} are needed")
    return whole


def load(subject: Subject, clips: Sequence[Clip], seen: int | None = None) -> Track:
    """Encode clips of one length. The same frame of an episode is encoded once, however often a clip shows it.

    seen: how many frames from the first on have latents, at least 1; None: all. Actions and poses are whole.
    """
    latents = []
    for clip in clips:
        real = Clip(clip.episode, clip.first, clip.end)
        count = len(real) if seen is None else min(len(real), max(1, seen - clip.still))
        encoded = subject.encode_long(real.frames, count)
        latents.append(torch.cat([encoded[:1].expand(clip.still, *encoded.shape[1:]), encoded])[:seen])
    device = subject.model.device
    actions = torch.from_numpy(np.stack([clip.actions for clip in clips])).to(device)
    game = torch.from_numpy(np.stack([clip.poses for clip in clips]))
    return Track(torch.stack(latents), actions, poses.from_game(game, subject.world.camera.pose_unit).to(device))


def batches(clips: Sequence[Clip], size: int) -> list[list[Clip]]:
    """Clips in groups of at most `size`, in order."""
    return [list(clips[start : start + size]) for start in range(0, len(clips), size)]
