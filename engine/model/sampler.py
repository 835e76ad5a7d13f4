"""Denoise one frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.diffusion import euler_step
from engine.model.generator import Generator
from engine.model.layers import Context
from engine.model.rope import Place


def denoise(
    generator: Generator, noise: Tensor, levels: Sequence[float], action: Tensor, place: Place, context: Context,
    reference: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Noise [B, 1, rows, columns, channels] -> (latent of the same shape, motion [B, 1, SIZE], scaled).

    levels: noise levels down to 0 (see diffusion.schedule); action: [B, 1, size], scaled; reference: of the
    frame, see warping.py.
    """
    latent, motion = levels[0] * noise, action.new_zeros(*noise.shape[:2], poses.SIZE)
    known = torch.ones(noise.shape[:2], dtype=torch.bool, device=noise.device)
    for level, target in zip(levels[:-1], levels[1:], strict=True):
        now = torch.full(noise.shape[:2], level, device=noise.device)
        predicted, motion = generator(latent, now, action, known, place, context, reference)
        latent = euler_step(latent, predicted, level, target) if target > 0 else predicted
    return latent, motion
