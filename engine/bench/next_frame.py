"""Next-frame bench: true history, true action, one frame generated, and the truth taken before the next."""

from __future__ import annotations

import numpy as np
import torch

from engine.bench.clips import WALKS, Clip, batches, episodes, load
from engine.bench.report import COLUMNS, Found, Scores, table
from engine.bench.subject import Subject
from engine.model.diffusion import schedule


def measure(subject: Subject) -> Found:
    """PSNR, SSIM and FLIP by denoise steps, beside the last true frame and the codec's round trip."""
    settings = subject.settings.next_frame
    length = settings.history + settings.frames
    clips = [Clip(e, 0, length) for e in episodes(subject, WALKS, settings.sequences, length)]
    scores = Scores(subject)
    for batch in batches(clips, subject.settings.batch):
        truth = np.stack([clip.frames(settings.history, length) for clip in batch])
        before = np.stack([clip.frames(settings.history - 1, length - 1) for clip in batch])
        for name, latents in _generate(subject, batch).items():
            scores.add(name, subject.decode(latents), truth)
        scores.add("last frame", before, truth)
    rows = [[name, *scores.means(name)] for name in scores.found]
    count = len(clips) * settings.frames
    note = f"{count} frames of {len(clips)} sequences on maps never trained on, after {settings.history} true frames."
    return Found({"next-frame": table(["shown", *COLUMNS], rows, note)}, {"scores": scores.figures()})


@torch.inference_mode()
def _generate(subject: Subject, batch: list[Clip]) -> dict[str, torch.Tensor]:
    """Latents [B, frames, ...] by what made them. All denoise steps share one true history."""
    settings = subject.settings.next_frame
    track = load(subject, batch)
    rollout = subject.rollout(len(batch))
    begin = settings.history
    rollout.start(track.latents[:, :begin], track.actions[:, :begin], track.poses[:, :begin])
    made: dict[str, list[torch.Tensor]] = {_name(steps): [] for steps in settings.steps}
    for index in range(begin, begin + settings.frames):
        for steps in settings.steps:
            made[_name(steps)].append(rollout.propose(track.actions[:, index], schedule(steps))[0])
        rollout.observe(track.latents[:, index], track.actions[:, index], track.poses[:, index])
    latents = {name: torch.stack(frames, dim=1) for name, frames in made.items()}
    return latents | {"codec round trip": track.latents[:, begin:]}


def _name(steps: int) -> str:
    return f"{steps} denoise step" + "s" * (steps > 1)
