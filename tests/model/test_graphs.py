"""A step in recorded parts is the same step: nothing is held that changes, nothing waits, and buffers serve again."""

from __future__ import annotations

import gc
from functools import cache
from typing import Any

import pytest
import torch

from engine.model import graphs, lending, passes, rollout, rope
from engine.model.graphs import FIRST_CALLS, Graphs
from engine.model.machine import kept
from engine.model.network import WorldModel
from engine.model.recall import Recall
from engine.model.rollout import Rollout
from engine.model.warping import Reprojector
from tests.conftest import TOY, random_model
from tests.model.tape import record

LENGTH = 40


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "capture_on", lambda device: record)
    monkeypatch.setattr(rope, "_by_matrices", lambda device: False)  # as on a GPU
    monkeypatch.setattr(rollout, "as_kept", lambda latent: latent)
    monkeypatch.setattr(Reprojector, "read_seen", lambda self, *given: self.read(self.carry_over(*given)))


def walk(model: WorldModel, batch: int, graphs: bool, levels: tuple[float, ...] = (1.0, 0.5, 0.0)) -> torch.Tensor:
    """Latents and poses of some true frames and LENGTH own ones, far enough for positions to be measured anew."""
    random = torch.Generator().manual_seed(1)
    rollout = Rollout(model, batch, levels, range(batch), graphs=graphs)
    latents = torch.randn(batch, 3, *TOY.latent_shape, generator=random)
    rollout.start(latents, torch.zeros(batch, 3, 3), torch.zeros(batch, 3, 4))
    made = []
    for index in range(LENGTH):
        action = torch.randn(batch, 3, generator=random) * torch.tensor([1.0, 1.0, 20.0])
        latent, pose = rollout.propose(action)
        if index % 2:
            rollout.decode(latent)  # as play does, which then need not be done again
        rollout.observe(latent, action, pose + 0.2 * torch.randn(batch, 4, generator=random))
        made.append(torch.cat([latent.flatten(1), rollout.decode(latent).flatten(1), rollout.pose], dim=1))
        if index in (30, 34):
            for bank in rollout.banks:
                bank.recall = Recall(on=index == 34)
    assert max(bank.num_entries for bank in rollout.banks) > TOY.memory_entries
    return torch.stack(made)


@cache
def plain_walk(batch: int) -> torch.Tensor:
    """To be called under `recorded`."""
    return walk(random_model(), batch, graphs=False)


@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_recorded_steps_equal_plain_ones(batch: int, recorded: None) -> None:
    model = random_model()
    plain = plain_walk(batch)
    assert plain.isfinite().all()
    once, again = walk(model, batch, graphs=True), walk(model, batch, graphs=True)
    torch.testing.assert_close(once, plain, rtol=0, atol=0 if batch == 1 else 1e-4)
    torch.testing.assert_close(again, once, rtol=0, atol=0 if batch == 1 else 1e-4)


@torch.no_grad()
def test_walls_stop_recorded_steps_as_they_do_plain_ones(recorded: None) -> None:
    model = random_model()
    model.body = 1.0, 2.0, 2.0, 0.5
    held = walk(model, 1, graphs=False)
    assert not torch.equal(held, plain_walk(1)), "something stands in the way"
    torch.testing.assert_close(walk(model, 1, graphs=True), held, rtol=0, atol=0)


@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_steps_that_measure_attention_draw_the_same_frames(
    batch: int, recorded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, weights, imagine = random_model(), [], passes.Passes.imagine
    plain = plain_walk(batch), walk(model, batch, graphs=True)

    def measuring(self: passes.Passes, *given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        self.weighs = bool(given[-2][0, 0] % 5)  # the number of the frame: now and then one is drawn without
        drawn = imagine(self, *given)
        weights.append(self.weights)
        return drawn

    monkeypatch.setattr(passes.Passes, "imagine", measuring)
    for expected, recording in zip(plain, (False, True), strict=True):
        torch.testing.assert_close(walk(model, batch, recording), expected, rtol=0, atol=0 if batch == 1 else 1e-4)
    for one, other in zip(weights[:LENGTH], weights[LENGTH:], strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.shape == (batch, TOY.memory_entries) and (one > 0).all() and (one.sum(dim=1) < 1).all()
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert 0 < weights.count(None) < LENGTH


@torch.no_grad()
def test_a_rollout_takes_over_what_another_recorded(recorded: None) -> None:
    model = random_model()
    with torch.inference_mode():  # what is made in it can be written to by others
        walk(model, 1, graphs=True)
    gc.collect()
    (left,) = model.idle[1]
    assert isinstance(left, passes.Passes)
    held = dict(left.graphs.graphs)
    names = {key[0] for key in held if isinstance(key, tuple)}
    every = {"_look", "_judge", "_choose", "_imagine", "_commit", "_show", "_decode"}
    assert names - {"_rewrite"} == every  # it may walk far
    one, other = Rollout(model, 1, [1.0, 0.0], [0], graphs=True), Rollout(model, 1, [1.0, 0.0], [0], graphs=True)
    assert one.passes is left and other.passes is not left and not model.idle[1]
    assert one.passes.graphs.graphs == held
    assert not any(tensor.any() for tensor in (*one.cache.buffers, one.recent_tokens, one.shown.there))
    del one, other
    gc.collect()
    assert torch.equal(walk(model, 1, graphs=True), plain_walk(1))


def test_nothing_is_recorded_on_a_cpu() -> None:
    assert graphs.capture_on(torch.device("cpu")) is None
    assert lending.lend(random_model(), 1, graphs=True).graphs.record is None


@torch.no_grad()
def test_a_pass_is_recorded_once_for_each_shape_and_fixed_value() -> None:
    seen: list[tuple[int, int]] = []

    def scaled(times: int, x: torch.Tensor) -> tuple[torch.Tensor]:
        seen.append((times, len(x)))
        return (times * x,)

    calls = Graphs(record)
    for size in (2, 3):
        for times in (1, 10):
            for value in range(FIRST_CALLS + 4):
                (found,) = calls.call(scaled, (times,), torch.full((size,), float(value)))
                assert found.tolist() == [times * value] * size
    assert len(seen) == 4 * (FIRST_CALLS + 2)
    assert len(calls.graphs) == 4


@torch.no_grad()
def test_what_waits_for_the_device_is_found_out() -> None:
    for wrong in (lambda x: (x[x > 0],), lambda x: (x * x.max().item(),), lambda x: (x * x.new_tensor([2.0]),)):
        with pytest.raises(AssertionError, match="cannot be recorded"):
            record(wrong, (torch.ones(3),))


def test_kept_constants_are_made_once_and_serve_with_gradients() -> None:
    made: list[int] = []

    @kept
    def numbers(count: int, device: torch.device) -> torch.Tensor:
        made.append(count)
        return torch.arange(count, device=device).float()

    here, weight = torch.device("cpu"), torch.ones(3, requires_grad=True)
    with torch.inference_mode():
        first = numbers(3, here)
        assert numbers(3, here) is first and numbers(2, here) is not first and made == [3, 2]
    (first * weight).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [0, 1, 2]
    assert numbers(3, here) is not first and torch.equal(numbers(3, here), first), "anew where gradients are on"
