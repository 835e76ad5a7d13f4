"""A history fed in batches leaves the same session as one observed frame by frame."""

from __future__ import annotations

import pytest
import torch

from engine.bench import feed as feeding
from engine.bench import revisit
from engine.bench.clips import Clip, Track, episodes, load
from engine.bench.feed import feed
from engine.model import pose as poses
from engine.model import rollout as rollouts


@pytest.mark.parametrize("memory", ["blocks", "plain", "full", "none"])
@pytest.mark.parametrize("count", [48, 58])
def test_fed_equals_observed(make_subject, monkeypatch, memory, count):
    monkeypatch.setattr(feeding, "AT_ONCE", 12)
    # As they are made: of two frames that differ by rounding, one may be a whole step of what memory keeps away.
    monkeypatch.setattr(rollouts, "as_kept", lambda latent: latent)
    subject = make_subject()
    track = load(subject, [Clip(e, 0, 64) for e in episodes(subject, {"homes": 1.0}, 2, 64)])
    walk = torch.linspace(0, 5, 64)  # far enough for positions to be measured anew
    track.poses[0, :, 0], track.poses[1, :, 1] = walk, -walk
    history = [part[:, :count] for part in (track.latents, track.actions, track.poses)]
    fed, observed = subject.rollout(2, memory), subject.rollout(2, memory)
    feed(fed, *history)
    observed.start(*history)
    assert fed.num_frames == observed.num_frames == count
    torch.testing.assert_close(fed.anchor, observed.anchor, rtol=0, atol=0)
    torch.testing.assert_close(fed.recent_poses, observed.recent_poses, rtol=0, atol=0)
    torch.testing.assert_close(fed.recent_tokens, observed.recent_tokens, rtol=1e-4, atol=1e-4)
    for one, two in zip(fed.banks, observed.banks, strict=True):
        assert one.num_entries == two.num_entries == count // 3 and one.cells() == two.cells()
        torch.testing.assert_close(one.poses, two.poses, rtol=0, atol=0)
        assert (one.tokens.int() - two.tokens.int()).abs().max() <= 1
    for index in range(count, count + 4):
        made = [rollout.step(track.actions[:, index]) for rollout in (fed, observed)]
        torch.testing.assert_close(made[0], made[1], rtol=0, atol=0.01)
        assert (fed.slots == observed.slots).all()


def test_a_short_history_is_observed_exactly(make_subject):
    subject = make_subject()
    track = load(subject, [Clip(e, 0, 20) for e in episodes(subject, {"homes": 1.0}, 2, 20)])
    history = (track.latents, track.actions, track.poses)
    fed, observed = subject.rollout(2), subject.rollout(2)
    feed(fed, *history)
    observed.start(*history)
    torch.testing.assert_close(fed.recent_tokens, observed.recent_tokens, rtol=0, atol=0)


def test_who_stands_still_holds_less_than_who_keeps_every_block(make_subject):
    subject = make_subject()
    settings, frames = subject.model.settings, 60
    still = torch.randn(1, 1, *settings.latent_shape).expand(1, frames, *settings.latent_shape)
    track = Track(still, torch.zeros(1, frames, settings.action_size), torch.zeros(1, frames, poses.SIZE))
    held = {memory: revisit.draw(subject, track, memory, [frames - 2], 2)[1][0] for memory in ("blocks", "every")}
    blocks = frames // settings.block_frames
    assert held["every"] == blocks and 1 <= held["blocks"] < blocks / 2
