"""Chunks rolled out as one recorded pass are those rolled out plainly, whatever chunk, noise and weights come next."""

from __future__ import annotations

import pytest
import torch

from engine.model import rope
from engine.model.chunk import Chunk
from engine.model.diffusion import schedule
from engine.model.graphs import FIRST_CALLS
from engine.train import own_frames
from engine.train.own_frames import OwnFrames
from tests.conftest import TOY, random_model
from tests.model.tape import record

BATCH, FRAMES = 2, 3


def random_chunk(seed: int) -> Chunk:
    """A chunk of nothing in particular, of whose memory slots one is empty."""
    random = torch.Generator().manual_seed(seed)
    total, slots, block = TOY.recent_frames + FRAMES, TOY.memory_entries, TOY.block_frames

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(BATCH, *shape, generator=random)

    filled = torch.ones(BATCH, slots, dtype=torch.bool)
    filled[seed % BATCH, -1] = False
    return Chunk(
        draw(total, *TOY.latent_shape), draw(total, 3), 0.2 * draw(total, 4).cumsum(1), 0.2 * draw(4),
        draw(slots, block, *TOY.latent_shape), draw(slots, block, 3), 0.3 * draw(slots, block, 4),
        0.3 * draw(slots, 4), torch.zeros(BATCH, slots, block, dtype=torch.long), filled,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2])
@torch.no_grad()
def test_a_recorded_rollout_equals_a_plain_one(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_frames, "capture_on", lambda device: record)
    monkeypatch.setattr(rope, "_by_matrices", lambda device: False)  # as on a GPU
    model = random_model()
    plain, recorded = OwnFrames(model, BATCH, graphs=False), OwnFrames(model, BATCH)
    made = []
    for call in range(FIRST_CALLS + 3):
        model.generator.refer.weight.mul_(0.9)
        chunk = random_chunk(call)
        expected, found = (
            rolls.roll_out(chunk, schedule(steps), torch.Generator().manual_seed(call)) for rolls in (plain, recorded)
        )
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        assert torch.equal(found[:, : TOY.recent_frames], chunk.latents[:, : TOY.recent_frames])
        made.append(found)
    assert len(recorded.graphs.graphs) == 1 and not plain.graphs.graphs
    assert made[-1].isfinite().all() and not torch.equal(made[-1], made[-2])
