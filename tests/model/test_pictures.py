"""What was decoded once is not decoded again, and is what decoding it again would be, to the bit."""

from __future__ import annotations

import math

import pytest
import torch

from engine.model.network import WorldModel
from engine.model.pictures import MOST, Pictures
from engine.model.rollout import Rollout
from tests.model.test_parallel import model  # noqa: F401

FRAMES = 48  # of a turn; sixteen entries, more than three times the memory slots


def test_as_many_pictures_are_kept_as_were_asked_for() -> None:
    latents, decoded = torch.arange(24.0).view(4, 1, 1, 2, 3), []

    def decode(latent: torch.Tensor) -> torch.Tensor:
        decoded.append(int(latent.flatten()[0]) // 6)
        return 2 * latent

    pictures = Pictures(most=2)
    for index in (0, 1, 0, 2, 0, 1):  # 1 is dropped for 2, as 0 was looked at since
        torch.testing.assert_close(pictures.find(latents[index], decode), 2 * latents[index], rtol=0, atol=0)
    assert decoded == [0, 1, 2, 1] and len(pictures.kept) == 2
    for index in (3, 0, 3):  # what is put there again counts as looked at
        pictures.put(latents[index], latents[index])
    pictures.put(latents[2], latents[2])
    assert torch.equal(pictures.find(latents[3], decode), latents[3]) and len(decoded) == 4
    pictures.clear()
    assert torch.equal(pictures.find(latents[3], decode), 2 * latents[3])
    assert Pictures().most == MOST


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_kept_is_a_copy(dtype: torch.dtype) -> None:
    pictures, latent, picture = Pictures(), torch.randn(1, 2, 3, 4).to(dtype), torch.rand(1, 3, 16, 24).to(dtype)
    wanted = picture.clone()
    pictures.put(latent, picture)
    picture.zero_()
    found = pictures.find(latent, torch.zeros_like)
    assert found.dtype == dtype and torch.equal(found, wanted)


def turned(model: WorldModel) -> Rollout:  # noqa: F811
    """A session that drew, and showed, frames all around."""
    rollout = Rollout(model, 1, [1.0, 0.0], [0])
    rollout.thrifty = False  # which looks at more of them, and empties slots
    rollout.start(torch.randn(1, 1, *model.settings.latent_shape), torch.zeros(1, 1, 8), torch.zeros(1, 1, 4))
    for index in range(1, FRAMES):
        latent, _ = rollout.propose(torch.zeros(1, 8))
        rollout.decode(latent)
        rollout.observe(latent, torch.zeros(1, 8), torch.tensor([[0.0, 0.0, index * math.tau / 24, 0.0]]))
    return rollout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_entries_that_come_back_are_not_decoded_again(
    model: WorldModel,  # noqa: F811
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model.to(dtype)
    decoded = []
    monkeypatch.setattr(model, "refer", lambda latents: decoded.append(latents) or WorldModel.refer(model, latents))
    rollout = turned(model)
    assert len(decoded) <= 2  # of the frame that was given, and of the block that it ended up in
    slots, count = model.settings.memory_entries, len(decoded)
    rollout.show_again()
    assert rollout.passes.undrawn[0, :slots].all()
    rollout.propose(torch.zeros(1, 8))
    drawn = (~rollout.passes.undrawn[0, :slots]).nonzero().flatten().tolist()
    assert len(drawn) == model.settings.references and len(decoded) == count
    for slot in drawn:
        expected = WorldModel.refer(model, rollout.passes.latents[:, slot])
        assert torch.equal(rollout.shown.pictures[:, slot].to(dtype), expected)


@torch.no_grad()
def test_an_entry_that_is_another_one_now_is_shown_as_it_is_now(model: WorldModel) -> None:  # noqa: F811
    """Under the same number, in the same slot, as after going back and on another way."""
    rollout, other = turned(model), turned(model)
    bank = rollout.banks[0]
    bank.rows[: bank.num_entries] = other.banks[0].rows[: bank.num_entries].flip(0)
    rollout.show_again()
    rollout.propose(torch.zeros(1, 8))
    passes = rollout.passes
    drawn = (~passes.undrawn[0, :-1]).nonzero().flatten().tolist()
    assert len(drawn) == model.settings.references
    for slot in drawn:
        torch.testing.assert_close(
            rollout.shown.pictures[:, slot], model.refer(passes.latents[:, slot]), rtol=0, atol=0
        )


def test_sessions_that_step_together_keep_no_pictures(model: WorldModel) -> None:  # noqa: F811
    assert Rollout(model, 2, [1.0, 0.0], [0, 1]).passes.pictures is None
    assert Rollout(model, 1, [1.0, 0.0], [0]).passes.pictures is not None
