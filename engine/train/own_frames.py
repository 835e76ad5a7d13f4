"""The model's own frames in place of true ones, so that training meets the mistakes it will have to live with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.chunk import Chunk
from engine.model.graphs import Graphs, capture_on
from engine.model.kv_cache import KVCache
from engine.model.network import WorldModel
from engine.model.parallel import memory_entries, read_memory, show_blocks
from engine.model.reprojection import Found, Shown
from engine.model.sampler import denoise
from engine.model.shape import foretell, keep_shape
from engine.model.sweep import OLDER, shrink

UNREAD = "nearness", "asked", "turns"
READ = tuple(field.name for field in fields(Chunk) if field.name not in UNREAD)  # of a chunk, what every rollout reads
STOPPED = 0.002  # pose units: a wall that takes more than this off a camera's way stops it


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
        return self._call(chunk, levels, random, heat)[0]

    @torch.no_grad()
    def roam(self, chunk: Chunk, levels: Sequence[float], random: torch.Generator, heat: float = 1.0) -> Chunk:
        """The chunk with frames like `roll_out`'s, in which cameras that `turns` names go as in play: by their actions
        and by what the frames drawn show of their motion, as far as nothing that was drawn stands in the way.

        Its poses and actions are then those that led there, and it says from where each frame was asked for.
        """
        assert chunk.turns is not None
        latents, track, asked, actions = self._call(chunk, levels, random, heat, chunk.turns)
        return replace(chunk, latents=latents, poses=track, asked=asked, actions=actions)

    def _call(
        self, chunk: Chunk, levels: Sequence[float], random: torch.Generator, heat: float, *turns: Tensor
    ) -> tuple[Tensor, ...]:
        window = self.model.settings.recent_frames
        shape, device = chunk.latents[:, window:].shape, chunk.latents.device
        noise = heat * torch.randn(shape, generator=random, device=device, dtype=chunk.latents.dtype)
        if chunk.own is None:
            chunk = replace(chunk, own=torch.zeros(chunk.actions.shape[:2], dtype=torch.bool, device=device))
        given = (getattr(chunk, name) for name in READ)
        return self.graphs.call(self._roll_out, (tuple(levels), bool(turns)), noise, *turns, *given)

    def _roll_out(self, levels: Sequence[float], roams: bool, noise: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        names = ("turns", *READ) if roams else READ
        # A graph must lower the weights at every launch, for they change in between: so none that was kept.
        kind = noise.device.type
        with torch.autocast(kind, self.dtype, enabled=torch.is_autocast_enabled(kind), cache_enabled=False):
            return self._generate(levels, noise, Chunk(**dict(zip(names, given, strict=True))))

    def _generate(self, levels: Sequence[float], noise: Tensor, chunk: Chunk) -> tuple[Tensor, ...]:
        model, window = self.model, self.model.settings.recent_frames
        block_tokens, entries, entry_poses = memory_entries(model, chunk)
        memory = read_memory(model, block_tokens, entries, entry_poses, chunk.filled)
        self.cache.write_memory(0, memory.to(self.dtype))
        blocks = show_blocks(model, block_tokens, chunk)
        shown: Shown | None = None
        found: Found | None = None  # where the last frame's cells were, if it was drawn
        last = torch.full_like(chunk.block_index[:, :1, 0], model.settings.memory_entries)
        way = Way(model, chunk)
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
                asked = way.ask(index, shown)
                reference, found = model.generator.reproject(shown, last, asked)
                action, place = model.scale_action(way.actions[:, now]), model.place(times[:, now], asked)
                fresh = noise[:, index - window : index - window + 1]
                look = model.generator.looking(action, place, self.cache, reference, fresh.dtype)
                made = denoise(look, fresh, levels)
                latents[:, now] = model.codec.bound(made[0]).to(latents.dtype)
                way.arrive(index, made[1])
            pose = way.track[:, now]
            tokens = model.encode_frames(latents[:, now], way.actions[:, now], way.motion(index).to(latents.dtype))
            kv = model.generator.recent(tokens, model.place(times[:, now], pose), dated=True)
            if index > window - 1 - pictured:
                picture = model.refer(latents[:, now])
                pictures = [*pictures, shrink(picture)][-pictured:]
                if index >= window - 1:
                    nearness = model.encoder.nearness(tokens)
                    if sweep is not None:
                        past = slice(index + 1 - len(pictures), index + 1)
                        nearness = sweep.last(nearness, torch.cat(pictures, dim=1), way.track[:, past])
                    if found is not None and model.settings.trusts_memory:
                        foretold = foretell(found, model.settings.latent_shape[:2])
                        nearness = keep_shape(foretold, nearness[:, 0]).unsqueeze(1)
                    shown = _add_last(blocks, picture, nearness, pose, own[:, now])
            self.cache.write_frames(index % window, kv.to(self.dtype))
        return (latents,) if chunk.turns is None else (latents, way.track, torch.cat(way.asked, dim=1), way.actions)


class Way:
    """Where the cameras of a chunk go while it is rolled out: along its path or, where it `turns`, as in play."""

    def __init__(self, model: WorldModel, chunk: Chunk) -> None:
        self.model, self.turns, self.before = model, chunk.turns, chunk.before
        self.track, self.actions = chunk.poses, chunk.actions  # [B, W + C, ..], as far as they are known
        self.asked: list[Tensor] = []  # from where each of the C frames was thought to be seen, [B, 1, SIZE]
        self.stopped = torch.zeros_like(chunk.filled[:, 0])  # by walls, in the frame before
        if chunk.turns is not None:
            self.roams, self.track, self.actions = ~chunk.turns.isnan(), chunk.poses.clone(), chunk.actions.clone()

    def motion(self, index: int) -> Tensor:
        """[B, 1, SIZE], as it looked back from frame `index`; scaled."""
        before = self.track[:, index - 1 : index] if index else self.before.unsqueeze(1)
        return poses.looking_back(before, self.track[:, index : index + 1])

    def ask(self, index: int, shown: Shown) -> Tensor:
        """From where frame `index` is to be seen, [B, 1, SIZE]."""
        past, now, axes = slice(index - 1, index), slice(index, index + 1), self.model.settings.mouse_axes
        if self.turns is not None and axes:
            most = self.model.action_scale[-axes]
            turned = self.actions[:, index, -axes] + torch.where(self.stopped, self.turns.nan_to_num(), 0)
            self.actions[:, index, -axes] = turned.clamp(-most, most)
        told = self.track[:, past], self.motion(index - 1), self.actions[:, past], self.actions[:, now]
        asked, _ = self.model.ask(*told)
        if self.turns is not None:
            free = self.model.stop(shown, asked[:, 0])
            self.stopped = (free - asked[:, 0])[:, :2].norm(dim=-1) > STOPPED
            asked = torch.where(self.roams[:, None, None], free.unsqueeze(1), asked)
            self.asked.append(asked)
        return asked

    def arrive(self, index: int, motion: Tensor) -> None:
        """Where frame `index` was seen from is as it shows the camera to have strayed, `motion` [B, 1, SIZE]."""
        if self.turns is not None:
            with torch.autocast(motion.device.type, enabled=False):
                there = self.model.arrive(self.asked[-1], motion)
            self.track[:, index] = torch.where(self.roams[:, None], there[:, 0], self.track[:, index])


def _add_last(blocks: Shown, pictures: Tensor, nearness: Tensor, pose: Tensor, own: Tensor) -> Shown:
    """Memory slots' frames and the last frame [B, 1, ..], in the order in which the reprojector wants them."""
    last = pictures, nearness, pose, torch.ones_like(blocks.there[:, :1]), own
    return Shown(*(torch.cat([old, new.to(old.dtype)], dim=1) for old, new in zip(blocks, last, strict=True)))
