"""A critic that tells true frames from the generator's, so that what cannot be foreseen is drawn sharp, not as a mean.

Relativistic pairing loss with the penalty of its gradient taken by finite differences (R3GAN,
arXiv 2501.05441, eq. 1-3; the differences as in arXiv 2501.08316, section 3.3). It judges each patch of a latent.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.settings import ModelSettings
from engine.train.loop import share_gradients

STEP = 0.05  # standard deviation of the noise by which the penalty's difference is taken


class Critic(nn.Module):
    """Latents of single frames [N, rows, columns, channels] -> scores [N, places] of patches of three sizes.

    Convolutions at the latents' grid, at half of it and at a quarter; every place of each has a score.
    """

    def __init__(self, settings: ModelSettings, widths: tuple[int, ...] = (128, 256, 256)) -> None:
        super().__init__()
        self.levels, self.scores = nn.ModuleList(), nn.ModuleList()
        before = settings.codec.latent_channels
        for index, width in enumerate(widths):
            enter = nn.Conv2d(before, width, 3, stride=1 if index == 0 else 2, padding=1)
            blocks = [Residual(width) for _ in range(1 if index == 0 else 2)]
            self.levels.append(nn.Sequential(enter, *blocks))
            self.scores.append(nn.Conv2d(width, 1, 1))
            before = width
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, latents: Tensor) -> Tensor:
        h, scores = latents.permute(0, 3, 1, 2), []
        for level, score in zip(self.levels, self.scores, strict=True):
            h = level(h)
            scores.append(score(F.silu(h)).flatten(1))
        return torch.cat(scores, dim=1)


class Residual(nn.Module):
    """Two convolutions beside the identity, which it is at first: nothing is normed (arXiv 2501.05441, section 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(F.silu(self.first(F.silu(h))))


class Adversary:
    """The critic with its own optimiser: learns at every call, and lends the generator its judgement."""

    def __init__(
        self, settings: ModelSettings, device: torch.device, rate: float, seed: int = 0, penalty: float = 20.0
    ) -> None:
        with torch.random.fork_rng(devices=[]):  # the same one in every process
            torch.manual_seed(seed)
            self.critic = Critic(settings).to(device)
        self.learnt = list(self.critic.parameters())
        self.penalty = penalty
        self.optimisers = [torch.optim.AdamW(self.learnt, lr=rate, betas=(0.0, 0.99), weight_decay=0.0)]

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
        share_gradients(self.learnt)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def judge(self, real: Tensor, made: Tensor) -> Tensor:
        """The generator's loss: how much falser `made` looks than `real`. Gradients reach `made` alone."""
        self.critic.requires_grad_(False)
        with torch.no_grad():
            truth = self.critic(real).float()
        loss = F.softplus(truth - self.critic(made).float()).mean()
        self.critic.requires_grad_(True)
        return loss
