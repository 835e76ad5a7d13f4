"""The rollout, frame by frame through the cache, equals the parallel pass over a chunk."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.model import pose as poses
from engine.model.chunk import Chunk
from engine.model.network import WorldModel
from engine.model.parallel import chunk_masks, look, predict_chunk
from engine.model.rollout import Rollout
from engine.model.settings import CodecSettings, ModelSettings


def small_model(references: int = 3) -> WorldModel:
    torch.manual_seed(0)
    codec = CodecSettings(latent_channels=8, encoder_widths=[8, 8, 8], decoder_widths=[8, 8, 8, 8])
    settings = ModelSettings(
        height=64, width=96, codec=codec, dim=128, layers=4, registers=2, memory_dim=32, recent_frames=4,
        memory_entries=5, references=references, reference_dim=16, action_scale=[1.0] * 7 + [30.0],
        sweep=True, foresees_height=True, trusts_memory=True,
    )  # fmt: skip
    model = WorldModel(settings).eval()
    for name, parameter in model.named_parameters():
        if name.startswith(("generator", "encoder", "memory")):
            torch.nn.init.normal_(parameter, std=0.08)
    return model


@pytest.fixture
def model() -> WorldModel:
    return small_model()


def play(model: WorldModel, frames: int, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(batch, frames, *model.settings.latent_shape, generator=generator)
    actions = (torch.rand(batch, frames, 8, generator=generator) < 0.3).float()
    actions[..., -1] = 10 * torch.randn(batch, frames, generator=generator)
    steps = torch.randn(batch, frames, 4, generator=generator) * torch.tensor([0.1, 0.1, 0.2, 0.05])
    return latents, actions, steps.cumsum(1)


def keep_memory(views: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, np.ndarray, np.ndarray, bool]:
    """In place of a rollout's choice of entries: what the slots hold stays."""
    nothing = np.zeros(0, dtype=np.int64)
    return views[:, -1], nothing, nothing, False


@pytest.mark.parametrize(
    ("memory", "references", "own", "tolerance"),
    [("plain", 0, False, 1e-4), ("blocks", 3, False, 0.03), ("blocks", 3, True, 0.03)],
)
@torch.no_grad()
def test_cached_equals_parallel(
    memory: str, references: int, own: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bank keeps blocks and their frames in few bits, which costs a little; exact frames must agree to rounding.
    model = small_model(references)
    settings = model.settings
    window, block, batch, length = settings.recent_frames, settings.block_frames, 2, 4
    start = 12  # frames of history: four blocks, fewer than the memory slots
    latents, actions, track = play(model, start + length, batch)
    rollout = Rollout(model, batch, [1.0, 0.0], [3, 4], memory=memory)
    rollout.start(latents[:, :start], actions[:, :start], track[:, :start])
    drawn = torch.full((batch,), own)  # as if the network had drawn them
    rollout.shown.own[:, settings.memory_entries] = drawn
    slots = list(range(start // block))

    first = start - window
    pad = settings.memory_entries - len(slots)
    rows = [list(range(slot * block, slot * block + block)) for slot in slots] + [[0, 1, 2]] * pad
    before = [max(0, row[0] - 1) for row in rows]
    anchor = track[:, start - 1, :2]
    local = poses.relative_to(track, anchor)
    chunk = Chunk(
        latents[:, first:], actions[:, first:], local[:, first:], local[:, first - 1],
        latents[:, rows], actions[:, rows], local[:, rows], local[:, before],
        torch.tensor(rows).expand(batch, -1, -1), torch.tensor([True] * len(slots) + [False] * pad).expand(batch, -1),
        own=drawn.unsqueeze(1).expand(-1, window + length),
    )  # fmt: skip
    noise = torch.randn(batch, length, *settings.latent_shape)
    masks = chunk_masks(settings, length, 0, window, model.device)
    predicted = predict_chunk(
        model, chunk, noise, torch.ones(batch, length), masks, plain=batch * (memory == "plain")
    )
    expected, motion = predicted.latents, predicted.motion

    for index in range(length):
        if index:
            monkeypatch.setattr(rollout, "_recall", keep_memory)
        _, place, action, reference = rollout._prepare(actions[:, start + index])
        torch.testing.assert_close(reference[:, 0], predicted.reference[:, index], rtol=0, atol=tolerance)
        level, known = torch.ones(batch, 1), torch.ones(batch, 1, dtype=torch.bool)
        now = noise[:, index : index + 1]
        latent, moved = model.generator(now, level, action, known, place, rollout.cache, reference)
        torch.testing.assert_close(latent[:, 0], expected[:, index], rtol=0, atol=tolerance)
        torch.testing.assert_close(moved[:, 0], motion[:, index], rtol=0, atol=tolerance)
        rollout.observe(latents[:, start + index], actions[:, start + index], track[:, start + index], drawn)


@torch.no_grad()
def test_a_block_is_rebuilt_with_the_picture_that_its_entry_keeps(model: WorldModel) -> None:
    settings, batch = model.settings, 2
    window, block, slots = settings.recent_frames, settings.block_frames, settings.memory_entries
    latents, actions, track = play(model, 30, batch)
    rows = torch.arange(slots * block).view(slots, block).tolist()
    chunk = Chunk(
        latents[:, : window + 2], actions[:, : window + 2], track[:, : window + 2], track[:, 0], latents[:, rows],
        actions[:, rows], track[:, rows], track[:, :slots], torch.tensor(rows).expand(batch, -1, -1),
        torch.ones(batch, slots, dtype=torch.bool),
    )  # fmt: skip
    slot = torch.tensor([1, 3])
    seen = look(model, chunk, rebuild=slot).seen
    assert seen.shape[1] == 2 + block
    torch.testing.assert_close(seen[:, :2], look(model, chunk).seen)
    assert (seen[:, -1, ..., -1] > 0.4).all()  # the block's last frame is the very one that the picture is of
    other = chunk.block_latents.clone()
    other[0, 1, -1] += 1
    changed = look(model, dataclasses.replace(chunk, block_latents=other), rebuild=slot).seen
    assert not torch.allclose(changed[0, -1], seen[0, -1])
    torch.testing.assert_close(changed[1, 2:], seen[1, 2:])  # what is rebuilt of another entry is as before
