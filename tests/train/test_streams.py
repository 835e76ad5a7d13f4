"""Streams that roam: cameras of long own rollouts that go where what was drawn lets them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.data.chunks import ChunkSampler
from engine.data.stores import LatentStore
from engine.model import rope
from engine.model.diffusion import schedule
from engine.model.graphs import FIRST_CALLS
from engine.model.parallel import look, motions
from engine.model.reprojection import Shown
from engine.train import own_frames
from engine.train.own_frames import OwnFrames
from engine.train.streams import MOST_TURN, Streams
from tests.conftest import TOY, random_model
from tests.model.tape import record
from tests.train.test_own_frames import BATCH, FRAMES, random_chunk

WINDOW = TOY.recent_frames
TRUE, TURNING, PLAIN = torch.nan, 12.0, 0.0


def roamed(model, seed: int = 0, turns: tuple[float, ...] = (TRUE, TURNING)):  # noqa: ANN001, ANN202
    chunk = replace(random_chunk(seed), turns=torch.tensor(turns))
    rolls = OwnFrames(model, BATCH, graphs=False)
    return chunk, rolls.roam(chunk, schedule(1), torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_a_camera_on_the_true_path_stays_there_and_one_that_roams_goes_as_in_play() -> None:
    model = random_model()
    chunk, made = roamed(model)
    plain = OwnFrames(model, BATCH, graphs=False).roll_out(chunk, schedule(1), torch.Generator().manual_seed(0))
    assert made.asked is not None
    torch.testing.assert_close(made.latents[0], plain[0], rtol=0, atol=0)
    torch.testing.assert_close(made.poses[0], chunk.poses[0], rtol=0, atol=0)
    torch.testing.assert_close(made.actions, chunk.actions, rtol=0, atol=0)  # nothing stops anyone
    torch.testing.assert_close(made.poses[1, :WINDOW], chunk.poses[1, :WINDOW], rtol=0, atol=0)
    moved = motions(made.before, made.poses)
    for index in range(WINDOW, WINDOW + FRAMES):
        past, now = slice(index - 1, index), slice(index, index + 1)
        asked, _ = model.ask(made.poses[:, past], moved[:, past], made.actions[:, past], made.actions[:, now])
        torch.testing.assert_close(made.asked[:, index - WINDOW : index - WINDOW + 1], asked)
    assert not torch.allclose(made.poses[1, WINDOW:], chunk.poses[1, WINDOW:])
    torch.testing.assert_close(look(model, made).asked, made.asked, rtol=0, atol=0)


@torch.no_grad()
def test_one_that_is_stopped_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model()

    def stop(shown: Shown, asked: Tensor) -> Tensor:  # a wall all around
        return torch.cat([shown.poses[:, -1, :2], asked[:, 2:]], dim=1)

    monkeypatch.setattr(model, "stop", stop)
    chunk, made = roamed(model, turns=(PLAIN, TURNING))
    assert made.asked is not None
    torch.testing.assert_close(made.asked[:, 0, :2], chunk.poses[:, WINDOW - 1, :2])
    torch.testing.assert_close(made.actions[0], chunk.actions[0], rtol=0, atol=0)
    turned = made.actions[1, WINDOW:, -1] - chunk.actions[1, WINDOW:, -1]
    assert turned.tolist() == pytest.approx([0.0, *[TURNING] * (FRAMES - 1)], abs=1e-4)
    torch.testing.assert_close(made.actions[1, :, :-1], chunk.actions[1, :, :-1], rtol=0, atol=0)


@torch.no_grad()
def test_recorded_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_frames, "capture_on", lambda device: record)
    monkeypatch.setattr(rope, "_by_matrices", lambda device: False)  # as on a GPU
    model = random_model()
    plain, recorded = OwnFrames(model, BATCH, graphs=False), OwnFrames(model, BATCH)
    for call in range(FIRST_CALLS + 3):
        chunk = replace(random_chunk(call), turns=torch.tensor([TURNING, TRUE] if call % 2 else [PLAIN, TURNING]))
        expected, found = (
            rolls.roam(chunk, schedule(1), torch.Generator().manual_seed(call)) for rolls in (plain, recorded)
        )
        for name in ("latents", "poses", "actions", "asked"):
            torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=0)
    assert len(recorded.graphs.graphs) == 1


def random_store(episodes: int = 3, length: int = 60) -> LatentStore:
    random = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(episodes, length, *shape, generator=random)

    return LatentStore(
        draw(*TOY.latent_shape), draw(3), 0.1 * draw(4).cumsum(1), draw(*TOY.latent_shape[:2]).abs().half() + 0.1
    )


@torch.no_grad()
def test_a_stream_goes_on_from_where_its_camera_went() -> None:
    batch, frames = 16, 4
    sampler, random = ChunkSampler(random_store(), TOY, frames), torch.Generator().manual_seed(1)
    streams = Streams(sampler, batch, 16, even=True, roam=0.6)
    first = streams.draw(random)
    assert first.turns is not None and first.nearness is not None
    roams = ~first.turns.isnan()
    assert 0 < roams.sum() < batch and 0 < (first.turns[roams] == 0).sum() < roams.sum()
    assert first.turns[roams].abs().max() <= MOST_TURN
    assert not first.nearness[roams, TOY.recent_frames :].any() and first.nearness[~roams].all()
    made = replace(first, poses=first.poses + 0.1 * torch.randn(first.poses.shape, generator=random))
    streams.follow(made)
    streams.keep(torch.zeros(batch, frames, *TOY.latent_shape))
    second = streams.draw(random)
    # The recent frames were seen from where they were made, and what is to come goes on from there as it did.
    moved, went, would = (
        motions(part[:, 0], part[:, 1:])
        for part in (second.poses[:, TOY.recent_frames - 1 :], made.poses[:, TOY.recent_frames - 1 :], first.poses)
    )
    old = motions(
        second.before, sampler.at(streams.episode, streams.next, streams.begin, *nothing(batch)).poses
    )[:, TOY.recent_frames :]  # fmt: skip
    torch.testing.assert_close(moved[roams][:, 1:], old[roams][:, 1:], rtol=1e-3, atol=1e-3)
    recent = motions(second.poses[:, TOY.recent_frames - frames], second.poses[:, TOY.recent_frames - frames + 1 :])
    torch.testing.assert_close(recent[roams][:, : frames - 1], went[roams][:, 1:], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(went[roams], would[roams][:, TOY.recent_frames - 1 :], atol=1e-2)
    kept = sampler.at(streams.episode, streams.next, streams.begin, *nothing(batch))
    torch.testing.assert_close(second.poses[~roams], kept.poses[~roams], rtol=0, atol=0)


def nothing(batch: int) -> tuple[Tensor, Tensor]:
    """No gap before memory ends, and nobody without memory."""
    return torch.zeros(batch, dtype=torch.long), torch.zeros(batch, dtype=torch.bool)
