"""The bank keeps entries almost exactly, looks at a bounded few, and finds the places it has seen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.model.banks import Banks, read_told
from engine.model.entry import layout, pack, row_size, unpack
from engine.model.memory import quantise, restore
from engine.model.memory_bank import (
    BUFFERS,
    CANDIDATES,
    GROWTH,
    NEWEST,
    MemoryBank,
    choose,
    coverage,
    probe_points,
)
from engine.model.recall import Recall
from engine.model.settings import CodecSettings, ModelSettings

SETTINGS = ModelSettings(height=64, width=96, codec=CodecSettings(), dim=64, registers=2, memory_dim=32)


def bank_of(poses: torch.Tensor) -> MemoryBank:
    bank = MemoryBank(SETTINGS, torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    for pose in poses:
        entry = torch.randn(SETTINGS.frame_tokens, SETTINGS.memory_dim, generator=random)
        bank.append(entry, pose, torch.zeros(SETTINGS.latent_shape), torch.ones(SETTINGS.latent_shape[:2]))
    return bank


def select(held: list[MemoryBank], views: torch.Tensor, slots: int) -> np.ndarray:
    """Entries [B, slots] that sessions with these banks are shown by cameras [B, K, SIZE]."""
    banks = Banks(SETTINGS, torch.device("cpu"), len(held))
    for row, bank in enumerate(held):
        banks[row] = bank
    asked = banks.candidates(lambda: views[:, -1].tolist(), slots)
    assert asked is not None
    valid, newest = read_told(asked.told)
    index, filled = choose(asked.seen_from, valid, views, int(asked.free.max()), SETTINGS.fov, newest)
    return banks.wanted(asked, torch.where(filled, index, -1).numpy(), slots)


def test_entries_come_back_almost_exactly() -> None:
    bank = MemoryBank(SETTINGS, torch.device("cpu"))
    entries = torch.randn(300, SETTINGS.frame_tokens, SETTINGS.memory_dim)
    latents = torch.randn(300, *SETTINGS.latent_shape)
    for entry, latent in zip(entries, latents, strict=True):
        bank.append(entry, torch.zeros(4), latent, torch.full(SETTINGS.latent_shape[:2], 0.5))
    rows, columns, channels = SETTINGS.latent_shape
    read = restore(bank.tokens[:300], bank.scales[:300], SETTINGS.memory_dim, torch.float32)
    shown = restore(bank.latents[7], bank.latent_scales[7], channels, torch.float32)
    assert bank.num_entries == 300
    for found, true in ((read, entries), (shown, latents[7])):  # half a step of fifteen to the largest of a token
        assert ((found - true).abs() <= true.abs().amax(-1, keepdim=True) / 15 / 2 * (1 + 1e-2)).all()
    tokens, cells = SETTINGS.frame_tokens, rows * columns
    in_words = tokens * -(-SETTINGS.memory_dim // 3) + cells * -(-channels // 3)
    assert bank.num_bytes == 300 * (2 * in_words + 2 * tokens + 16 + (2 + 2) * cells)


def test_the_view_that_saw_the_place_is_chosen_first() -> None:
    headings = torch.arange(8) * math.pi / 4
    poses = torch.stack([torch.zeros(8), torch.zeros(8), headings], dim=-1)
    now = torch.tensor([[[0.1, 0.0, math.pi / 2 + 0.05]]])
    picked, filled = choose(poses.unsqueeze(0), torch.ones(1, 8, dtype=torch.bool), now, 3, 90.0)
    assert picked[0, 0] == 2
    assert {int(i) for i in picked[0]} == {1, 2, 3}
    assert filled.all()


def test_choice_is_bounded_and_finds_an_old_place() -> None:
    count = 3000
    away = torch.stack([torch.linspace(3, 400, count), *torch.zeros(3, count)], dim=-1)
    bank = bank_of(torch.cat([torch.zeros(1, 4), torch.tensor([[-4.0, -4.0, 2.0, 0.0]]), away]))
    assert len(bank.candidates(away[-1].tolist())) <= CANDIDATES + NEWEST
    back = select([bank], torch.tensor([[[-4.0, -4.0, 2.0, 0.0]]]), 6)[0]
    assert back[0] == 0 and 1 in back.tolist()


def test_candidates_are_looked_up_anew_where_entries_or_the_camera_are_others() -> None:
    place = torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    bank = bank_of(torch.cat([place, place + 40, *[place + 80] * NEWEST]))
    there, away = place[0].tolist(), (place[0] + 40).tolist()
    newest = list(range(2, 2 + NEWEST))
    assert bank.candidates(there).tolist() == [0, *newest] and bank.candidates(there) is bank.candidates(there)
    assert bank.candidates(away).tolist() == [1, *newest] and bank.candidates(there).tolist() == [0, *newest]
    one = bank_of(place)
    bank.put(one.rows[0])
    last = bank.num_entries - 1
    assert bank.candidates(there).tolist() == [0, *range(3, last + 1)]
    bank.keep(last)  # and another one in its place
    bank.put(bank_of(place + 40).rows[0])
    assert bank.candidates(away).tolist() == [1, *range(3, last + 1)] and listed(bank) >= {0, 1, last}


def test_where_entries_were_seen_from_is_not_read_off_the_device_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a camera that stands still, for which nothing is looked up between one entry and the next."""
    place = torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    bank, there = bank_of(place.expand(2 * NEWEST, -1)), place[0].tolist()
    bank.candidates(there)
    row, read = bank.rows[0].clone(), []
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: read.append(self))
    for _ in range(4):
        bank.put(row)
        for fresh in (True, False, False):
            assert bank.candidates(there, fresh)[-1] == bank.num_entries - 1
    assert not read and bank.num_indexed == bank.num_entries - 1


def listed(bank: MemoryBank) -> set[int]:
    """All entries that the index knows."""
    return {view[3] for spots in bank.cells().values() for views in spots.values() for view in views}


def test_what_was_seen_from_near_is_looked_at_however_much_came_after() -> None:
    """A visit to one side of a room, then hours on the other, and a return."""
    random = torch.Generator().manual_seed(5)
    visit = torch.tensor([[0.3, 0.3, 0.1, 0.0]]) + 0.05 * torch.randn(20, 4, generator=random)
    later = torch.cat([1.0 + torch.rand(5000, 2, generator=random), 6 * torch.rand(5000, 2, generator=random)], dim=1)
    bank = bank_of(torch.cat([visit, later]))
    found = bank.candidates([0.35, 0.3, 0.1, 0.0]).tolist()
    assert len(found) <= CANDIDATES + NEWEST and len({*found} & {*range(20)}) >= 2
    assert len(listed(bank)) < 3000, "what was seen twice from one spot is kept in the bank, not in the index"
    assert {*range(bank.num_entries - NEWEST, bank.num_entries)} <= {*found}
    copy = bank.share()
    assert copy.candidates([0.35, 0.3, 0.1, 0.0]).tolist() == found


def test_banks_choose_together_as_each_does_alone() -> None:
    random = torch.Generator().manual_seed(2)
    views = torch.randn(4, 2, 4, generator=random)
    held = [bank_of(3 * torch.randn(count, 4, generator=random)) for count in (3, 40, CANDIDATES + 50, 9)]
    held[1].recall = Recall(pinned=(7, 30), forgotten=(0, 5))
    held[3].recall = Recall(on=False)
    together = select(held, views, 6)
    for row in range(3):
        assert together[row].tolist() == select([held[row]], views[row : row + 1], 6)[0].tolist()
    assert {*together[0].tolist()} == {0, 1, 2, -1} and together[1, :2].tolist() == [7, 30]
    assert not {0, 5} & {*together[1].tolist()} and (together[1:3] >= 0).all() and (together[3] == -1).all()


def test_banks_of_several_keep_what_each_would() -> None:
    banks, alone = Banks(SETTINGS, torch.device("cpu"), 2), [bank_of(torch.zeros(GROWTH, 4)), bank_of(torch.ones(3, 4))]
    banks[0], banks[1] = alone[0].share(), alone[1].share()
    random = torch.Generator().manual_seed(3)
    for _ in range(3):
        sizes = (SETTINGS.frame_tokens, SETTINGS.memory_dim), (4,), SETTINGS.latent_shape, SETTINGS.latent_shape[:2]
        entry, pose, latent, nearness = (torch.rand(2, *size, generator=random) for size in sizes)
        banks.append(pack(SETTINGS, [*quantise(entry), pose, *quantise(latent), nearness]))
        for row in range(2):
            alone[row].append(entry[row], pose[row], latent[row], nearness[row])
    rows, entries = torch.tensor([1, 0, 1]), torch.tensor([5, GROWTH + 2, 0])
    for read, name in zip(unpack(SETTINGS, banks.read(rows, entries)), BUFFERS, strict=True):
        for row in range(2):
            count = alone[row].num_entries
            assert banks[row].num_entries == count
            assert torch.equal(getattr(banks[row], name)[:count], getattr(alone[row], name)[:count])
        wanted = [getattr(alone[row], name)[entry] for row, entry in zip(rows, entries, strict=True)]
        assert torch.equal(read, torch.stack(wanted))


def test_rows_of_any_size_hold_what_was_packed_to_the_bit() -> None:
    random = torch.Generator().manual_seed(4)
    for registers in (1, 2, 3):
        settings = replace(SETTINGS, registers=registers, memory_dim=31)
        parts = [
            torch.randint(-(2**15), 2**15, shape, generator=random).to(dtype)
            if dtype == torch.int16
            else torch.randn(shape, generator=random).to(dtype)
            for shape, dtype in (((2, 5, *layout(settings)[name][0]), layout(settings)[name][1]) for name in BUFFERS)
        ]
        rows = pack(settings, parts)
        assert rows.shape == (2, 5, row_size(settings))
        for part, found in zip(parts, unpack(settings, rows), strict=True):
            assert part.dtype == found.dtype and torch.equal(part, found)


def test_what_a_choice_is_told_follows_what_there_is_and_what_was_decided() -> None:
    banks = Banks(SETTINGS, torch.device("cpu"), 1)

    def here() -> list[list[float]]:
        return [[0.0] * 4]

    banks[0] = bank_of(torch.arange(5.0)[:, None].expand(-1, 4))

    def told() -> tuple[list[int], list[float], int]:
        asked = banks.candidates(here, 6)
        assert asked is not None
        assert asked.told.tolist() == [[*asked.entries[0].tolist(), banks[0].num_entries]]
        return asked.entries[0].tolist(), asked.seen_from[0, :, 0].tolist(), int(asked.free[0])

    assert told() == told() == ([0, 1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0, 4.0], 5)
    banks[0].keep(4)
    banks[0].put(bank_of(torch.full((1, 4), 9.0)).rows[0])
    assert told() == ([0, 1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0, 9.0], 5), "as many, but another"
    banks[0].recall = Recall(pinned=(2,))
    assert told()[0] == [0, 1, -1, 3, 4] and told()[2] == 4
    banks[0].recall = Recall(on=False)
    assert banks.candidates(here, 6) is None
    banks[0].recall = Recall()
    banks[0].put(banks[0].rows[0].clone())
    assert told()[0] == [0, 1, 2, 3, 4, 5]


def greedy(quality: torch.Tensor, tie: torch.Tensor, count: int) -> list[int]:
    """Of one session, plainly: indices, while there are any that may be picked (tie >= 0)."""
    covered, left, found = torch.zeros_like(quality[0]), {*(tie >= 0).nonzero().flatten().tolist()}, []
    while left and len(found) < count:
        gain = (quality - covered).clamp(min=0).mean(-1) + tie
        found.append(max(left, key=lambda index: float(gain[index])))
        left.remove(found[-1])
        covered = torch.maximum(covered, quality[found[-1]])
    return found


def test_a_choice_is_greedy_to_the_bit() -> None:
    random = torch.Generator().manual_seed(5)
    for entries in (1, 3, 40):
        poses, now = torch.randn(4, entries, 4, generator=random), torch.randn(4, 2, 4, generator=random)
        valid = torch.rand(4, entries, generator=random) < 0.6
        newest = torch.rand(4, entries, generator=random)
        picked, filled = choose(poses, valid, now, 7, 90.0, newest)
        points = probe_points(now, 90.0)
        viewer = now[..., None, :2].expand_as(points).flatten(1, 2)
        quality = coverage(poses, viewer, points.flatten(1, 2), 90.0) * (0.9 + 0.1 * newest.unsqueeze(-1))
        near = (poses[:, :, None, :2] - now[:, None, :, :2]).norm(dim=-1).amin(-1)
        for row in range(4):
            tie = torch.where(valid[row], 1e-4 * (-near[row]).exp(), torch.tensor(-1.0))
            expected = greedy(quality[row], tie, 7)
            assert picked[row][filled[row]].tolist() == expected and int(filled[row].sum()) == len(expected)
