"""The noise path of flow matching and its few-step schedules; pure functions.

x_t = (1 - t) x + t e, where x is the latent, e standard normal noise, and t the noise level:
0 is clean, 1 pure noise (arXiv 2210.02747, eq. 20-23). The network predicts x.
"""

from __future__ import annotations

import torch
from torch import Tensor

# What a place is made of shows through noise of far above one half: it is told by hundreds of cells at once, which
# together outweigh the noise of each. Steps and training that spend little there draw the mean of all places, a fog
# (compare shifted schedules for large pictures, arXiv 2301.11093; 2403.03206; the choice is in docs/log.md).
SHIFT = 8.0
# The first step is told that its noise holds a little of a frame already, though it does not. At level 1 a network
# knows that there is nothing to see and says the mean of all places; told this it sees something, and goes on from it.
FIRST = 0.96
MIDDLE, WIDTH = 1.5, 1.7  # of training levels, as log odds


def add_noise(clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """x_t for latents [B, frames, rows, columns, channels] and levels [B, frames]."""
    t = level[..., None, None, None].to(clean.dtype)
    return (1 - t) * clean + t * noise


def velocity_weight(level: Tensor, floor: float = 0.1) -> Tensor:
    """Weight of the squared error of x that makes it the squared error of the velocity: 1 / t^2, bounded."""
    return level.clamp(min=floor).pow(-2)


def draw_levels(shape: tuple[int, ...], generator: torch.Generator, pure: float, device: torch.device) -> Tensor:
    """Training noise levels: logit-normal around 0.82, and exactly 1 with probability `pure`."""
    normal = torch.randn(shape, generator=generator, device=device)
    level = torch.sigmoid(normal * WIDTH + MIDDLE)
    is_pure = torch.rand(shape, generator=generator, device=device) < pure
    return torch.where(is_pure, torch.ones_like(level), level)


def schedule(steps: int, shift: float = SHIFT, first: float = FIRST) -> list[float]:
    """Noise levels of a sampler from `first` down to 0, `steps` + 1 of them.

    shift > 1 spends more of the steps at high noise: t -> shift t / (1 + (shift - 1) t).
    """
    even = first / (shift - (shift - 1) * first)
    levels = [even * (1 - index / steps) for index in range(steps + 1)]
    return [shift * t / (1 + (shift - 1) * t) for t in levels]


def euler_step(noisy: Tensor, predicted: Tensor, level: float, target: float) -> Tensor:
    """x at noise level `target` on the straight path from x_t through the predicted clean latent."""
    ratio = target / level
    return ratio * noisy + (1 - ratio) * predicted
