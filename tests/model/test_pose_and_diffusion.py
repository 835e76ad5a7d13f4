"""Pure functions: poses and motions undo each other, noise levels begin and end where they should."""

from __future__ import annotations

import math

import pytest
import torch

from engine.model import diffusion, pose
from engine.model.generator import Momentum
from engine.model.settings import ModelSettings


def poses(count: int, seed: int) -> torch.Tensor:
    scale = torch.tensor([2.0, 2.0, 1.5, 0.5])
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) * scale


def test_advance_undoes_motion_between() -> None:
    start, end = poses(20, 0), poses(20, 1)
    reached = pose.advance(start, pose.motion_between(start, end))
    torch.testing.assert_close(reached[:, [0, 1, 3]], end[:, [0, 1, 3]], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pose.wrap(reached[:, 2] - end[:, 2]), torch.zeros(20), rtol=0, atol=1e-5)


def test_game_poses_there_and_back() -> None:
    game = torch.tensor([[640.0, -320.0, 41.0, 270.0]])
    there = pose.from_game(game, 256.0)
    torch.testing.assert_close(there, torch.tensor([[2.5, 1.25, -1.5 * math.pi, 41 / 256]]))
    assert pose.to_game(there[0], 256.0) == pytest.approx((640.0, -320.0, 41.0, 270.0), abs=1e-3)
    assert torch.equal(pose.from_game(torch.full((1, 4), math.nan), 1.0), torch.zeros(1, 4))


def test_forward_is_where_the_camera_looks() -> None:
    start = pose.from_game(torch.tensor([[0.0, 0.0, 0.0, 90.0]]), 1.0)  # facing the game's +y
    end = pose.from_game(torch.tensor([[1.0, 2.0, 0.0, 90.0]]), 1.0)
    motion = pose.motion_between(start, end) / torch.tensor(pose.MOTION_SCALE)
    torch.testing.assert_close(motion, torch.tensor([[2.0, 1.0, 0.0, 0.0]]), rtol=0, atol=1e-5)
    right = pose.turn(start, torch.tensor([30.0]))
    assert pose.to_game(right[0], 1.0)[3] == pytest.approx(60.0, abs=1e-3)


@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
@pytest.mark.parametrize("first", [1.0, 0.96])
def test_schedule_falls_from_its_first_level_to_zero(shift: float, first: float) -> None:
    levels = diffusion.schedule(4, shift, first)
    assert levels[0] == pytest.approx(first, abs=1e-9) and levels[-1] == 0 and len(levels) == 5
    assert all(high > low for high, low in zip(levels, levels[1:], strict=False))
    assert levels[0] == diffusion.schedule(1, shift, first)[0]  # however many steps there are
    assert diffusion.schedule(4, shift, 1.0)[0] == 1


def test_euler_steps_along_the_noise_path() -> None:
    clean, noise = torch.randn(2, 1, 4, 6, 3), torch.randn(2, 1, 4, 6, 3)
    at = [diffusion.add_noise(clean, noise, torch.full((2, 1), level)) for level in (0.8, 0.3)]
    torch.testing.assert_close(diffusion.euler_step(at[0], clean, 0.8, 0.3), at[1], rtol=1e-4, atol=1e-5)


def test_levels_are_pure_as_often_as_asked() -> None:
    random = torch.Generator().manual_seed(0)
    levels = diffusion.draw_levels((4000,), random, 0.25, torch.device("cpu"))
    assert 0.22 < float((levels == 1).float().mean()) < 0.28
    assert float(levels.min()) > 0 and float(levels.max()) <= 1


def test_a_third_of_the_levels_and_most_steps_are_where_places_are_made() -> None:
    random = torch.Generator().manual_seed(0)
    levels = diffusion.draw_levels((4000,), random, 0.0, torch.device("cpu"))
    assert 0.3 < float((levels > 0.9).float().mean()) < 0.4
    assert float((levels < 0.5).float().mean()) > 0.15  # and details are learnt too
    assert sum(level > 0.7 for level in diffusion.schedule(8, first=1.0)) == 7
    assert sum(level > 0.7 for level in diffusion.schedule(8)) == 6


@pytest.mark.parametrize("foresees", [True, False])
def test_a_rise_goes_on_where_height_is_foreseen(foresees: bool) -> None:
    settings = ModelSettings(action_size=8, foresees_height=foresees)
    momentum = Momentum(settings)
    with torch.no_grad():
        momentum.straight.weight[:, : 3 if foresees else 2] = torch.eye(3 if foresees else 2)
    motion, action = torch.tensor([[0.3, 0.1, 0.7, 0.5]]), torch.zeros(1, 8)
    expected = torch.tensor([[0.3, 0.1, 0.0, 0.5 if foresees else 0.0]])  # the mouse alone turns
    torch.testing.assert_close(momentum(motion, action, action, torch.zeros(1)), expected)


def test_what_pushed_the_camera_counts_for_how_it_moves_on_and_is_turned_with_it() -> None:
    momentum = Momentum(ModelSettings(action_size=8))
    with torch.no_grad():
        momentum.straight.weight[:, :2] = torch.eye(2)
        list(momentum.pushed.parameters())[-1][0] = 0.2  # ahead
    motion, action = torch.tensor([[0.3, 0.0, 0.0, 0.0]]), torch.zeros(1, 8)
    expected = torch.tensor([[0.0, -0.5, 0.0, 0.0]])  # once the camera has turned to the right, ahead is left
    torch.testing.assert_close(momentum(motion, action, action, torch.full((1,), 90.0)), expected)


def test_what_is_foreseen_of_motion_is_not_rounded_with_the_rest_of_a_network() -> None:
    momentum = Momentum(ModelSettings(action_size=8))
    before = momentum.straight.weight.clone()
    assert torch.equal(momentum.to(torch.bfloat16).straight.weight, before)


def test_only_what_stands_out_of_its_noise_counts_as_motion() -> None:
    noise, much = pose.NOISE, 20 * pose.NOISE
    found = pose.settle(torch.tensor([[noise / 10, 0.0, noise / 10, much], [much, noise / 10, 0.0, noise / 10]]))
    assert found[0, :3].abs().max() < noise / 500 and found[1, 3].abs() < noise / 500
    torch.testing.assert_close(found[0, 3], torch.tensor(much), rtol=0.01, atol=0)
    torch.testing.assert_close(found[1, :2], torch.tensor([much, noise / 10]), rtol=0.01, atol=0)  # one way, one motion
