"""The model's own frames in place of true ones, so that training meets the mistakes it will have to live with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from engine.data.chunks import ChunkSampler
from engine.model.graphs import Graphs, capture_on
from engine.model.kv_cache import KVCache
from engine.model.network import WorldModel
from engine.model.parallel import Chunk, memory_entries, motions, read_memory, show_blocks
from engine.model.reprojection import Found, Shown
from engine.model.sampler import denoise
from engine.model.shape import foretell, keep_shape
from engine.model.sweep import OLDER, shrink

READ = tuple(field.name for field in fields(Chunk) if field.name != "nearness")  # of a chunk, what a rollout reads


class OwnFrames:
    """Rolls chunks out, many at once, reusing one cache; on a GPU the whole of it is launched as one graph."""

    def __init__(self, model: WorldModel, batch: int, graphs: bool = True) -> None:
        device = model.device
        self.model, self.batch = model, batch
        self.dtype = torch.bfloat16 if device.type == "cuda" else model.dtype
        self.cache = KVCache(model, batch, self.dtype)
        self.graphs = Graphs(capture_on(device) if graphs else None)

    @torch.no_grad()
    def roll_out(self, chunk: Chunk, levels: Sequence[float], random: torch.Generator, heat: float = 1.0) -> Tensor:
        """Latents like chunk.latents whose predicted frames the model generated one after another.

        Memory is the chunk's, and the camera follows the true path; the recent frames become the model's own. heat:
        standard deviation of the noise they are drawn from, 1 or 0.
        """
        window = self.model.settings.recent_frames
        shape, device = chunk.latents[:, window:].shape, chunk.latents.device
        noise = heat * torch.randn(shape, generator=random, device=device, dtype=chunk.latents.dtype)
        if chunk.own is None:
            chunk = replace(chunk, own=torch.zeros(chunk.actions.shape[:2], dtype=torch.bool, device=device))
        given = (getattr(chunk, name) for name in READ)
        return self.graphs.call(self._roll_out, (tuple(levels),), noise, *given)[0]

    def _roll_out(self, levels: Sequence[float], noise: Tensor, *given: Tensor) -> tuple[Tensor]:
        # A graph must lower the weights at every launch, for they change in between: so none that was kept.
        kind = noise.device.type
        with torch.autocast(kind, self.dtype, enabled=torch.is_autocast_enabled(kind), cache_enabled=False):
            return (self._generate(levels, noise, Chunk(**dict(zip(READ, given, strict=True)))),)

    def _generate(self, levels: Sequence[float], noise: Tensor, chunk: Chunk) -> Tensor:
        model, window = self.model, self.model.settings.recent_frames
        block_tokens, entries, entry_poses = memory_entries(model, chunk)
        memory = read_memory(model, block_tokens, entries, entry_poses, chunk.filled)
        self.cache.write_memory(0, memory.to(self.dtype))
        blocks = show_blocks(model, block_tokens, chunk)
        shown: Shown | None = None
        found: Found | None = None  # where the last frame's cells were, if it was drawn
        last = torch.full_like(chunk.block_index[:, :1, 0], model.settings.memory_entries)
        moved = motions(chunk.before, chunk.poses)
        latents, sweep = chunk.latents.clone(), model.encoder.sweep
        pictured = 1 if sweep is None else OLDER + 1  # how many of the last frames are made pictures of
        pictures: list[Tensor] = []  # theirs, shrunk
        times = torch.arange(latents.shape[1], device=latents.device).expand(len(latents), -1)
        assert chunk.own is not None
        own = chunk.own | (times >= window)
        for index in range(latents.shape[1]):
            now = slice(index, index + 1)
            if index >= window:
                assert shown is not None
                past = slice(index - 1, index)
                told = chunk.poses[:, past], moved[:, past], chunk.actions[:, past], chunk.actions[:, now]
                asked, _ = model.ask(*told)
                reference, found = model.generator.reproject(shown, last, asked)
                action, place = model.scale_action(chunk.actions[:, now]), model.place(times[:, now], asked)
                fresh = noise[:, index - window : index - window + 1]
                look = model.generator.looking(action, place, self.cache, reference, fresh.dtype)
                made = denoise(look, fresh, levels)
                latents[:, now] = model.codec.bound(made[0]).to(latents.dtype)
            pose = chunk.poses[:, now]
            tokens = model.encode_frames(latents[:, now], chunk.actions[:, now], moved[:, now].to(latents.dtype))
            kv = model.generator.recent(tokens, model.place(times[:, now], pose), dated=True)
            if index > window - 1 - pictured:
                picture = model.refer(latents[:, now])
                pictures = [*pictures, shrink(picture)][-pictured:]
                if index >= window - 1:
                    nearness = model.encoder.nearness(tokens)
                    if sweep is not None:
                        past = slice(index + 1 - len(pictures), index + 1)
                        nearness = sweep.last(nearness, torch.cat(pictures, dim=1), chunk.poses[:, past])
                    if found is not None and model.settings.trusts_memory:
                        foretold = foretell(found, model.settings.latent_shape[:2])
                        nearness = keep_shape(foretold, nearness[:, 0]).unsqueeze(1)
                    shown = _add_last(blocks, picture, nearness, pose, own[:, now])
            self.cache.write_frames(index % window, kv.to(self.dtype))
        return latents


def _add_last(blocks: Shown, pictures: Tensor, nearness: Tensor, pose: Tensor, own: Tensor) -> Shown:
    """Memory slots' frames and the last frame [B, 1, ..], in the order in which the reprojector wants them."""
    last = pictures, nearness, pose, torch.ones_like(blocks.there[:, :1]), own
    return Shown(*(torch.cat([old, new.to(old.dtype)], dim=1) for old, new in zip(blocks, last, strict=True)))


class Streams:
    """Long rollouts carried from one training step to the next: each step goes on where the last one ended.

    A stream is a stretch of an episode that the model has replaced by its own frames, in the recent
    frames and in memory alike, so that training sees what minutes of play would do to both.
    """

    def __init__(self, sampler: ChunkSampler, batch: int, length: int, even: bool = False) -> None:
        self.sampler, self.batch, self.even = sampler, batch, even  # even: all streams are as long as they can be
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
        nothing = torch.zeros_like(self.next)
        chunk = self.sampler.at(self.episode, self.next, self.begin, nothing, nothing.bool())
        window = self.sampler.settings.recent_frames
        span = self.next.unsqueeze(1) + torch.arange(-window, frames, device=start.device)
        return replace(
            chunk,
            latents=self._overlay(chunk.latents, span),
            block_latents=self._overlay(chunk.block_latents, chunk.block_index),
            own=span >= self.first.unsqueeze(1),
        )

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
