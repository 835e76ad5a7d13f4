"""Fewer denoise steps: each of a student's learns to end where several of a teacher's end (arXiv 2202.00512, 3).

A step so trained follows the teacher from noise to frame, and keeps the order that many steps give a picture; what one
such step cannot follow it draws as a mean. Distribution matching (distil.py) makes sharp what this leaves soft.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.model.diffusion import add_noise, schedule, velocity_weight
from engine.model.network import WorldModel
from engine.model.parallel import look
from engine.train.distil import Draw
from engine.train.generator import GeneratorTraining, Scene
from engine.train.scorers import load_teacher


def leap(draw: Draw, noisy: Tensor, levels: Tensor) -> Tensor:
    """The clean latents that take one step from `noisy` [B, F, ..] to where several of `draw` end.

    levels: [B, F, steps + 1], falling; the last may be 0.
    """
    now = noisy
    for level, lower in zip(levels[..., :-1].unbind(-1), levels[..., 1:].unbind(-1), strict=True):
        ratio = _spread(lower / level, now)
        now = ratio * now + (1 - ratio) * draw(now, level).detach().to(now.dtype)
    ratio = _spread(levels[..., -1] / levels[..., 0], now)
    return (now - ratio * noisy) / (1 - ratio)


def _spread(share: Tensor, like: Tensor) -> Tensor:
    """[B, F] -> [B, F, 1, 1, 1]."""
    return share[..., None, None, None].to(like.dtype)


class LeapTraining(GeneratorTraining):
    """Trains steps of a schedule of `own_steps`, each of which is `substeps` of the teacher's. Noise is added to the
    student's own frames where those are shown, so that it learns on what it will meet; no true frame is asked for."""

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        stage, frames, window = self.stage, self.stage.frames, self.model.settings.recent_frames
        random = torch.Generator(self.device).manual_seed(self.settings.seed + 1_000_003 * self.rank + step)
        coin = torch.rand(3, generator=torch.Generator().manual_seed(self.settings.seed + step)).tolist()
        own = self.own is not None and coin[0] < stage.own_frames
        scene = self._own_scene(stage.own_steps, 1.0, random) if own else self._true_scene(random)
        clean = scene.context[:, window:] if own else scene.target
        noised = self._noise(scene._replace(target=clean), 0.0, random)
        levels, first = self._levels(noised.level[:, :frames].shape, random)
        level = torch.cat([levels[..., 0], noised.level[:, frames:]], dim=1)
        noisy = add_noise(noised.target, noised.noise, level)
        # A sampler begins with noise alone, whatever it says of that (diffusion.FIRST).
        alone = torch.cat([first, torch.zeros_like(level[:, frames:], dtype=torch.bool)], dim=1)
        noisy = torch.where(_spread(alone, noised.drawn), _spread(level, noisy) * noised.noise, noisy)
        given: dict[str, Any] = {
            "chunk": scene.chunk, "drop": self._hide(scene.chunk, random), "rebuild": noised.rebuild,
            "plain": round(self.schedule.batch * stage.plain), "context": scene.context, "pictured": scene.pictured,
        }  # fmt: skip
        recent = 1 if coin[2] < 0.15 else window
        looked = look(self.model, **given)
        predicted = self._draw(recent, self.model, looked, noisy=noisy, level=level)
        seen = partial(self._look, recent, (noisy[:, frames:], level[:, frames:]))
        goal = leap(seen(self.scorers[0], **given, carried=looked.carried), noisy[:, :frames], levels)
        known = Scene(scene.chunk, clean, scene.context, scene.pictured)
        loss, _, metrics = self._errors(known, noised._replace(level=level), predicted, 0.0)
        off = (predicted.latents[:, :frames].float() - goal.float()).square().mean(dim=(2, 3, 4))
        metrics["leap"] = off.mean().detach()
        return loss + (off * velocity_weight(levels[..., 0], 0.2)).mean(), metrics

    def _levels(self, shape: torch.Size, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of one of the student's steps for each of [B, F] frames: the teacher's levels [B, F, substeps + 1], and
        whether it is the first."""
        steps, parts = self.stage.own_steps, self.stage.substeps
        whole = torch.tensor(schedule(steps * parts), device=self.device)
        index = (torch.rand(shape, generator=random, device=self.device) * steps).long()
        return whole[index.unsqueeze(-1) * parts + torch.arange(parts + 1, device=self.device)], index == 0

    def _load_scorers(self) -> list[WorldModel]:
        teacher = load_teacher(self.model, self.settings, self.name, self.rank).train().requires_grad_(False)
        for part in (teacher.encoder, teacher.memory, teacher.generator):
            part.requires_grad_(True)  # as a student's, so that what was compiled serves both
        return [teacher]
