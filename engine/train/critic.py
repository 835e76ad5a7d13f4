"""A critic that tells true frames from the generator's, so that what cannot be foreseen is drawn sharp, not as a mean.

Relativistic pairing loss with the penalty of its gradient taken by finite differences (R3GAN,
arXiv 2501.05441, eq. 1-3; the differences as in arXiv 2501.08316, section 3.3). It judges each patch of a latent.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.layers import Layer, Patches, norm
from engine.model.rope import place_tokens
from engine.model.settings import ModelSettings
from engine.train.loop import share_gradients

STEP = 0.05  # standard deviation of the noise by which the penalty's difference is taken


class Critic(nn.Module):
    """Latents of single frames [N, rows, columns, channels] -> a score for each spatial token [N, tokens]."""

    def __init__(self, settings: ModelSettings, layers: int = 4) -> None:
        super().__init__()
        self.settings = dataclasses.replace(settings, layers=layers)
        self.patches = Patches(settings)
        self.layers = nn.ModuleList(Layer(settings) for _ in range(layers))
        self.score = nn.Linear(settings.dim, 1)

    def forward(self, latents: Tensor) -> Tensor:
        still = torch.zeros(1, 1, device=latents.device)
        place = place_tokens(self.settings, still, still.unsqueeze(-1).expand(1, 1, 3), self.score.weight.dtype)
        nothing = torch.zeros(len(latents), 1, self.settings.dim, device=latents.device, dtype=latents.dtype)
        h = self.patches(latents.unsqueeze(1), nothing)
        for layer in self.layers:
            h = layer(h, place)
        return self.score(norm(h[:, 0, : -self.settings.registers])).squeeze(-1)


class Adversary:
    """The critic with its own optimiser: learns at every call, and lends the generator its judgement."""

    def __init__(self, settings: ModelSettings, device: torch.device, rate: float, penalty: float = 20.0) -> None:
        self.critic = Critic(settings).to(device)
        self.penalty = penalty
        self.optimiser = torch.optim.AdamW(self.critic.parameters(), lr=rate, betas=(0.0, 0.99), weight_decay=0.0)

    def learn(self, real: Tensor, made: Tensor, random: torch.Generator) -> Tensor:
        """One step of the critic on latents [N, rows, columns, channels]; its loss."""
        real, made = real.detach(), made.detach()
        with torch.enable_grad():
            nudge = [
                STEP * torch.randn(x.shape, generator=random, device=x.device, dtype=x.dtype) for x in (real, made)
            ]
            scores = self.critic(torch.cat([real, made, real + nudge[0], made + nudge[1]])).float().chunk(4)
            loss = F.softplus(scores[1] - scores[0]).mean()
            slope = (scores[2] - scores[0]).square().mean() + (scores[3] - scores[1]).square().mean()
            (loss + self.penalty * slope).backward()
        share_gradients(list(self.critic.parameters()))
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def judge(self, real: Tensor, made: Tensor) -> Tensor:
        """The generator's loss: how much falser `made` looks than `real`. Gradients reach `made` alone."""
        self.critic.requires_grad_(False)
        with torch.no_grad():
            truth = self.critic(real).float()
        loss = F.softplus(truth - self.critic(made).float()).mean()
        self.critic.requires_grad_(True)
        return loss
