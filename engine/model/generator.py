"""Generator: a frame-autoregressive diffusion transformer that denoises one frame under the player's action."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.model import pose as poses
from engine.model.layers import (
    Context,
    ContextReader,
    Layer,
    Patches,
    Waves,
    from_patches,
    modulations,
    norm_modulated,
    rms,
    to_patches,
)
from engine.model.pushes import Pushes
from engine.model.rope import Place
from engine.model.settings import ModelSettings
from engine.model.sweep import Sweep
from engine.model.warping import Reprojector


class FrameEncoder(nn.Module):
    """A finished frame, its action and its motion -> context tokens, which every layer reads. No frame sees another."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.patches = Patches(settings)
        self.action = Waves(settings.action_size, settings.dim)
        self.motion = Waves(3, settings.dim)  # on the ground
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.encoder_layers))
        self.settings = settings
        last = nn.Linear(settings.dim, settings.patch**2)
        self.to_nearness = nn.Sequential(nn.Linear(settings.dim, settings.dim), nn.SiLU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.sweep = Sweep(settings) if settings.sweep else None

    def nearness(self, tokens: Tensor) -> Tensor:
        """Context tokens [B, F, tokens, dim] -> 1 / distance [B, F, rows, columns] of each cell, float32: a guess from
        how the frame looks, which `sweep` betters."""
        settings = self.settings
        found = self.to_nearness(tokens[:, :, : -settings.registers]).float()
        return from_patches(found, settings.patch, settings.grid).squeeze(-1).clamp(-3, 3).exp()

    def forward(self, latents: Tensor, action: Tensor, motion: Tensor, place: Place) -> Tensor:
        """latents [B, F, rows, columns, channels], action [B, F, size] scaled, motion [B, F, 3] scaled.

        place: of one frame, with time and pose at rest. Returns [B, F, tokens, dim].
        """
        h = self.begin(latents, action, motion)
        batch, frames = h.shape[:2]
        h = h.flatten(0, 1).unsqueeze(1)
        for layer in self.layers:
            h = layer(h, place)
        return rms(h).squeeze(1).unflatten(0, (batch, frames))

    def begin(self, latents: Tensor, action: Tensor, motion: Tensor) -> Tensor:
        """What comes before the layers: tokens [B, F, tokens, dim]."""
        return self.patches(latents, self.action(action) + self.motion(motion))


class Momentum(nn.Module):
    """How the camera moves on: from its last motion and the actions before and after it, before anything is drawn.

    In float32 always, for what is rounded here adds up from frame to frame.
    """

    def __init__(self, settings: ModelSettings, hidden: int = 64) -> None:
        super().__init__()
        self.heights = settings.foresees_height
        told = 3 if self.heights else 2
        size = told + settings.action_size
        pushed, last = nn.Linear(hidden, 2), nn.Linear(hidden, told)
        self.pushed = nn.Sequential(nn.Linear(settings.action_size, hidden), nn.SiLU(), pushed)
        self.straight = nn.Linear(size, told)
        self.bent = nn.Sequential(nn.Linear(size, hidden), nn.SiLU(), last)
        for module in (pushed, self.straight, last):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, motion: Tensor, before: Tensor, action: Tensor, yaw: Tensor) -> Tensor:
        """motion: [.., SIZE], the last one as it looked back; before: the action [.., size] that it came of; action:
        the one to come; all scaled. yaw: [..], degrees, of the one to come.

        How fast the camera is at a frame's end follows from how far it came and from what pushed it on its way.
        Returns [.., SIZE], scaled: forward, right and up, in the axes of the heading that the action turns to, with
        no turn.
        """
        with torch.autocast(motion.device.type, enabled=False):
            motion, before, action = motion.float(), before.float(), action.float()
            along = poses.rotate(motion[..., :2] + self.pushed(before), -torch.deg2rad(yaw.float()))
            told = torch.cat([along, motion[..., 3:], action] if self.heights else [along, action], dim=-1)
            found = self.straight(told) + self.bent(told)
            still = torch.zeros_like(found[..., :1])
            return torch.cat([found[..., :2], still, found[..., 2:] if self.heights else still], dim=-1)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Momentum:
        return super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)


class Generator(nn.Module):
    """Noisy frames -> clean frames, given the noise level, the action and a context of memory and recent frames."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        dim = settings.dim
        self.patches = Patches(settings)
        self.level = Waves(1, dim)
        self.action = Waves(settings.action_size, dim)
        self.no_action = nn.Parameter(0.02 * torch.randn(dim))
        self.to_modulation = nn.Linear(dim, 8 * dim)
        self.layers = nn.ModuleList(Layer(settings, modulated=True) for _ in range(settings.layers))
        self.recent = ContextReader(dim, settings.layers, settings)
        self.remembered = ContextReader(settings.memory_dim, len(settings.memory_readers), settings)
        self.momentum = Pushes(settings) if settings.pushes else Momentum(settings)
        self.reproject = Reprojector(settings)
        self.refer = nn.Linear(settings.patch_dim + settings.patch**2, dim, bias=False)
        self.to_patches = nn.Linear(dim, 2 * settings.patch_dim)
        self.to_motion = nn.Linear(settings.registers * dim, poses.SIZE)
        for module in (self.to_modulation, self.to_patches, self.to_motion):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        nn.init.constant_(self.to_patches.bias[settings.patch_dim :], 0.5)

    def forward(
        self, noisy: Tensor, level: Tensor, action: Tensor, known: Tensor, place: Place, context: Context,
        reference: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Predict the clean latents and the motion of each frame.

        noisy: [B, F, rows, columns, channels]. level: [B, F], 1 = pure noise. action: [B, F, size],
        scaled. known: bool [B, F], whether the action is told. place: of all tokens. reference: [B, F, rows, columns,
        channels + 1], what earlier frames show of these (see warping.py).
        Returns latents like `noisy` and motion [B, F, SIZE], scaled (see pose.motion_between).
        """
        told = self.tell(action, known, reference, noisy.dtype)
        return self._denoise(told, place, context, reference, noisy, level)

    def looking(
        self, action: Tensor, place: Place, context: Context, reference: Tensor, dtype: torch.dtype
    ) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """`forward` of noisy frames of a type and their levels alone, the rest being so for all denoise steps."""
        told = self.tell(action, None, reference, dtype)
        return functools.partial(self._denoise, told, place, context, reference)

    def _denoise(
        self, told: tuple[Tensor, Tensor], place: Place, context: Context, reference: Tensor, noisy: Tensor,
        level: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        h, modulation = self.begin(noisy, level, *told)
        for index, modulated in enumerate(modulations(self.layers, modulation[:, :, :6])):
            h = self.layers[index](h, place, context.at(index), modulated)
        return self.finish(h, modulation, reference)

    def tell(
        self, action: Tensor, known: Tensor | None, reference: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """What the action adds to the conditioning [B, F, dim], and the reference to tokens. known: None for all."""
        told = self.action(action).to(dtype)
        if known is not None:
            told = torch.where(known.unsqueeze(-1), told, self.no_action.to(dtype))
        return told, self.refer(to_patches(reference.to(dtype), self.settings.patch))

    def begin(self, noisy: Tensor, level: Tensor, told: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """What comes before the layers: tokens [B, F, tokens, dim], and the conditioning [B, F, 8, dim]."""
        condition = self.level(level.unsqueeze(-1)) + told
        modulation = self.to_modulation(nn.functional.silu(condition)).unflatten(-1, (8, -1))
        return self.patches(noisy, told, seen), modulation

    def finish(self, h: Tensor, modulation: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """What comes after them: latents and motion, as `forward` returns them."""
        patch, grid, registers = self.settings.patch, self.settings.grid, self.settings.registers
        h = norm_modulated(h, 1 + modulation[:, :, 6], modulation[:, :, 7])
        drawn, kept = (from_patches(x, patch, grid) for x in self.to_patches(h[:, :, :-registers]).chunk(2, dim=-1))
        latents = torch.addcmul(drawn, kept, reference[..., :-1].to(drawn.dtype))
        return latents, self.to_motion(h[:, :, -registers:].flatten(2))
