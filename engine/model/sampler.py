"""Denoise one frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.model.diffusion import euler_step

Look = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # noisy frames, noise levels -> clean ones, and motions


def denoise(look: Look, noise: Tensor, levels: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Noise [B, F, rows, columns, channels] -> (latents of the same shape, motion [B, F, SIZE], scaled).

    look: a denoise step, as `Generator.looking` gives it. levels: noise levels down to 0 (see diffusion.schedule), two
    at least.
    """
    latent, motion = levels[0] * noise, noise
    for level, target in zip(levels[:-1], levels[1:], strict=True):
        now = torch.full(noise.shape[:2], level, device=noise.device)
        predicted, motion = look(latent, now)
        latent = euler_step(latent, predicted, level, target) if target > 0 else predicted
    return latent, motion
