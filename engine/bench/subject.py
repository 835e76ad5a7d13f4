"""The engine under test, spoken to in many sequences at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.bench.feed import feed
from engine.bench.settings import BenchSettings
from engine.core import Engine
from engine.model.codec import to_bytes, to_unit
from engine.model.diffusion import schedule
from engine.model.rollout import Rollout

AT_ONCE = {"cpu": 8, "cuda": 64}  # frames through the codec


class Subject:
    """A loaded engine, with what the benches ask of its network.

    A bench says in `settings` how much it measures, and gets the pictures as uint8 numpy arrays.
    """

    def __init__(self, engine: Engine, settings: BenchSettings) -> None:
        self.engine, self.settings = engine, settings
        self.model, self.world = engine.model, engine.world
        self.at_once = AT_ONCE.get(self.model.device.type, 8)

    @torch.inference_mode()
    def encode(self, frames: np.ndarray) -> Tensor:
        """uint8 [n, height, width, 3] -> latents [n, rows, columns, channels]."""
        parts = [frames[start : start + self.at_once] for start in range(0, len(frames), self.at_once)]
        return torch.cat([self._encode(part) for part in parts])

    @torch.inference_mode()
    def encode_long(self, frames: Callable[[int, int], np.ndarray], count: int) -> Tensor:
        """The same for `count` frames that `frames(start, stop)` reads, never all at once."""
        starts = range(0, count, self.at_once)
        return torch.cat([self._encode(frames(start, min(count, start + self.at_once))) for start in starts])

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Latents [.., rows, columns, channels] -> uint8 [.., height, width, 3]."""
        flat = latents.flatten(0, -4)
        parts = [to_bytes(self.model.codec.decode(part)).cpu() for part in flat.split(self.at_once)]
        return torch.cat(parts).unflatten(0, latents.shape[:-3]).numpy()

    def rollout(self, batch: int, memory: str = "blocks", steps: int = 0, graphs: bool = False) -> Rollout:
        """A new rollout of `batch` sessions, seeded by row; steps: denoise steps, the engine's own by default."""
        seeds = [self.settings.seed + row for row in range(batch)]
        return Rollout(self.model, batch, schedule(steps or self.engine.denoise_steps), seeds, memory, graphs)

    def now(self) -> float:
        """Seconds, when all work given to the device is done."""
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _encode(self, frames: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(np.array(frames)).to(self.model.device)
        return self.model.codec.encode(to_unit(pixels).to(self.model.dtype))


@torch.inference_mode()
def unroll(rollout: Rollout, latents: Tensor, actions: Tensor, poses: Tensor, own_from: Sequence[int]) -> Tensor:
    """The latents [B, T, ...] of a session that sees true frames, then goes on alone under the true actions.

    latents [B, T, ...], actions [B, T, size], poses [B, T, SIZE] as they truly were; own_from: for each row its
    first own frame, at least 1.
    """
    begin = min(own_from)
    first = torch.tensor(own_from, device=rollout.device)
    feed(rollout, latents[:, :begin], actions[:, :begin], poses[:, :begin])
    seen = [latents[:, index] for index in range(begin)]
    for index in range(begin, actions.shape[1]):
        latent, pose = rollout.propose(actions[:, index])
        own = first <= index
        if index < max(own_from):
            latent = torch.where(own[:, None, None, None], latent, latents[:, index].to(latent.dtype))
            pose = torch.where(own[:, None], pose, poses[:, index])
        rollout.observe(latent, actions[:, index], pose, own)
        seen.append(latent)
    return torch.stack(seen, dim=1)
