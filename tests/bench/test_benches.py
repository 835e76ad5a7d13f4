"""Each bench on the toy game, with figures that are known by construction."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.bench import actions, codec, growth, latency, memory, next_frame, probe, replay, revisit, stages, throughput
from engine.bench.clips import Clip, episodes, load
from engine.bench.metrics import psnr
from engine.bench.report import CEILING
from engine.bench.subject import unroll
from engine.model import int8
from engine.model import pose as poses
from engine.model.codec import ResidualBlock
from engine.model.entry import row_size, unpack
from engine.model.packed import pack
from tests.toy import play


class Lossless(nn.Module):
    """A codec that loses nothing: the pixels of each cell are its latent."""

    def encode(self, frames: Tensor) -> Tensor:
        return F.pixel_unshuffle(frames, 16).movedim(-3, -1)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(latents.movedim(-1, -3), 16)


def test_a_lossless_codec_reaches_the_ceiling(make_subject):
    subject = make_subject()
    random = codec.measure(subject)
    subject.model.codec = Lossless()
    exact = codec.measure(subject)
    assert exact.figures["scores"]["codec"] == {"psnr": CEILING, "ssim": 1.0, "flip": None, "frames": 12}
    assert random.figures["scores"]["codec"]["psnr"] < 20
    table = exact.tables["codec"]
    assert "FLIP" not in table["columns"]  # not taken, so left out
    assert table["rows"][0][:3] == ["2 maps", CEILING, 1.0]


def test_next_frame_beside_the_last_true_frame(make_subject):
    found = next_frame.measure(make_subject())
    scores = found.figures["scores"]
    assert set(scores) == {"1 denoise step", "2 denoise steps", "codec round trip", "last frame"}
    by_hand = []
    for seed in (0, 1):
        frames = play(seed, 15)[0]
        by_hand.append(psnr(frames[11:14], frames[12:15], CEILING).mean())
    assert scores["last frame"]["psnr_by_sequence"] == pytest.approx(by_hand, abs=1e-3)
    assert scores["last frame"]["frames"] == 6


def test_all_denoise_steps_see_the_same_true_history(make_subject):
    subject = make_subject()
    one = next_frame.measure(subject).figures["scores"]["codec round trip"]
    only = next_frame.measure(make_subject(next_frame=type(subject.settings.next_frame)(2, 3, 12, [4])))
    assert only.figures["scores"]["codec round trip"] == one


def test_a_return_over_the_same_poses_is_shown_exactly_by_the_nearest_old_frame(make_subject):
    subject = make_subject()
    found = revisit.measure(subject).figures["10"]
    assert found["sequences"] == 3
    scores = found["scores"]
    assert set(scores) == {*revisit.MEMORIES, revisit.OWN, revisit.NEAREST, revisit.LAST_SEEN, revisit.CODEC}
    assert scores[revisit.NEAREST]["psnr"] == scores[revisit.NEAREST]["psnr_matched"] == CEILING
    assert scores[revisit.NEAREST]["seen"] == 1.0
    assert scores[revisit.NEAREST]["sharpness"] == 1.0
    assert scores[revisit.LAST_SEEN]["psnr"] < CEILING
    others = revisit.MEMORIES.keys() - {revisit.EVERY}  # of a history as short as this one every block is kept
    drawn = {tuple(scores[name][key] for key in ("psnr", "ssim", "sharpness")) for name in others}
    assert len(drawn) == len(others)
    assert len(scores["window"]["psnr_by_frame"]) == 8
    assert (subject.settings.media / found["sheet"]).stat().st_size > 0


def test_sparse_memory_takes_the_bytes_of_the_memory_models(make_subject):
    settings = make_subject().model.settings
    rollouts = [make_subject().rollout(1, memory) for memory in ("plain", "blocks")]
    latents, actions = torch.zeros(1, *settings.latent_shape), torch.zeros(1, settings.action_size)
    for rollout in rollouts:
        for _ in range(settings.block_frames):
            rollout.observe(latents, actions, torch.zeros(1, poses.SIZE))
    (exact,), kept = rollouts[0].plain_tokens, unpack(settings, rollouts[1].banks[0].rows[0])
    made = sum(part.numel() * part.element_size() for part in (kept.tokens, kept.scales))
    size, plain = row_size(settings), revisit.plain_size(settings)
    assert plain - size == exact.numel() * torch.bfloat16.itemsize - made
    for count in (1, 10, 300):
        stay = count - len(revisit.left_out(count, size / plain))
        assert abs(stay * plain - count * size) <= plain and 0 not in revisit.left_out(count, size / plain)


def test_full_history_is_left_out_beyond_its_gap(make_subject):
    settings = make_subject().settings
    subject = make_subject(revisit=type(settings.revisit)([10], 2, 8, full_up_to=9, own_memory=False, sheet=0))
    found = revisit.measure(subject).figures["10"]
    assert {"full history", revisit.OWN}.isdisjoint(found["scores"])
    assert found["sheet"] == ""


def test_clips_of_one_length_stand_still_at_first(make_subject):
    subject = make_subject()
    episode = episodes(subject, {"revisit": 1.0}, 1, 60, 10)[0]
    short, long = revisit.aligned([Clip(episode, 5, 20), Clip(episode, 2, 25)])
    assert (len(short), len(long), short.still) == (23, 23, 8)
    frames = short.frames(0, 23)
    np.testing.assert_array_equal(frames[:9], np.repeat(episode.frames(5, 6), 9, axis=0))
    np.testing.assert_array_equal(frames[9:], episode.frames(6, 20))
    np.testing.assert_array_equal(short.frames(10, 12), episode.frames(7, 9))
    assert not short.actions[:9].any()
    np.testing.assert_array_equal(short.actions[9:], episode.actions[6:20])
    track = load(subject, [short, long])
    torch.testing.assert_close(track.latents[0, 0], track.latents[0, 8], rtol=0, atol=0)
    expected = subject.encode(frames)
    torch.testing.assert_close(track.latents[0], expected, rtol=0, atol=1e-4)


def test_only_the_frames_that_are_seen_are_encoded(make_subject, monkeypatch):
    subject = make_subject()
    found = episodes(subject, {"homes": 1.0}, 2, 20)
    clips, encode, taken = [Clip(found[0], 2, 20), Clip(found[1], 7, 20, 5)], subject._encode, []
    whole = load(subject, clips)
    monkeypatch.setattr(subject, "_encode", lambda frames: (taken.append(len(frames)), encode(frames))[1])
    for seen, encoded in ((11, 11 + 6), (4, 4 + 1), (40, 18 + 13)):
        taken.clear()
        track = load(subject, clips, seen)
        assert sum(taken) == encoded
        torch.testing.assert_close(track.latents, whole.latents[:, :seen], rtol=0, atol=1e-5)
        assert torch.equal(track.actions, whole.actions) and torch.equal(track.poses, whole.poses)
    frames = clips[1].frames(3, 14)
    np.testing.assert_array_equal(clips[1].frames(3, 14, 4), frames[::4])


def test_unrolling_sees_the_truth_and_then_its_own_frames(make_subject):
    subject = make_subject()
    clips = [Clip(e, 0, 20) for e in episodes(subject, {"homes": 1.0}, 2, 20)]
    track = load(subject, clips)
    own = unroll(subject.rollout(2), track.latents, track.actions, track.poses, [12, 12])
    torch.testing.assert_close(own[:, :12], track.latents[:, :12], rtol=0, atol=0)
    rollout = subject.rollout(2)
    rollout.start(track.latents[:, :12], track.actions[:, :12], track.poses[:, :12])
    stepped = torch.stack([rollout.step(track.actions[:, index]) for index in range(12, 20)], dim=1)
    torch.testing.assert_close(own[:, 12:], stepped, rtol=0, atol=0)
    mixed = unroll(subject.rollout(2), track.latents, track.actions, track.poses, [9, 15])
    torch.testing.assert_close(mixed[1, :15], track.latents[1, :15], rtol=0, atol=0)
    assert not torch.equal(mixed[0, 9], track.latents[0, 9])


def test_the_nearest_pose_counts_turns_across_the_seam(make_subject):
    subject = make_subject()
    track = load(subject, [Clip(e, 0, 5) for e in episodes(subject, {"homes": 1.0}, 1, 20)])
    track.poses[0, :, :3] = torch.tensor([[0, 0, 3.1], [0, 0, 0.0], [1, 0, -3.1], [9, 9, 9], [0, 0, -3.1]])
    index, cost = revisit.nearest(track, 1)
    assert index[0, 0] == 0
    assert cost[0, 0] == pytest.approx(2 * math.pi - 6.2, abs=1e-4)


def test_a_block_is_rebuilt_from_its_entry_alone(make_subject):
    subject = make_subject()
    length = subject.model.settings.recent_frames + 1 + subject.model.settings.block_frames
    track = load(subject, [Clip(e, 0, length) for e in episodes(subject, {"homes": 1.0}, 2, 20)])
    rebuilt = memory.rebuild(subject, track)
    assert rebuilt.shape == track.latents[:, -3:].shape
    track.latents[:, :-3] += 1
    torch.testing.assert_close(memory.rebuild(subject, track), rebuilt, rtol=0, atol=1e-5)
    track.latents[:, -3:] += 1
    assert not torch.allclose(memory.rebuild(subject, track), rebuilt, atol=1e-3)


def test_memory_counts_its_bytes(make_subject):
    found = memory.measure(make_subject())
    # 6 + 2 tokens of 32 numbers, three to two bytes, and the largest, a pose, and 24 cells of 8 numbers, the largest
    # and a nearness
    assert found.figures["entry_bytes"] == 8 * (22 + 2) + 4 * 4 + 24 * (6 + 2 + 2)
    assert found.figures["scores"]["codec round trip"]["frames"] == 18


def test_true_frames_agree_with_the_probe_on_true_frames(make_subject, monkeypatch):
    subject = make_subject()
    monkeypatch.setattr(actions, "unroll", lambda rollout, latents, *_: latents)
    rows = actions.measure(subject).figures["rows"]
    assert [row["action"] for row in rows] == ["forward", "light", "yaw", "mean"]
    assert all(row["agreement"] == 1.0 for row in rows)
    assert all(row["probe right on real"] == row["probe right on generated"] for row in rows)


def test_the_probe_learns_what_shows(make_subject, monkeypatch):
    monkeypatch.setattr(probe, "RUNS_AT_ONCE", 4)
    monkeypatch.setattr(actions, "EPISODE_FRAMES", 50)
    settings = make_subject().settings
    learnt = actions.learn(make_subject(actions=type(settings.actions)(400, 200, 4, 12)))
    frames, truth, _ = play(77, 60)
    right = learnt.read(frames).keys == (truth[probe.BEFORE : 60 - probe.AFTER, :2] > 0.5)
    assert right[:, 1].mean() > 0.85  # light brightens the whole picture
    assert right[:, 0].mean() < 0.8  # forward shows nowhere


def test_what_chance_would_give_counts_for_nothing():
    held = np.array([True, False, False, False])
    assert actions.balanced(~held, held) == 0.5  # who never reads it is right most of the time
    assert actions.balanced(held | True, held) == 1.0
    assert actions.balanced(held, held & False) is None
    assert actions.kappa(held, held) == 1.0
    assert actions.kappa(held, held & False) == 0.0
    assert actions.kappa(held & False, held & False) is None
    assert actions.kappa(np.array([1, 1, 0, 0]) > 0, np.array([1, 0, 1, 0]) > 0) == 0.0


def test_latency_growth_and_throughput(make_subject):
    subject = make_subject()
    found = latency.measure(subject).figures
    assert set(found) == {"1", "2"}
    assert all(0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] for row in found.values())
    grown = growth.measure(subject).figures
    taken = 3 + latency.WARM_UP["cpu"]  # steps of each measurement
    assert [grown[key]["entries"] for key in ("12", "30")] == [(12 + taken) // 3, (30 + taken) // 3]
    assert grown["30"]["bytes"] > grown["12"]["bytes"]
    assert grown["12"]["ratio"] == 1 and grown["30"]["ratio"] > 0
    assert subject.engine.session is not None  # the subject's own goes on
    assert set(throughput.measure(subject).figures) == {"1", "3"}


def test_stages_are_counted_and_put_back(make_subject):
    subject = make_subject()
    found = stages.measure(subject).figures
    settings = subject.model.settings
    context = 2 * settings.frame_tokens * settings.dim * settings.layers * 2 * settings.dim
    assert found["commit"]["flops"] + found["memorise"]["flops"] >= context
    assert found["memorise"]["flops"] > found["commit"]["flops"] / 2, "one frame in three, and more of them"
    assert set(stages.STAGES) <= set(found)
    assert all(found[name]["ms"] > 0 and found[name]["flops"] > 0 for name in ("imagine", "decode", "memorise"))
    assert found["step"]["flops"] == sum(found[name]["flops"] for name in stages.STAGES)
    assert not {*stages.STAGES} & {*vars(subject.engine.session.rollout.passes)}


@torch.inference_mode()
def test_the_tally_knows_products_whole_and_in_parts():
    a, b = torch.randn(2, 3, 5), torch.randn(2, 5, 7)
    with stages.Tally() as tally:
        torch.matmul(a, b)
        F.conv2d(torch.randn(1, 3, 4, 6), torch.randn(5, 3, 1, 1))
    assert tally.flops == 2 * (2 * 3 * 5 * 7) + 2 * (4 * 6 * 3 * 5)


@pytest.mark.skipif(not int8.is_fast(), reason="this processor multiplies no int8")
@torch.no_grad()
def test_the_tally_knows_products_in_int8(monkeypatch):
    monkeypatch.setattr(int8, "has_tiles", lambda: False)
    layer, block = torch.nn.Linear(384, 1152).bfloat16(), ResidualBlock(128).bfloat16()
    pack(layer)
    pack(block)
    x = torch.randn(1, 128, 4, 6).bfloat16()
    block.conv1(x)  # lays out the kernel for this shape, and tries it
    with stages.Tally() as tally:
        layer(torch.randn(1, 1, 64, 384).bfloat16())
        block.conv1(x)
    assert tally.flops == 2 * (64 * 384 * 1152) + 2 * (4 * 6 * 128 * 128 * 9)
    assert tally.bytes == 64 * 384 + 384 * 1152 + 2 * 64 * 1152 + x.numel() + 128 * 128 * 9 + 2 * x.numel()


def test_history_goes_to_and_fro_without_a_jump(make_subject, monkeypatch):
    monkeypatch.setattr(latency, "EPISODE_FRAMES", 8)
    subject = make_subject()
    history = latency.History(subject)
    rollout = history.begin(subject.engine)
    seen = []
    monkeypatch.setattr(rollout, "observe", lambda latent, action, pose: (seen.append(pose[0, 2].item()), grow()))

    def grow():
        rollout.num_frames += 1

    history.feed(rollout, 24)
    track = history.track.poses[0, :, 2].tolist()
    assert seen == [*track[1:], *track[-2::-1], *track[1:], *track[-2:-4:-1]]


def test_replay_is_identical_and_says_where_it_is_not(make_subject, monkeypatch):
    subject = make_subject()
    found = replay.measure(subject)
    assert found.figures["identical"] and found.figures["another_seed_differs"]
    assert json.dumps(found.tables)
    played = [np.zeros((5, 8, 8, 3), np.uint8) for _ in range(3)]
    played[1][3, 2, 2, 1] = 1
    monkeypatch.setattr(replay, "_play", lambda *_: played.pop(0))
    assert replay.measure(subject).figures["first_difference"] == 3
