"""The critic and the distiller: where they pull a generator's frames to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.model.chunk import Chunk
from engine.model.diffusion import euler_step, schedule
from engine.model.network import WorldModel
from engine.model.parallel import Predicted, chunk_masks, draw, look
from engine.model.sampler import denoise
from engine.model.warping import Carried
from engine.train.critic import Adversary
from engine.train.distil import Distiller, Draw, forget, partway, truth_weight
from engine.train.settings import GeneratorStage
from tests.conftest import random_model
from tests.train.test_own_frames import BATCH, FRAMES, random_chunk


def test_the_critic_pulls_towards_what_is_true() -> None:
    random = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    settings = random_model().settings
    rows, columns, channels = settings.latent_shape
    adversary = Adversary(settings, torch.device("cpu"), 2e-3)
    slope = torch.linspace(-1, 1, columns)[:, None].expand(rows, columns, channels)

    def draw() -> tuple[Tensor, Tensor]:
        noise = 0.1 * torch.randn(2, 8, rows, columns, channels, generator=random)
        return slope + noise[0], 0.3 * slope + noise[1]  # true frames and paler ones

    losses = [float(adversary.learn(*draw(), random)) for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]
    real, made = draw()
    made.requires_grad_()
    adversary.judge(real, made).backward()
    assert made.grad is not None
    assert float((made.grad * (real - made)).detach().sum()) < 0
    assert all(p.grad is None for p in adversary.critic.parameters())


def test_every_process_begins_with_the_same_critic() -> None:
    settings = random_model().settings
    weights = []
    for rank in range(2):
        torch.manual_seed(rank)
        weights.append(Adversary(settings, torch.device("cpu"), 1e-3, seed=7).critic.state_dict())
        assert torch.initial_seed() == rank
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_partway_is_where_the_sampler_comes_by() -> None:
    """From there on, the sampler ends in what it ends in from the start; frames that are not drawn stay as they are."""
    random = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(2, 3, 4, 6, 8, generator=random) for _ in range(2))
    drawn = torch.tensor([[True, True, False], [True, False, True]])
    level = torch.where(drawn, 1.0, 0.3)

    def look(noisy: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(noisy * (2 - level[..., None, None, None])).roll(1, dims=3), torch.zeros(0)

    def predict(noisy: Tensor, level: Tensor) -> Predicted:
        return Predicted(look(noisy, level)[0], *[torch.zeros(0)] * 5)

    levels = schedule(3)
    whole, _ = denoise(look, noise, levels)
    for done in range(3):
        noisy, at = partway(predict, latents, level, noise, drawn, levels[: done + 1])
        assert torch.equal(noisy[~drawn], latents[~drawn]) and torch.equal(at[~drawn], level[~drawn])
        assert (at[drawn] == levels[done]).all()
        for now, lower in pairwise(levels[done:]):
            made = look(noisy, torch.full_like(at, now))[0]
            noisy = euler_step(noisy, made, now, lower) if lower else made
        torch.testing.assert_close(noisy[drawn], whole[drawn])


class Fixed:
    """Networks that say one number whatever they are shown."""

    def __init__(self, distiller: Distiller, teacher: float, imitator: float) -> None:
        self.says = {id(distiller.teacher): teacher, id(distiller.imitator): imitator}

    def __call__(self, network: WorldModel) -> Draw:
        def draw(latents: Tensor, level: Tensor) -> Tensor:
            assert latents.shape[:2] == level.shape
            return torch.full_like(latents, self.says[id(network)])

        return draw


def test_the_distiller_pulls_from_the_imitator_to_the_teacher() -> None:
    distiller = Distiller(random_model(), random_model(), 1e-3, 2e-3, turns=0)
    made = torch.zeros(2, 3, *distiller.teacher.settings.latent_shape)
    drawn = torch.tensor([[True, True, False], [True, False, True]])
    random = torch.Generator().manual_seed(0)
    pull, _ = distiller.pull(made, drawn, Fixed(distiller, 2.0, -1.0), random)
    torch.testing.assert_close(pull, torch.where(drawn, -1.5, 0.0)[..., None, None, None].expand_as(made))
    alike, _ = distiller.pull(made, drawn, Fixed(distiller, 0.5, 0.5), random)
    assert not alike.any()


@pytest.mark.parametrize("turns", [1, 2])
def test_the_imitator_alone_learns(turns: int) -> None:
    distiller = Distiller(random_model(), random_model(), 1e-3, 2e-3, turns)
    teacher = {name: p.clone() for name, p in distiller.teacher.state_dict().items()}
    bias = distiller.imitator.generator.to_patches.bias
    before = bias.detach().clone()

    looks = []

    def look(network: WorldModel) -> Draw:
        looks.append(network)
        seen = network.generator.to_patches.bias.square().mean()  # there is one gradient in each look, as in true ones
        return lambda latents, level: latents + seen + network.generator.to_patches.bias.mean()

    made = torch.ones(2, 3, *distiller.teacher.settings.latent_shape)
    _, error = distiller.pull(made, torch.ones(2, 3, dtype=torch.bool), look, torch.Generator().manual_seed(0))
    assert looks == [*[distiller.imitator] * turns, distiller.teacher]
    assert float(error) > 0
    assert not torch.equal(bias, before)
    assert all(torch.equal(teacher[name], p) for name, p in distiller.teacher.state_dict().items())


@pytest.mark.parametrize("carried", [False, True])
@torch.no_grad()
def test_a_chunk_alone_is_drawn_alike_whatever_came_before(carried: bool) -> None:
    model, chunk = random_model(), random_chunk(0)
    settings, before = model.settings, random_chunk(1)
    other = replace(chunk, latents=before.latents, block_latents=before.block_latents)
    masks = chunk_masks(settings, FRAMES, 0, settings.recent_frames, torch.device("cpu"))
    noise = torch.randn(BATCH, FRAMES, *settings.latent_shape, generator=torch.Generator().manual_seed(2))
    alone = torch.tensor([[True], [False]])

    def make(chunk: Chunk) -> Tensor:
        hide = torch.zeros(chunk.actions.shape[:2], dtype=torch.bool)
        given: dict[str, Any] = {"chunk": chunk, "drop": hide, "blind": hide[:, :2]}
        if carried:
            given["carried"] = look(model, **given).carried
        return draw(model, look(model, **forget(given, alone)), noise, torch.ones(BATCH, FRAMES), masks).latents

    one, two = make(chunk), make(other)
    assert torch.equal(one[0], two[0]) and (one[1] - two[1]).abs().max() > 1e-3


def test_truth_counts_for_more_where_memory_shows_a_cell() -> None:
    """Two chunks of one drawn frame, one that is not, and a frame to rebuild; the last frame's view shows all.

    In one cell memory's views show what is a little off, in another what is made up.
    """
    seen = torch.zeros(2, 3, 2, 2, 2, dtype=torch.bool)  # chunks, frames, views, rows, columns
    seen[:, :, 0] = True
    seen[:, :, 1, 0] = True
    seen[:, :, 1, 1, 1] = True
    seen[:, 2] = True
    reference = torch.zeros(2, 2, 2, 2, 5)
    reference[..., -1] = 0.5
    target = torch.zeros(2, 3, 2, 2, 4)[:, :2]
    target[..., 0, 1, :] = 0.5
    target[..., 1, 1, :] = 2.0
    empty = torch.zeros(0)
    drawn = torch.tensor([[True, False], [True, False]])
    carried = Carried(empty, empty, seen.flatten(0, 1))
    weight = truth_weight(drawn, carried, reference, target, GeneratorStage(truth=0.1, truth_known=0.7))
    expected = torch.ones(2, 2, 2, 2)
    expected[:, 0] = 0.1
    expected[:, 0, 0, 0] = 0.4  # half sure
    expected[:, 0, 0, 1] = 0.325  # and a quarter off
    torch.testing.assert_close(weight, expected)
    alike = truth_weight(drawn, carried, reference, target, GeneratorStage(truth=0.1))
    assert (alike[:, 0] == 0.1).all() and (alike[:, 1] == 1).all()
