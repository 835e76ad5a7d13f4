"""One step of a student's ends where several of a teacher's do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.model.diffusion import euler_step, schedule
from engine.train.leap import leap

STEPS, PARTS = 4, 3


def draw(noisy: Tensor, level: Tensor) -> Tensor:
    """A teacher whose steps are no straight line."""
    return torch.tanh(2 * noisy + level[..., None, None, None])


@pytest.mark.parametrize("index", range(STEPS))
def test_a_leap_ends_where_the_sampler_ends(index: int) -> None:
    levels = schedule(STEPS * PARTS)[index * PARTS : (index + 1) * PARTS + 1]
    noisy = torch.randn(2, 3, 4, 6, 8, generator=torch.Generator().manual_seed(index))
    goal = leap(draw, noisy, torch.tensor(levels).expand(2, 3, -1))
    now = noisy
    for level, lower in zip(levels[:-1], levels[1:], strict=True):
        now = euler_step(now, draw(now, torch.full((2, 3), level)), level, lower)
    torch.testing.assert_close(euler_step(noisy, goal, levels[0], levels[-1]), now, rtol=1e-4, atol=1e-4)
    if index == STEPS - 1:
        torch.testing.assert_close(goal, now, rtol=0, atol=1e-6)
    alone = draw(noisy, torch.full((2, 3), levels[0]))
    assert float((goal - alone).abs().mean()) > 1e-3, "one step alone ends elsewhere"


def test_each_frame_has_levels_of_its_own() -> None:
    whole = torch.tensor(schedule(STEPS * PARTS))
    levels = torch.stack([whole[PARTS * i : PARTS * (i + 1) + 1] for i in range(STEPS)])[None]
    noisy = torch.randn(1, STEPS, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    together = leap(draw, noisy, levels)
    for i in range(STEPS):
        alone = leap(draw, noisy[:, i : i + 1], levels[:, i : i + 1])
        torch.testing.assert_close(together[:, i : i + 1], alone)
