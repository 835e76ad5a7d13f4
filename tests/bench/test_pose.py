"""The pose bench on the toy game, with poses that are known by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.bench import plots, pose
from engine.bench.clips import Clip, episodes, load
from engine.bench.subject import unroll


def track_of(subject, frames=15):
    return load(subject, [Clip(e, 0, frames) for e in episodes(subject, {"homes": 1.0}, 2, 20)])


def test_errors_are_in_map_units_and_degrees():
    truth = torch.tensor([[[0.0, 0.0, math.pi - 0.01, 0.0], [1.0, 1.0, 0.0, 0.0]]])
    believed = truth + torch.tensor([[[3.0, 4.0, 0.02, 9.0], [0.0, 0.0, 4 * math.pi, 0.0]]])
    expected = [[[5 * 32.0, math.degrees(0.02)], [0.0, 0.0]]]
    np.testing.assert_allclose(pose.error(believed, truth, 32.0), expected, atol=1e-3)


def test_the_pose_goes_wrong_evenly_and_only_while_away():
    truth = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0))
    wrong = pose.drifted(truth, [5, 5, 8], 12, (64.0, 10.0), 256.0, [0, 1, 2]) - truth
    assert not wrong[:2, :6].any() and not wrong[2, :9].any() and not wrong[..., 3].any()
    lengths = wrong[..., :2].norm(dim=-1)
    torch.testing.assert_close(lengths[:, 11:], torch.full((3, 9), 64 / 256))
    torch.testing.assert_close(wrong[..., 2].abs()[:, 11:], torch.full((3, 9), math.radians(10)))
    torch.testing.assert_close(lengths[0, 8], torch.tensor(0.5 * 64 / 256))
    directions = wrong[:, -1, :2] / lengths[:, -1:]
    assert (directions[0] - directions[1]).norm() > 0.1
    torch.testing.assert_close(pose.drifted(truth, [5, 5, 8], 12, (0.0, 0.0), 256.0, [0, 1, 2]), truth)


def test_the_model_reckons_as_its_session_does(make_subject):
    subject = make_subject()
    track = track_of(subject)
    found = pose.reckon(subject, track, 9)
    assert set(found) == {pose.OWN, pose.TRUE, pose.BLIND}
    rollout = subject.rollout(2)
    unroll(rollout, track.latents, track.actions, track.poses, [9, 9])
    torch.testing.assert_close(found[pose.OWN][:, -1], rollout.pose, rtol=0, atol=0)
    assert not torch.equal(found[pose.TRUE], found[pose.OWN])


def test_the_actions_alone_turn_the_pose_by_the_mouse(make_subject):
    subject = make_subject()
    track = track_of(subject)
    subject.model.generator.momentum.forward = lambda motion, *_: torch.zeros_like(motion)
    blind = pose.reckon(subject, track, 9)[pose.BLIND]
    off = pose.error(blind, track.poses[:, 9:], 1.0)  # the toy game's camera does nothing but turn with the mouse
    np.testing.assert_allclose(off[..., 1], 0.0, atol=1e-3)


def test_tables_and_curves(make_subject, monkeypatch):
    subject, drawn = make_subject(), []
    decode = subject.decode
    monkeypatch.setattr(subject, "decode", lambda latents: drawn.append(decode(latents)) or drawn[-1])
    found = pose.measure(subject)
    columns = ["pose from", "map units, step 2", "degrees, step 2", "map units, step 6", "degrees, step 6"]
    assert found.tables["pose"]["columns"] == columns
    rows = {row[0]: row[1:] for row in found.tables["pose"]["rows"]}
    assert rows[pose.OWN][2] == pytest.approx(found.figures["reckoning"][pose.OWN]["units_by_step"][5], abs=6e-3)
    cost = {row[0]: row[1:] for row in found.tables["pose-cost"]["rows"]}
    assert list(cost) == ["nothing", "64 map units", "10 degrees"]
    assert cost["nothing"][1] == 0.0
    assert len({pictures.tobytes() for pictures in drawn[-3:]}) == 3, "a wrong pose changes what is drawn"
    curves = plots.curves({"figures": {"pose": {"run": {}, **found.figures}}})
    assert set(curves) == {"pose_units", "pose_degrees", "pose_cost_units", "pose_cost_degrees"}
    assert curves["pose_cost_units"][3] == {"this model": [(0.0, cost["nothing"][0]), (64.0, cost["64 map units"][0])]}
    assert all(plots.draw(*curve) for curve in curves.values())
