"""The bank keeps entries almost exactly, looks at a bounded few, and finds the places it has seen."""

from __future__ import annotations

import math

import torch

from engine.model.memory_bank import CANDIDATES, NEWEST, MemoryBank, choose
from engine.model.settings import CodecSettings, ModelSettings

SETTINGS = ModelSettings(height=64, width=96, codec=CodecSettings(), dim=64, registers=2, memory_dim=32)


def bank_of(poses: torch.Tensor) -> MemoryBank:
    bank = MemoryBank(SETTINGS, torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    for pose in poses:
        entry = torch.randn(SETTINGS.frame_tokens, SETTINGS.memory_dim, generator=random)
        bank.append(entry, pose, torch.zeros(SETTINGS.latent_shape), torch.ones(SETTINGS.latent_shape[:2]))
    return bank


def test_entries_come_back_almost_exactly() -> None:
    bank = MemoryBank(SETTINGS, torch.device("cpu"))
    entries = torch.randn(300, SETTINGS.frame_tokens, SETTINGS.memory_dim)
    latents = torch.randn(300, *SETTINGS.latent_shape)
    for entry, latent in zip(entries, latents, strict=True):
        bank.append(entry, torch.zeros(4), latent, torch.full(SETTINGS.latent_shape[:2], 0.5))
    read = bank.read(torch.arange(300), torch.float32)
    assert bank.num_entries == 300
    assert (read - entries).abs().max() < entries.abs().max() / 127
    assert (bank.frame(7, torch.float32) - latents[7]).abs().max() < latents[7].abs().max() / 127
    rows, columns, channels = SETTINGS.latent_shape
    assert bank.num_bytes == 300 * (
        SETTINGS.frame_tokens * (SETTINGS.memory_dim + 2) + 16 + rows * columns * (channels + 2 + 2)
    )


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
    assert len(bank._candidates(away[-1:])) <= CANDIDATES + NEWEST
    back = bank.select(torch.tensor([[-4.0, -4.0, 2.0, 0.0]]), 6)
    assert back[0] == 0 and 1 in back.tolist()
