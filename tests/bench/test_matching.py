"""What pictures of a synthetic panorama say of turns and shifts that are known."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.bench import matching
from engine.bench.matching import BANDS, GRID, REACH, SHIFT_COSTS, Lens, look, shift_costs, turn_costs, turned
from tests.bench.scenes import panorama, seen

LENS = Lens.of(fov=100.0, pixel_aspect=1.2, height=60, width=110, limit=20.0)


def grey(headings: list[float]) -> torch.Tensor:
    return look(torch.from_numpy(seen(panorama(3), headings, LENS, 60, 110))).grey


def test_a_picture_turned_along_is_the_next_one():
    for yaw in (6.5, -6.5):
        old, new = grey([0.0, yaw])[:, None]
        inside = (..., slice(None), slice(20, 140))
        along = (turned(old, torch.tensor([yaw]), LENS) - new)[inside].abs().mean()
        against = (turned(old, torch.tensor([-yaw]), LENS) - new)[inside].abs().mean()
        still = (old - new)[inside].abs().mean()
        assert along < 0.15 * still < 0.15 * 2 * against
    torch.testing.assert_close(turned(old, torch.zeros(1), LENS), old, rtol=0, atol=1e-4)


def test_the_cheapest_turn_is_the_true_one():
    yaws = [-18.0, -4.5, 0.0, 3.0, 12.5]
    headings = [0.0]
    for yaw in yaws:
        headings.append(headings[-1] + yaw)
    costs, share = turn_costs(grey(headings), LENS)
    assert costs.shape == (5, BANDS[0] * BANDS[1], len(LENS.turns)) and share.shape == costs.shape[1:]
    best = LENS.turns[(costs * share).sum(dim=1).argmin(dim=1)]
    assert best.tolist() == pytest.approx(yaws, abs=0.5)
    torch.testing.assert_close(share[:, len(LENS.turns) // 2], torch.ones(len(share)))
    assert share[0, 0] == 0 and share[0, -1] > 0.99  # who turned left had not seen the left


def test_turns_cost_the_same_whatever_the_contrast():
    pictures = grey([0.0, 5.0])
    plain, faint = (turn_costs(part, LENS)[0] for part in (pictures, pictures * 0.5 + 0.3))
    centre = (plain.argmin(dim=2) - faint.argmin(dim=2)).abs()
    assert centre.eq(0).float().mean() > 0.9
    assert (plain - faint).abs().mean() < 0.3 * plain.abs().mean()


@pytest.mark.parametrize(("scale", "index"), [(1, 0), (2, 1)])
def test_patches_are_found_where_they_were(scale, index):
    torch.manual_seed(0)
    old = F.interpolate(torch.rand(2, 1, 24, 40), matching.FINE, mode="bicubic")
    down, right = 2, 3
    new = old.roll((-down * scale, -right * scale), dims=(2, 3))  # so that it was further down and right
    costs = shift_costs(old, new)
    assert costs.shape == (2, SHIFT_COSTS, *GRID)
    sizes = [(2 * tall + 1) * (2 * wide + 1) for tall, wide in REACH]
    begin = sum(sizes[:index]) + index
    tall, wide = REACH[index]
    best = costs[:, begin : begin + sizes[index], 1:-1, 1:-1].argmin(dim=1)
    assert best.eq((down + tall) * (2 * wide + 1) + right + wide).all()


def test_a_lens_without_a_turn_tries_none():
    lens = Lens.of(90.0, 1.0, 48, 64, 0.0)
    assert lens.turns.tolist() == [0.0]
    assert (lens.half, lens.tall) == pytest.approx((1.0, 0.75))
    assert math.isclose(Lens.of(90.0, 1.2, 48, 64, 0.0).tall, 0.75 / 1.2)
