"""Long rollouts of the model's own, carried from one training step to the next."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.data.chunks import ChunkSampler
from engine.model import pose as poses
from engine.model.chunk import Chunk

LEAST_TURN, MOST_TURN = 8.0, 20.0  # degrees a frame by which cameras turn where they are stopped, if they do


class Streams:
    """Long rollouts carried from one training step to the next: each step goes on where the last one ended.

    A stream is a stretch of an episode that the model has replaced by its own frames, in the recent
    frames and in memory alike, so that training sees what minutes of play would do to both. Along the true path a
    camera goes through whatever was drawn in its way; in play it stands before it. So some streams may roam: their
    cameras go where what was drawn lets them, half of them turning where they are stopped.
    """

    def __init__(
        self, sampler: ChunkSampler, batch: int, length: int, even: bool = False, roam: float = 0.0
    ) -> None:
        self.sampler, self.batch, self.even = sampler, batch, even  # even: all streams are as long as they can be
        self.roam = roam  # share of streams
        store = sampler.store
        self.length = max(length, sampler.frames)
        self.own = torch.zeros(
            batch, self.length, *store.latents.shape[2:], dtype=store.latents.dtype, device=sampler.device
        )
        self.episode = torch.zeros(batch, dtype=torch.long, device=sampler.device)
        self.first = torch.zeros_like(self.episode)  # frame from which the stream is the model's own
        self.next = torch.zeros_like(self.episode)  # frame to generate next
        self.begin = torch.zeros_like(self.episode)  # frame at which the session began
        self.ends = torch.zeros_like(self.episode)  # frame at which the stream ends
        self.turns = torch.full((batch,), torch.nan, device=sampler.device)  # see Chunk
        # Poses and actions of each stream's episode; of one that roams, its own, and then as they would go on from it.
        self.path, self.held = store.poses[self.episode], store.actions[self.episode]

    def draw(self, random: torch.Generator) -> Chunk:
        """The next chunk of every stream, own frames in place of true ones; streams that ended start anew.

        Its `own` frames are these, and those that are to be made.
        """
        frames = self.sampler.frames
        ended = self.next + frames > self.ends
        episode, start, begin = self.sampler.moments(self.batch, random)
        spread = torch.rand(self.batch, generator=random, device=start.device)
        if self.even:
            spread = torch.ones_like(spread)
            start = start.clamp(max=max(self.sampler.first, self.sampler.store.latents.shape[1] - self.length))
            begin = torch.minimum(begin, start - self.sampler.settings.recent_frames)
        ends = torch.minimum(start + frames + (spread * (self.length - frames + 1)).long(), start + self.length)
        ends = ends.clamp(max=self.sampler.store.latents.shape[1])
        fresh = (episode, start, start, begin, ends)
        held = (self.episode, self.first, self.next, self.begin, self.ends)
        merged = [torch.where(ended, new, old) for new, old in zip(fresh, held, strict=True)]
        self.episode, self.first, self.next, self.begin, self.ends = merged
        if self.roam:
            self._set_out(ended, random)
        nothing, walk = torch.zeros_like(self.next), (self.path, self.held) if self.roam else None
        chunk = self.sampler.at(self.episode, self.next, self.begin, nothing, nothing.bool(), walk=walk)
        window = self.sampler.settings.recent_frames
        span = self.next.unsqueeze(1) + torch.arange(-window, frames, device=start.device)
        own = span >= self.first.unsqueeze(1)
        if self.roam:
            assert chunk.nearness is not None
            known = ~own | self.turns.isnan().unsqueeze(1)  # elsewhere the game tells nothing of what is there
            chunk = replace(chunk, nearness=chunk.nearness * known[..., None, None], turns=self.turns)
        return replace(
            chunk,
            latents=self._overlay(chunk.latents, span),
            block_latents=self._overlay(chunk.block_latents, chunk.block_index),
            own=own,
        )

    def _set_out(self, fresh: Tensor, random: torch.Generator) -> None:
        """Say of the `fresh` streams, bool [B], whether they roam."""
        lot = torch.rand(3, self.batch, generator=random, device=fresh.device)
        turn = (LEAST_TURN + (MOST_TURN - LEAST_TURN) * lot[1]) * torch.where(lot[2] < 0.5, -1, 1)
        turn = torch.where(lot[0] < self.roam / 2, turn, torch.where(lot[0] < self.roam, 0.0, torch.nan))
        self.turns = torch.where(fresh, turn, self.turns)
        whole, store = fresh[:, None, None], self.sampler.store
        self.path = torch.where(whole, store.poses[self.episode], self.path)
        self.held = torch.where(whole, store.actions[self.episode], self.held)

    def follow(self, chunk: Chunk) -> None:
        """Go on from where the frames just made were seen from: a chunk that roamed (OwnFrames.roam)."""
        frames, row = self.sampler.frames, torch.arange(self.batch, device=self.next.device)
        index = self.next.unsqueeze(1) + torch.arange(frames, device=self.next.device)
        anchor = self.path[row, self.next - 1, :2].unsqueeze(1)
        made = torch.cat([chunk.poses[:, -frames:, :2] + anchor, chunk.poses[:, -frames:, 2:]], dim=-1)
        roams = ~self.turns.isnan()[:, None, None]
        line, whole = row.unsqueeze(1), self.sampler.store.poses[self.episode]
        self.path[line, index] = torch.where(roams, made, self.path[line, index])
        self.held[line, index] = torch.where(roams, chunk.actions[:, -frames:], self.held[line, index])
        # What is to come is as it was, seen from there.
        last = whole[row, index[:, -1]].unsqueeze(1)
        turned = made[:, -1:, 2] - last[..., 2]
        beyond = poses.rotate(whole[..., :2] - last[..., :2], turned.expand_as(whole[..., 2]))
        beyond = torch.cat([beyond, whole[..., 2:] - last[..., 2:]], dim=-1) + made[:, -1:]
        later = torch.arange(whole.shape[1], device=row.device) > index[:, -1:]
        self.path = torch.where(roams & later.unsqueeze(-1), beyond, self.path)

    def keep(self, made: Tensor) -> None:
        """Go on from the frames just made, [B, frames, ...]."""
        offset = (self.next - self.first).unsqueeze(1) + torch.arange(made.shape[1], device=made.device)
        rows = torch.arange(self.batch, device=made.device).unsqueeze(1)
        self.own[rows, offset.clamp(max=self.length - 1)] = made.to(self.own.dtype)
        self.next = self.next + made.shape[1]

    def _overlay(self, latents: Tensor, frame: Tensor) -> Tensor:
        """Latents [B, .., rows, columns, channels] of frames [B, ..], the model's own where there are any."""
        lead = (-1,) + (1,) * (frame.ndim - 1)
        offset = frame - self.first.view(lead)
        mine = (offset >= 0) & (frame < self.next.view(lead))
        rows = torch.arange(self.batch, device=frame.device).view(lead)
        own = self.own[rows, offset.clamp(0, self.length - 1)]
        return torch.where(mine[..., None, None, None], own, latents)
