"""Distribution matching: a few-step generator's frames become such as many steps of a teacher would have drawn.

Where a frame could be many things, a step trained on squared error draws their mean; a teacher that denoises in many
steps draws one of them. Both score the generator's own frames, noised anew: the teacher says where true frames lie,
an imitator, trained along on the generator's frames, where the generator's do, and the difference is what the
generator learns from (DMD, arXiv 2311.18828, eq. 7-8; on own rollouts, self forcing, arXiv 2506.08009, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from engine.model.diffusion import add_noise, draw_levels, euler_step, velocity_weight
from engine.model.network import WorldModel
from engine.model.parallel import Predicted
from engine.model.warping import Carried
from engine.train.loop import share_gradients
from engine.train.optimiser import make_optimisers
from engine.train.settings import GeneratorStage

Draw = Callable[[Tensor, Tensor], Tensor]  # noisy latents, levels -> clean latents
Look = Callable[[WorldModel], Draw]  # a network looks once at what came before, and can then draw many times


def partway(
    predict: Callable[..., Predicted], noisy: Tensor, level: Tensor, noise: Tensor, drawn: Tensor,
    levels: Sequence[float],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Noisy latents [B, F, ..] and levels [B, F], where `drawn` what the sampler has at the last of `levels`.

    Trained from there, every step of a few learns to end in a frame (self forcing, arXiv 2506.08009, algorithm 1).
    """
    picked = drawn[..., None, None, None]
    noisy, level = torch.where(picked, levels[0] * noise, noisy), torch.where(drawn, levels[0], level)
    for now, lower in pairwise(levels):
        made = predict(noisy=noisy, level=level).latents.detach().to(noisy.dtype)
        noisy = torch.where(picked, euler_step(noisy, made, now, lower), noisy)
        level = torch.where(drawn, lower, level)
    return noisy, level


def truth_weight(
    drawn: Tensor, carried: Carried, reference: Tensor, target: Tensor, stage: GeneratorStage
) -> Tensor:  # fmt: skip
    """What the error against true frames counts in cells [B, C, rows, columns]: 1 but in frames that are `drawn`.

    There it is `truth_known` as surely as memory's views show a cell as it truly is, for then one thing alone is to be
    drawn and its mean is no blur, and `truth` elsewhere: what memory keeps of made-up places is not true, and need not
    be. carried: views of one row for each frame, [B * (C + R), ..], the last frame's, which may be made up, before
    memory's. reference: as in Predicted; target: latents [B, C, rows, columns, channels] of the true frames.
    """
    seen = carried.seen.unflatten(0, (len(drawn), -1))[:, : drawn.shape[1], 1:].any(dim=2)
    known = reference.detach().float()
    off = (known[..., :-1] - target.float()).square().mean(dim=-1)
    sure = known[..., -1] * seen * (1 - off).clamp(min=0)
    weight = stage.truth + max(stage.truth_known - stage.truth, 0.0) * sure
    return torch.where(drawn[..., None, None], weight, 1.0)


def forget(given: dict[str, Any], alone: Tensor) -> dict[str, Any]:
    """What `look` is given, but that chunks `alone`, bool [B, 1], know nothing of what came before: neither memory nor
    recent frames, nor views of either, also if they are `carried` already.

    A network that draws such frames knows how frames look, whatever came before. One that goes on from frames that
    fell apart finds that the next ones should as well, and says nothing against it.
    """
    chunk = replace(given["chunk"], filled=given["chunk"].filled & ~alone)
    told = {"chunk": chunk, "drop": given["drop"] | alone, "blind": given["blind"] | alone}
    if "carried" in given:
        seen = given["carried"].seen.unflatten(0, (len(alone), -1)) & ~alone[..., None, None, None]
        told["carried"] = given["carried"]._replace(seen=seen.flatten(0, 1))
    return given | told


class Distiller:
    """The teacher, and the imitator with optimisers of its own, which starts as a network trained on true frames."""

    def __init__(self, teacher: WorldModel, imitator: WorldModel, rate: float, matrix_rate: float, turns: int) -> None:
        # The teacher's weights want gradients too, though none are taken: so that what was compiled serves all alike.
        self.teacher, self.imitator, self.turns = teacher.train(), imitator.train(), turns
        for network in (self.teacher, self.imitator):
            network.requires_grad_(False)
            for part in (network.encoder, network.memory, network.generator):
                part.requires_grad_(True)
        self.optimisers = make_optimisers(self.imitator, rate, matrix_rate)
        self.learnt = [p for p in self.imitator.parameters() if p.requires_grad]

    def pull(self, made: Tensor, drawn: Tensor, look: Look, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The gradient for latents `made` [B, C, rows, columns, channels], and the imitator's error.

        drawn: bool [B, C], which of them count. The imitator learns from them first, `turns` times; what it then draws
        is by its last look, from before the last step of it.
        """
        made, error = made.detach(), made.new_zeros(())
        imitate = look(self.imitator)
        for turn in range(self.turns):
            if turn:
                imitate = look(self.imitator)
            noisy, level = self._noised(made, random)
            error = self._learn(imitate(noisy, level), made, level, drawn)
        noisy, level = self._noised(made, random)
        imitated, taught = (draw(noisy, level).detach().float() for draw in (imitate, look(self.teacher)))
        scale = (made.float() - taught).abs().mean(dim=(2, 3, 4), keepdim=True).clamp(min=1e-3)
        return (imitated - taught) / scale * drawn[..., None, None, None], error

    @staticmethod
    def _noised(made: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        level = draw_levels((made.shape[0], made.shape[1]), random, 0.0, made.device)
        noise = torch.randn(made.shape, generator=random, device=made.device, dtype=made.dtype)
        return add_noise(made, noise, level), level

    def _learn(self, predicted: Tensor, made: Tensor, level: Tensor, drawn: Tensor) -> Tensor:
        error = (predicted.float() - made.float()).square().mean(dim=(2, 3, 4))
        counted = error * velocity_weight(level, 0.2) * drawn
        (counted.sum() / drawn.sum().clamp(min=1)).backward()
        share_gradients(self.learnt)
        torch.nn.utils.clip_grad_norm_(self.learnt, 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        torch.clear_autocast_cache()  # it may hold the weights of before
        return (error.detach() * drawn).sum() / drawn.sum().clamp(min=1)
