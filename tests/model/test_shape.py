"""What stands still keeps its shape from frame to frame, whatever frames drawn of it look like."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.model import network
from engine.model.reprojection import Found, find_cells
from engine.model.rollout import Rollout
from engine.model.settings import CodecSettings, ModelSettings
from engine.model.shape import APART, foretell, keep_shape
from tests.model.test_parallel import play, small_model

SETTINGS = ModelSettings(height=64, width=96, codec=CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1]), patch=2, dim=64)
GRID = SETTINGS.latent_shape[:2]


def find(near: torch.Tensor, there: list[list[float]], now: list[float]) -> Found:
    """Where views of nearness [K, rows, columns] from poses [K, SIZE] show the cells of a frame seen from `now`."""
    filled = torch.ones(1, len(there), dtype=torch.bool)
    return find_cells(SETTINGS, near[None], torch.tensor([there]), filled, torch.tensor([now]))


def test_a_wall_comes_nearer_as_one_walks_whatever_is_guessed() -> None:
    near = torch.full((1, *GRID), 1 / 4)
    for step in range(3):
        foretold = foretell(find(near, [[float(step), 0.0, 0.0, 0.0]], [step + 1.0, 0.0, 0.0, 0.0]), GRID)
        assert (foretold > 0).float().mean() > 0.9
        near = keep_shape(foretold, torch.full((1, *GRID), 1 / 9))
    middle = near[0, 2:-2, 2:-2]
    torch.testing.assert_close(middle, torch.ones_like(middle), rtol=0, atol=0.02)


def test_the_middle_one_of_the_views_that_know_a_cell_counts() -> None:
    still = [0.0, 0.0, 0.0, 0.0]
    near = torch.stack([torch.full(GRID, value) for value in (0.5, 2.0, 0.6)])
    torch.testing.assert_close(foretell(find(near, [still] * 3, still), GRID), torch.full((1, *GRID), 0.6))
    away = [0.0, 0.0, math.pi, 0.0]
    found = foretell(find(near, [away, still, away], still), GRID)
    torch.testing.assert_close(found, torch.full((1, *GRID), 2.0))
    assert not foretell(find(near, [away] * 3, still), GRID).any()


def test_what_is_near_does_not_grow_from_frame_to_frame() -> None:
    near = torch.full((1, *GRID), 0.1)
    near[:, :, 4:8] = 1.0
    first, before = near.clone(), [0.0, 0.0, 0.0, 0.0]
    for step in range(1, 13):
        now = [0.0, 0.04 * math.sin(step), 0.0, 0.0]
        foretold = foretell(find(near, [before], now), GRID)
        near, before = keep_shape(foretold, torch.full_like(near, 0.1)), now
    assert (near > 0.3).sum() <= (first > 0.3).sum()
    assert (near[:, 2:-2, 5:7] > 0.3).all()


def test_single_cells_far_off_and_what_nobody_knows_are_guessed() -> None:
    foretold = torch.full((1, *GRID), 0.5)
    foretold[0, 3, 4] = 4.0
    foretold[0, :, -1] = 0
    guess = torch.full((1, *GRID), 0.7)
    kept = keep_shape(foretold, guess)
    assert kept[0, 3, 4] == 0.7 and (kept[0, :, -1] == 0.7).all()
    kept[0, 3, 4], kept[0, :, -1] = 0.5, 0.5
    assert (kept == 0.5).all()


@pytest.mark.parametrize("own", [False, True])
@torch.no_grad()
def test_only_frames_that_were_drawn_keep_what_was_foretold(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    assert model.settings.trusts_memory
    monkeypatch.setattr(network, "foretell", lambda found, grid: torch.full((1, *grid), 3.25))
    rollout = Rollout(model, 1, [1.0, 0.0], [0])
    latents, actions, where = play(model, 4, 1)
    rollout.start(latents, actions, where)
    latent, pose = rollout.propose(actions[:, 0])
    rollout.observe(latent if own else latent.clone(), actions[:, 0], pose)
    assert bool((rollout.shown.nearness[:, -1] == 3.25).all()) is own


def test_a_compiler_counts_what_else_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    near = torch.randn(3, 5, *GRID, generator=random).mul(0.3).exp().mul(16).round().div(16)  # some are alike
    seen, mistaken = torch.rand(2, 3, 5, GRID[0] * GRID[1], generator=random)
    geometry = mistaken.unsqueeze(-1).expand(-1, -1, -1, 6)
    found = Found(torch.tensor(0), geometry, seen < 0.6, near.flatten(2), None)  # type: ignore[arg-type]
    foretold = foretell(found, GRID)
    assert 0.1 < (foretold > 0).float().mean() < 0.9
    kept = keep_shape(foretold, near[:, 0])
    assert not torch.equal(kept, foretold) and not torch.equal(kept, near[:, 0])
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(foretell(found, GRID), foretold)


def test_what_is_counted_is_what_the_middle_one_around_says() -> None:
    random = torch.Generator().manual_seed(1)
    foretold, guess = torch.randn(2, 3, *GRID, generator=random).mul(0.4).exp()
    foretold[:, ::3, ::2] = 0
    kept = keep_shape(foretold, guess)
    both = torch.where(foretold > 0, foretold, guess)
    wide = F.pad(both.unsqueeze(1), (2, 2, 2, 2), mode="replicate")
    middle = F.unfold(wide, 5).median(dim=1).values.view_as(both)
    far = (both / middle).log().abs() >= APART
    assert 0.1 < far.float().mean() < 0.9
    assert torch.equal(kept, torch.where(far, guess, both))
