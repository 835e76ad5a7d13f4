"""Memory keeps what is new: a view that it knows is taken back, and one where something has changed is not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.model.memory_bank import MemoryBank
from engine.model.novelty import LEVEL, TOGETHER, average, find_cover, looks_known
from engine.model.rollout import Rollout
from engine.model.settings import CodecSettings, ModelSettings
from tests.model.test_parallel import model  # noqa: F401

SETTINGS = ModelSettings(patch=4, codec=CodecSettings(24, [128, 256], [1, 1], [160, 64], [1, 1]))
ROWS, COLUMNS = SETTINGS.latent_shape[:2]


def covered(*entries: tuple[float, ...], now: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> bool:
    poses = torch.tensor([entries])
    return bool(find_cover(SETTINGS, poses, torch.ones(1, len(entries), dtype=torch.bool), torch.tensor([now]))[2])


def test_a_view_is_known_from_its_own_place_and_from_beside_it() -> None:
    assert covered((0.0, 0.0, 0.0, 0.0))
    assert covered((0.01, 0.01, 0.02, 0.0))
    assert covered((9.0, 9.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "entry",
    [(0.5, 0.0, 0.0, 0.0), (0.0, 0.5, 0.0, 0.0), (0.0, 0.0, 0.4, 0.0), (0.0, 0.0, math.pi, 0.0), (0, 0, 0, 2 * LEVEL)],
)
def test_a_view_from_elsewhere_is_new(entry: tuple[float, ...]) -> None:
    assert not covered(entry)


def test_two_views_may_know_together_what_neither_does() -> None:
    left, right = (0.0, 0.0, -0.3, 0.0), (0.0, 0.0, 0.3, 0.0)
    assert not covered(left) and not covered(right) and covered(left, right)
    assert not covered(left, left)


def test_what_is_no_entry_covers_nothing() -> None:
    here = torch.zeros(1, 2, 4)
    index, there, known = find_cover(SETTINGS, here, torch.tensor([[False, True]]), here[:, 0])
    assert known and index.shape == (1, TOGETHER) and index[0, 0] == 1 and there[0, 0]
    assert not find_cover(SETTINGS, here, torch.zeros(1, 2, dtype=torch.bool), here[:, 0])[2]


def looks(now: Tensor, *old: Tensor, moved: float = 0.0) -> bool:
    near, there = torch.full((1, len(old), ROWS, COLUMNS), 0.5), torch.ones(1, len(old), dtype=torch.bool)
    here, seen_from = torch.zeros(1, 4), torch.tensor([[[0.0, moved, 0.0, 0.0]] * len(old)])
    colours = average(SETTINGS, torch.cat([now, *old]))
    return bool(looks_known(SETTINGS, colours[:1], here, colours[None, 1:], near, seen_from, there))


def test_the_same_picture_is_known_and_one_that_changed_is_new() -> None:
    torch.manual_seed(0)
    old = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 20) * 2 - 1, (SETTINGS.height, SETTINGS.width))
    assert looks(old, old)
    assert looks(old + 0.05, old), "as much as what is drawn anew is off"
    changed = old.clone()
    changed[:, :, 64:96, 64:96] = 2.0
    assert not looks(changed, old)
    assert looks(changed, changed) and not looks(changed, changed, old), "one of them shows it as it was"
    speck = old.clone()
    speck[:, :, 64:80, 64:72] = 2.0
    assert looks(speck, old)


def test_what_entries_do_not_show_is_new() -> None:
    plain = torch.zeros(1, 3, SETTINGS.height, SETTINGS.width)
    assert looks(plain, plain, moved=0.1)
    assert not looks(plain, plain, moved=2.0), "half of it was beyond the edge"


@torch.no_grad()
def test_who_stands_still_remembers_once(model) -> None:  # noqa: F811
    """And a session of two keeps of each what is new to it."""
    block = model.settings.block_frames
    rollout = Rollout(model, 2, [1.0, 0.0], [0, 1])
    latent = torch.randn(2, *model.settings.latent_shape)
    rollout.start(latent[:, None], torch.zeros(2, 1, 8), torch.zeros(2, 1, 4))
    pose = torch.zeros(2, 4)
    for _ in range(8 * block):
        rollout.propose(torch.zeros(2, 8))
        pose[1, 0] += 0.4  # the second one walks on
        rollout.observe(latent, torch.zeros(2, 8), pose.clone())
    rollout.propose(torch.zeros(2, 8))
    assert rollout.banks.counts().tolist() == [2, 8], "the newest stays until another one comes"
    assert rollout.banks.leaving().tolist() == [1, -1]
    assert (rollout.slots < rollout.banks.counts()[:, None]).all()


@torch.no_grad()
def test_a_thrifty_rollout_is_one_of_blocks_where_memory_is_trusted(model) -> None:  # noqa: F811
    assert Rollout(model, 1, [1.0, 0.0], [0]).thrifty
    assert not Rollout(model, 1, [1.0, 0.0], [0], memory="every").thrifty


@torch.no_grad()
def test_what_goes_is_shown_no_more(model) -> None:  # noqa: F811
    block = model.settings.block_frames
    rollout = Rollout(model, 1, [1.0, 0.0], [0])
    latent, still = torch.randn(1, *model.settings.latent_shape), torch.zeros(1, 4)
    rollout.start(latent[:, None], torch.zeros(1, 1, 8), still[:, None])
    for _ in range(3 * block):
        rollout.propose(torch.zeros(1, 8))
        rollout.observe(latent, torch.zeros(1, 8), still)
        (bank,), shown = rollout.banks, rollout.slots[0]
        assert set(shown[shown >= 0].tolist()) <= set(range(bank.num_entries))
        empty = torch.from_numpy(shown < 0)
        assert not rollout.shown.there[0, :-1][empty].any()
        keys = rollout.cache.buffers[1].unflatten(4, (-1, rollout.cache.tokens))[:, :, :, :, : len(shown)]
        assert not keys[:, :, :, :, empty].any()
    assert bank.num_entries == 2


def test_a_bank_takes_back_its_newest_entry() -> None:
    settings = ModelSettings(height=64, width=96, dim=64, memory_dim=32)
    bank = MemoryBank(settings, torch.device("cpu"))
    width = bank.rows.shape[1]
    for number in range(3):
        bank.put(torch.full((width,), number, dtype=torch.uint8))
    held = bank.share()
    bank.fleeting = True
    assert sum(len(views) for spots in bank.cells().values() for views in spots.values()) <= 2
    bank.put(torch.full((width,), 9, dtype=torch.uint8))
    assert bank.num_entries == 3 and bank.rows[2, 0] == 9 and held.rows[2, 0] == 2 and not bank.fleeting
    bank.fleeting, bank.recall = True, bank.recall.pin(2)
    bank.put(torch.full((width,), 8, dtype=torch.uint8))
    assert bank.num_entries == 4, "what a player pinned stays"
