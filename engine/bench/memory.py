"""Memory bench: does the kept entry carry its block? Every block rebuilt from its entry alone.

The generator starts from pure noise and sees one filled memory slot, and what the picture in it shows of each frame,
nothing else (MAG's stage-2 mask); it is told the poses of the frames to rebuild, and no action.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.bench.clips import WALKS, Clip, Track, batches, episodes, load
from engine.bench.report import COLUMNS, Found, Scores, table
from engine.bench.subject import Subject
from engine.model.chunk import Chunk
from engine.model.entry import row_size
from engine.model.memory import as_kept
from engine.model.parallel import chunk_masks, predict_chunk
from engine.model.pose import relative_to

EPISODE_FRAMES = 600


def measure(subject: Subject) -> Found:
    """PSNR, SSIM and FLIP of rebuilt blocks against real frames and against the codec's round trip."""
    settings, wanted = subject.model.settings, subject.settings.memory.blocks
    length = settings.recent_frames + 1 + settings.block_frames
    per_episode = max(1, (EPISODE_FRAMES - length) // 60)
    found = episodes(subject, WALKS, -(-wanted // per_episode), EPISODE_FRAMES)
    starts = np.linspace(0, EPISODE_FRAMES - length, per_episode).astype(int).tolist()
    clips = [Clip(episode, start, start + length) for episode in found for start in starts][:wanted]
    scores = Scores(subject)
    rebuilt_name = f"rebuilt from its entry, {settings.block_frames} frames in one"
    for batch in batches(clips, 4 * subject.settings.batch):
        track = load(subject, batch)
        truth = np.stack([clip.frames(length - settings.block_frames, length) for clip in batch])
        rebuilt = subject.decode(rebuild(subject, track))
        codec = subject.decode(track.latents[:, -settings.block_frames :])
        scores.add(rebuilt_name, rebuilt, truth)
        scores.add("codec round trip", codec, truth)
        scores.add("rebuilt, against the codec round trip", rebuilt, codec)
    size = row_size(settings)
    per_minute = size * subject.world.rate * 60 / settings.block_frames / 2**20
    rows = [[name, *scores.means(name)] for name in scores.found]
    note = (
        f"{len(clips)} blocks of maps never trained on. An entry is {size} bytes: at most {per_minute:.1f} MiB a "
        "minute, if every block shows something new."
    )
    figures = {"scores": scores.figures(), "entry_bytes": size, "mib_per_minute": round(per_minute, 3)}
    return Found({"memory": table(["block", *COLUMNS], rows, note)}, figures)


@torch.inference_mode()
def rebuild(subject: Subject, track: Track) -> torch.Tensor:
    """The last block of each clip [B, block_frames, rows, columns, channels], from its entry and its poses alone."""
    model, settings = subject.model, subject.model.settings
    window, block, slots = settings.recent_frames, settings.block_frames, settings.memory_entries
    batch, device = len(track.latents), model.device
    local = relative_to(track.poses, track.poses[:, -1, :2])
    index = torch.full((batch, slots, block), -1, device=device) + torch.arange(1 - block, 1, device=device)
    rows = torch.arange(batch, device=device)[:, None, None]
    held = [x[rows, index] for x in (track.latents, track.actions, local)]
    held[0][:, :, -1] = as_kept(held[0][:, :, -1])
    chunk = Chunk(
        latents=track.latents[:, : window + 1], actions=track.actions[:, : window + 1], poses=local[:, : window + 1],
        before=local[:, 0], block_latents=held[0], block_actions=held[1], block_poses=held[2],
        block_before=local[:, -block - 1].unsqueeze(1).expand(-1, slots, -1), block_index=index,
        filled=(torch.arange(slots, device=device) == 0).expand(batch, -1),
    )  # fmt: skip
    noise = torch.stack(
        [torch.randn(1 + block, *settings.latent_shape, generator=random) for random in _randoms(subject, batch)]
    )
    noise = noise.to(device, model.dtype)
    level = torch.ones(batch, 1 + block, device=device)
    first = torch.zeros(batch, dtype=torch.long, device=device)
    masks = chunk_masks(settings, 1, block, window, device)
    return predict_chunk(model, chunk, noise, level, masks, rebuild=first)[0][:, 1:]


def _randoms(subject: Subject, batch: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(subject.settings.seed + row) for row in range(batch)]
