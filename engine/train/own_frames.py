"""The model's own frames in place of a chunk's true ones, so that training meets its own mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.kv_cache import KVCache
from engine.model.network import WorldModel
from engine.model.parallel import Chunk, memory_entries, motions, read_memory
from engine.model.sampler import denoise


@torch.no_grad()
def roll_out(model: WorldModel, chunk: Chunk, levels: Sequence[float], random: torch.Generator) -> Tensor:
    """Latents like chunk.latents whose predicted frames the model generated one after another.

    Memory and camera are the chunk's true ones; only the recent frames become the model's own.
    """
    settings = model.settings
    window, dtype = settings.recent_frames, chunk.latents.dtype
    cache = KVCache(model, len(chunk.latents))
    cache.write_memory(0, read_memory(model, *memory_entries(model, chunk), chunk.filled, None))
    moved = motions(chunk.before, chunk.poses).to(dtype)
    latents = chunk.latents.clone()
    for index in range(latents.shape[1]):
        now = slice(index, index + 1)
        time = torch.full((len(latents), 1), index, device=latents.device)
        if index >= window:
            asked = poses.turn(chunk.poses[:, index - 1], model.yaw(chunk.actions[:, index])).unsqueeze(1)
            noise = torch.randn(latents[:, now].shape, generator=random, device=latents.device, dtype=dtype)
            action = model.scale_action(chunk.actions[:, now])
            latents[:, now] = denoise(model.generator, noise, levels, action, model.place(time, asked), cache)[0]
        tokens = model.encode_frames(latents[:, now], chunk.actions[:, now], moved[:, now])
        cache.write_recent(index % window, tokens, time, chunk.poses[:, now])
    return latents
