"""The rollout's own promises: proposing commits nothing, and a full history is shown whole however it came."""

from __future__ import annotations

import pytest
import torch

from engine.model.memory import as_kept, quantise, restore, words
from engine.model.network import WorldModel
from engine.model.rollout import Rollout
from tests.model.test_parallel import model, play  # noqa: F401

BATCH, LENGTH = 2, 24


def observed(model: WorldModel, memory: str, propose_every: int = 0) -> Rollout:  # noqa: F811
    latents, actions, track = play(model, LENGTH, BATCH)
    track = track * 3  # far enough for positions to be measured anew on the way
    rollout = Rollout(model, BATCH, [1.0, 0.0], [0, 1], memory=memory)
    rollout.start(latents[:, :1], actions[:, :1], track[:, :1])
    for index in range(1, LENGTH):
        if propose_every and index % propose_every == 0:
            rollout.propose(actions[:, index])
        rollout.observe(latents[:, index], actions[:, index], track[:, index])
    for row, random in enumerate(rollout.randoms):
        random.manual_seed(row)
    return rollout


def test_a_step_is_a_proposal_observed(model: WorldModel) -> None:  # noqa: F811
    action = torch.zeros(BATCH, 8)
    one, other = observed(model, "blocks"), observed(model, "blocks")
    stepped = one.step(action)
    latent, pose = other.propose(action)
    assert other.num_frames == LENGTH
    other.observe(latent, action, pose)
    torch.testing.assert_close(latent, stepped, rtol=0, atol=0)
    torch.testing.assert_close(other.step(action), one.step(action), rtol=0, atol=0)


def test_a_full_history_is_shown_whole_however_it_came(model: WorldModel) -> None:  # noqa: F811
    action = torch.zeros(BATCH, 8)
    at_once, bit_by_bit = observed(model, "full"), observed(model, "full", propose_every=2)
    expected = at_once.propose(action)[0]
    torch.testing.assert_close(bit_by_bit.propose(action)[0], expected, rtol=0, atol=1e-4)
    held = LENGTH - model.settings.recent_frames
    assert at_once.cache.slots == held > model.settings.memory_entries
    layer = model.settings.memory_readers[0]
    keys = at_once.cache.at(layer).both[0][:, :, : held * model.settings.frame_tokens]
    assert (keys.abs().amax(dim=(1, 3)) > 0).all()
    assert not torch.allclose(observed(model, "none").propose(action)[0], expected, atol=1e-3)


@torch.no_grad()
def test_remembered_frames_are_decoded_when_they_are_looked_at(model: WorldModel) -> None:  # noqa: F811
    rollout = observed(model, "blocks")
    rollout.thrifty = False  # which looks at more of them
    rollout.propose(torch.zeros(BATCH, 8))
    rollout.show_again()
    slots = model.settings.memory_entries
    assert rollout.passes.undrawn[:, :slots].all()
    rollout.propose(torch.zeros(BATCH, 8))
    drawn = ~rollout.passes.undrawn[:, :slots]
    assert drawn.sum(1).tolist() == [model.settings.references] * BATCH
    rows, places = drawn.nonzero(as_tuple=True)
    expected = model.refer(rollout.passes.latents[rows, places])
    torch.testing.assert_close(rollout.shown.pictures[rows, places], expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_was_just_drawn_is_not_decoded_again_as_a_memory(
    model: WorldModel,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rollout = Rollout(model, 1, [1.0, 0.0], [0])
    rollout.start(torch.randn(1, 1, *model.settings.latent_shape), torch.zeros(1, 1, 8), torch.zeros(1, 1, 4))
    decoded = []
    monkeypatch.setattr(model, "refer", lambda latents: decoded.append(latents) or WorldModel.refer(model, latents))
    for _ in range(3 * model.settings.block_frames):
        latent, pose = rollout.propose(torch.zeros(1, 8))
        rollout.decode(latent)
        rollout.observe(latent, torch.zeros(1, 8), pose)
    shown, passes, slots = rollout.shown, rollout.passes, model.settings.memory_entries
    drawn = (~passes.undrawn[0, :slots] & shown.there[0, :slots]).nonzero().flatten().tolist()
    assert len(drawn) >= 2
    assert len(decoded) <= 1  # of the first block, which ends with a frame that was not drawn
    for slot in drawn:
        expected = WorldModel.refer(model, passes.latents[:, slot])
        torch.testing.assert_close(shown.pictures[:, slot], expected, rtol=0, atol=0)


@torch.no_grad()
def test_a_single_session_reads_what_is_seen_of_the_frames_it_shows(model: WorldModel) -> None:  # noqa: F811
    latents, actions, track = play(model, LENGTH, 1)
    rollout = Rollout(model, 1, [1.0, 0.0], [0])
    rollout.start(latents, actions, track)
    asked, _, _, reference = rollout._prepare(actions[:, -1])
    last = torch.tensor([[model.settings.memory_entries]])
    expected = model.generator.reproject(rollout.shown, last, asked.unsqueeze(1))[0]
    assert reference.shape == expected.shape and (expected[..., -1] > 0.1).any() and (expected[..., -1] == 0).any()
    torch.testing.assert_close(reference, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [24, 7])
def test_what_is_as_it_is_kept_comes_back_the_same(dtype: torch.dtype, count: int) -> None:
    size = torch.logspace(-3, 2, 500).unsqueeze(1)
    latents = torch.cat([size * torch.randn(500, count), torch.zeros(1, count), torch.eye(count)]).to(dtype)
    kept = as_kept(latents)
    packed, scale = quantise(kept)
    assert packed.shape[-1] == words(count) == {24: 8, 7: 3}[count] and packed.dtype == torch.int16
    assert torch.equal(restore(packed, scale, count, dtype), kept)
    largest = latents.float().abs().amax(-1, keepdim=True)
    rounded = largest / 2**8 if dtype == torch.bfloat16 else largest / 2**11
    assert ((kept - latents).float().abs() <= largest / 15 / 2 + rounded).all()
