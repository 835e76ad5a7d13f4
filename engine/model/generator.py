"""Generator: a frame-autoregressive diffusion transformer that denoises one frame under the player's action."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.model.layers import Context, ContextReader, Layer, Patches, Waves, from_patches, modulate, norm, rms
from engine.model.rope import Place
from engine.model.settings import ModelSettings


class FrameEncoder(nn.Module):
    """A finished frame, its action and its motion -> context tokens, which every layer reads. No frame sees another."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.patches = Patches(settings)
        self.action = Waves(settings.action_size, settings.dim)
        self.motion = Waves(3, settings.dim)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.encoder_layers))

    def forward(self, latents: Tensor, action: Tensor, motion: Tensor, place: Place) -> Tensor:
        """latents [B, F, rows, columns, channels], action [B, F, size] scaled, motion [B, F, 3] scaled.

        place: of one frame, with time and pose at rest. Returns [B, F, tokens, dim].
        """
        extra = self.action(action) + self.motion(motion)
        h = self.patches(latents, extra)
        batch, frames = h.shape[:2]
        h = h.flatten(0, 1).unsqueeze(1)
        for layer in self.layers:
            h = layer(h, place)
        return rms(h).squeeze(1).unflatten(0, (batch, frames))


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
        self.layers = nn.ModuleList(Layer(settings, index, modulated=True) for index in range(settings.layers))
        self.recent = ContextReader(dim, settings.layers, settings)
        self.remembered = ContextReader(settings.memory_dim, len(settings.memory_readers), settings)
        self.to_patches = nn.Linear(dim, settings.patch_dim)
        self.to_motion = nn.Linear(settings.registers * dim, 3)
        for module in (self.to_modulation, self.to_patches, self.to_motion):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(
        self, noisy: Tensor, level: Tensor, action: Tensor, known: Tensor, place: Place, context: Context
    ) -> tuple[Tensor, Tensor]:
        """Predict the clean latents and the motion of each frame.

        noisy: [B, F, rows, columns, channels]. level: [B, F], 1 = pure noise. action: [B, F, size],
        scaled. known: bool [B, F], whether the action is told. place: of all tokens.
        Returns latents like `noisy` and motion [B, F, 3], scaled (see pose.motion_between).
        """
        told = torch.where(known.unsqueeze(-1), self.action(action), self.no_action.to(noisy.dtype))
        condition = self.level(level.unsqueeze(-1)) + told
        modulation = self.to_modulation(nn.functional.silu(condition)).unflatten(-1, (8, -1))
        h = self.patches(noisy, told)
        for layer in self.layers:
            h = layer(h, place, context, modulation[:, :, :6])
        h = modulate(norm(h), modulation[:, :, 6], modulation[:, :, 7])
        registers = self.settings.registers
        latents = from_patches(self.to_patches(h[:, :, :-registers]), self.settings.patch, self.settings.grid)
        return latents, self.to_motion(h[:, :, -registers:].flatten(2))
