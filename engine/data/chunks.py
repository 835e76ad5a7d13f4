"""Training chunks: a stretch of frames, its recent past, and the memory a player would hold at that moment."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data.stores import LatentStore
from engine.model.chunk import Chunk
from engine.model.memory_bank import choose, coverage, probe_points
from engine.model.pose import relative_to
from engine.model.settings import ModelSettings


class ChunkSampler:
    """Draws chunks from a store. Every draw depends on the generator given to it alone."""

    TRIES = 4  # moments looked at for one that calls for memory

    def __init__(self, store: LatentStore, settings: ModelSettings, frames: int) -> None:
        self.store, self.settings, self.frames = store, settings, frames
        self.device = store.latents.device
        length = store.latents.shape[1]
        self.first, self.last = settings.recent_frames + 1, length - frames
        if self.last < self.first:
            raise ValueError(f"episodes of {length} frames are too short for chunks of {frames}")

    def draw(
        self, batch: int, random: torch.Generator, old_only: float = 0.0, no_memory: float = 0.0, jitter: float = 0.0
    ) -> Chunk:
        """A batch of chunks at random moments.

        old_only: share whose memory ends a random gap before the chunk. no_memory: share without
        memory. jitter: largest standard deviation of the entries' positions, in pose units.
        """
        rand = self._rand(random)
        episode, start, begin = self.moments(batch, random)
        gap = torch.exp(rand(batch) * 3.5 + 2.8).long()  # 16 to 544 frames
        gap = torch.where(rand(batch) < old_only, gap, torch.zeros_like(gap))
        hide = rand(batch) < no_memory
        drop = rand(batch, self.store.latents.shape[1] // self.settings.block_frames) < 0.1
        chunk = self.at(episode, start, begin, gap, hide, drop)
        if jitter:
            sigma = (rand(batch, 1, 1, 1) * jitter).expand_as(chunk.block_poses[..., :1, :2])
            shift = torch.randn(sigma.shape, generator=random, device=self.device) * sigma
            chunk.block_poses[..., :2] += shift
            chunk.block_before[..., :2] += shift.squeeze(2)
        return chunk

    def moments(self, batch: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Episodes, first frames to predict, and frames at which the session began, [batch] each.

        Half of them are the moments, of several drawn, at which memory knows most that recent frames do not.
        """
        rand = self._rand(random)
        tries = self.TRIES * batch
        episode = (rand(tries) * len(self.store)).long()
        start = self.first + (rand(tries) * (self.last - self.first + 1)).long()
        score = self._recalled(episode, start).view(batch, self.TRIES)
        best = torch.where(rand(batch) < 0.5, score.argmax(dim=1), torch.zeros_like(score[:, 0], dtype=torch.long))
        pick = torch.arange(batch, device=self.device) * self.TRIES + best
        episode, start = episode[pick], start[pick]
        room = (start - self.settings.recent_frames).float()
        begin = torch.where(rand(batch) < 0.5, torch.zeros_like(start), (rand(batch) * room).long())
        return episode, start, begin

    def _recalled(self, episode: Tensor, start: Tensor) -> Tensor:
        """How much of what the last frame of a chunk shows was seen long before it and not just before, [N]."""
        track = self.store.poses[episode]
        now = track[torch.arange(len(episode), device=self.device), start + self.frames - 1]
        points = probe_points(now, self.settings.fov)
        every = 8
        seen = coverage(track[:, ::every], now[:, None, :2].expand_as(points), points, self.settings.fov)
        frame = torch.arange(0, track.shape[1], every, device=self.device).unsqueeze(0)
        old = (frame < (start - 16).unsqueeze(1)).unsqueeze(-1)
        fresh = ((frame >= (start - 16).unsqueeze(1)) & (frame < start.unsqueeze(1))).unsqueeze(-1)
        known, recent = (torch.where(part, seen, 0).amax(dim=1) for part in (old, fresh))
        return (known - recent).clamp(min=0).mean(dim=1)

    def at(
        self, episode: Tensor, start: Tensor, begin: Tensor, gap: Tensor, hide: Tensor, drop: Tensor | None = None,
        walk: tuple[Tensor, Tensor] | None = None,
    ) -> Chunk:  # fmt: skip
        """Chunks predicted from frame `start` [B] of `episode` [B], of sessions that began at frame `begin` [B].

        Memory holds the blocks that ended `gap` [B] frames before the chunk; none where `hide` [B]. walk: poses [B, T,
        SIZE] and actions [B, T, size] in place of the episodes' own.
        """
        settings, store = self.settings, self.store
        window, block = settings.recent_frames, settings.block_frames
        rows = episode.unsqueeze(1)
        span = torch.arange(-window, self.frames, device=self.device)
        index = start.unsqueeze(1) + span
        path, held = (store.poses[episode], store.actions[episode]) if walk is None else walk
        row = torch.arange(len(episode), device=self.device)
        line = row.unsqueeze(1)
        track = path[line, index]
        anchor = path[row, start - 1, :2]

        ends = (
            torch.arange(store.latents.shape[1] // block, device=self.device) * block + block - 1 + begin.unsqueeze(1)
        )
        valid = (ends < (start - gap).unsqueeze(1)) & ~hide.unsqueeze(1)
        if drop is not None:
            valid &= ~drop
        ends = ends.clamp(max=store.latents.shape[1] - 1)
        seen = path[line, ends]
        views = torch.stack([track[:, window + offset] for offset in (0, self.frames // 2, self.frames - 1)], dim=1)
        picked, filled = choose(seen, valid, views, settings.memory_entries - 1, settings.fov)
        sink = torch.zeros_like(picked[:, :1])
        filled = torch.cat([valid[:, :1], filled & (picked != 0)], dim=1)
        picked = torch.cat([sink, picked], dim=1)
        last = ends.gather(1, picked)
        frames = last.unsqueeze(-1) + torch.arange(1 - block, 1, device=self.device)
        deep, steep = rows.unsqueeze(1), line.unsqueeze(1)
        before = (frames[..., 0] - 1).clamp(min=0)
        return Chunk(
            latents=store.latents[rows, index],
            actions=held[line, index],
            poses=relative_to(track, anchor),
            before=relative_to(path[row, index[:, 0] - 1].unsqueeze(1), anchor).squeeze(1),
            block_latents=store.latents[deep, frames],
            block_actions=held[steep, frames],
            block_poses=relative_to(path[steep, frames].flatten(1, 2), anchor).unflatten(1, frames.shape[1:]),
            block_before=relative_to(path[line, before], anchor),
            own=torch.zeros_like(index, dtype=torch.bool),
            block_index=frames,
            filled=filled,
            nearness=store.nearness[rows, index],
        )

    def true_frames(self, episode: Tensor, start: Tensor) -> Tensor:
        """Latents [B, frames, ...] of the frames to predict from frame `start` [B] of `episode` [B]."""
        index = start.unsqueeze(1) + torch.arange(self.frames, device=self.device)
        return self.store.latents[episode.unsqueeze(1), index]

    def _rand(self, random: torch.Generator):  # noqa: ANN202
        return lambda *shape: torch.rand(*shape, generator=random, device=self.device)
