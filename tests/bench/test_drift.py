"""The drift bench: slopes and distances that are known by construction, whatever share of the frames is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from torch import Tensor

import worlds
from engine.action import Action
from engine.bench import drift
from engine.bench.__main__ import main
from engine.bench.clips import Track
from engine.bench.metrics import statistics
from engine.bench.moments import Moments
from engine.bench.plots import curves
from engine.bench.readme import NOT_MEASURED, fill, read_figures
from engine.bench.subject import Subject
from engine.errors import ConfigError
from engine.model import pose as poses
from engine.model.codec import to_unit
from engine.model.rollout import Rollout
from tests.bench.test_benches import Lossless
from tests.toy import play

HISTORY, FRAMES = 8, 40  # of the small bench: four seconds at ten frames a second


class Counting(Lossless):
    """Counts the frames that it encodes, and keeps the most that it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded, self.most = 0, 0

    def encode(self, frames: Tensor) -> Tensor:
        self.encoded, self.most = self.encoded + len(frames), max(self.most, len(frames))
        return super().encode(frames)


@pytest.fixture
def make_drift(make_subject: Callable[..., Subject]) -> Callable[..., Subject]:
    """A subject with a codec that loses nothing, and changes of the drift bench's settings."""

    def make(**changes: Any) -> Subject:
        subject: Any = make_subject(drift=replace(make_subject().settings.drift, **changes))
        subject.model.codec = Counting()
        return subject

    return make


def real(share: float = 1.0) -> Callable[[Subject, Track, Sequence[Any]], Iterator[Tensor]]:
    """Stands in for a rollout: `share` of the latents of the real frames, then of the first one again and again."""

    def roll(subject: Subject, track: Track, players: Sequence[Any]) -> Iterator[Tensor]:
        pixels = np.stack([play(seed, HISTORY + FRAMES)[0][HISTORY:] for seed in range(len(track.actions))])
        true = share * Lossless().encode(to_unit(torch.from_numpy(pixels)))
        yield from true.unbind(1)
        yield from [true[:, 0]] * drift.STANDING

    return roll


def frechet(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of two clouds of points [n, d], each taken whole."""
    return Moments.of(one).frechet(Moments.of(other))


def test_slopes_and_distances_by_hand():
    seconds = np.arange(30)
    values = np.column_stack([2 * seconds + 5, np.full(30, 7.0)])
    np.testing.assert_allclose(drift.slopes(values), [120, 0], atol=1e-9)
    points = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    assert frechet(points, points) == pytest.approx(0, abs=1e-6)
    assert frechet(points, points + torch.tensor([3.0, 0, 4.0])) == pytest.approx(25, abs=1e-4)
    wide = points * 2
    assert frechet(points, wide) == pytest.approx(float(points.double().T.cov().trace()), rel=0.01)


@pytest.mark.parametrize("far", [0.0, 1e7])
def test_moments_by_parts_are_those_of_the_whole_cloud(far):
    generator = torch.Generator().manual_seed(1)
    mixed = torch.randn(5, 5, generator=generator).double()
    points = torch.randn(3000, 5, generator=generator).double() @ mixed + far
    points[:1000] += torch.arange(5) * 3.0  # the parts lie apart
    parts = points.split([1, 999, 1700, 300])
    merged = reduce(add, [Moments.of(part) for part in parts])
    assert merged.count == 3000
    torch.testing.assert_close(merged.mean, points.mean(0), rtol=1e-14, atol=1e-12)
    torch.testing.assert_close(merged.covariance, points.T.cov(), rtol=1e-8, atol=1e-8)
    other = torch.randn(500, 5, generator=generator).double() + far
    assert merged.frechet(Moments.of(other)) == pytest.approx(frechet(points, other), rel=1e-8)


def test_drift_of_real_frames_is_that_of_real_footage(make_drift, monkeypatch):
    subject = make_drift()
    monkeypatch.setattr(drift, "_roll", real())
    found = drift.measure(subject)
    assert found.figures["shimmer"] == 0
    for name, slope in found.figures["slopes"].items():
        assert slope["own"] == slope["real"] != 0, name
        assert slope["within_spread"], name
    table = found.tables["drift"]
    means = [row for row in table["rows"] if row[0].endswith("mean")]
    assert len(means) == len(drift.STATISTICS) and all(row[1] == row[2] > 0 for row in means)
    assert ["slopes within spread, of 6", 6, None, None] in table["rows"]
    assert [pair[0] for pair in found.figures["frechet"].values()] == pytest.approx([0, 0, 0], abs=1e-2)
    assert (subject.settings.media / found.figures["sheet"]).exists()
    assert "is scored" not in table["note"]


def test_drift_of_own_frames(make_subject):
    found = drift.measure(make_subject())
    assert np.shape(found.figures["by_second"]["own"]) == (4, len(drift.STATISTICS))
    assert found.figures["frechet"]["all"][0] > 1e-3
    assert found.figures["shimmer"] > 0


@pytest.mark.parametrize("every", [1, 3, 10])
def test_one_frame_in_so_many_is_scored(make_drift, monkeypatch, every):
    monkeypatch.setattr(drift, "PART", 5)  # parts end within seconds and within windows
    monkeypatch.setattr(drift, "_roll", real(0.5))
    subject = make_drift(score_every=every)
    found = drift.measure(subject)
    frames = np.arange(0, FRAMES, every)
    assert subject.model.codec.encoded == 2 * (HISTORY + 2 * len(frames))  # two maps; own frames and real ones
    assert subject.model.codec.most <= 8
    true = [play(seed, HISTORY + FRAMES)[0][HISTORY:] for seed in (0, 1)]
    seconds = [[statistics(pixels[frames[frames // 10 == s]]) for s in range(4)] for pixels in true]
    by_hand = np.mean([[[*part.mean.mean(0)] for part in row] for row in seconds], axis=0)
    np.testing.assert_allclose(np.array(found.figures["by_second"]["real"])[:, 3:], by_hand, atol=0.0051)
    cells = [subject.encode(pixels[::every]).flatten(1, 2) for pixels in true]
    own = [subject.encode(subject.decode(0.5 * subject.encode(pixels[::every]))).flatten(1, 2) for pixels in true]
    inside = {"first seconds": frames < 20, "last seconds": frames >= 20, "all": frames >= 0}
    for name, window in inside.items():
        one, other = (row[window].flatten(0, 1) for row in cells)
        made = torch.cat([row[window] for row in own]).flatten(0, 1)
        expected = [frechet(made, torch.cat([one, other])), frechet(one, other)]
        assert found.figures["frechet"][name] == pytest.approx(expected, abs=2e-3)
    assert (f"One frame in {every} is scored." in found.tables["drift"]["note"]) == (every > 1)


def test_the_sheet_is_the_same_whatever_is_scored(make_drift, monkeypatch):
    monkeypatch.setattr(drift, "PART", 5)
    monkeypatch.setattr(drift, "_roll", real())
    true = [play(seed, HISTORY + FRAMES)[0][HISTORY:] for seed in (0, 1)]
    for every in (1, 3):
        subject = make_drift(score_every=every)
        sheet = imageio.imread(subject.settings.media / drift.measure(subject).figures["sheet"])
        tiles = [sheet[34 * row : 34 * row + 32, 50 * at : 50 * at + 48] for row in (0, 1) for at in range(4)]
        for tile, (pixels, frame) in zip(tiles, [(row, 10 * s) for row in true for s in range(4)], strict=True):
            np.testing.assert_array_equal(tile, pixels[frame][::2, ::2])


class Guide:
    """A player that turns by one degree more each frame, up to six; it keeps the poses that it is told."""

    def __init__(self) -> None:
        self.marks: dict[str, Any] = {}
        self.told: list[tuple[float, ...]] = []

    def act(self, pose: tuple[float, float, float, float]) -> Action:
        self.told.append(pose)
        return Action((), (float(len(self.told) % 7), 0.0))


def test_a_wanderer_goes_on_from_its_clip_by_the_poses_that_the_model_reckons(make_subject, monkeypatch):
    guides: dict[int, Guide] = {}
    monkeypatch.setattr(worlds, "make_wanderer", lambda world, seed: guides.setdefault(seed, Guide()))
    steps = Rollout.step
    held, reckoned = [], []

    def step(rollout: Rollout, action: Tensor) -> Tensor:
        reckoned.append(rollout.pose.clone())
        held.append(action[:, -1].clone())
        return steps(rollout, action)

    monkeypatch.setattr(Rollout, "step", step)
    subject = make_subject(drift=replace(make_subject().settings.drift, player="wanderer"))
    found = drift.measure(subject)
    clips = drift.episodes(subject, {"wander": 1.0}, 2, HISTORY + FRAMES)
    unit = subject.world.camera.pose_unit
    assert len(guides) == 2 and len(held) == FRAMES + drift.STANDING
    for row, clip in enumerate(clips):
        told = np.array(guides[clip.meta["seed"]].told)
        assert len(told) == HISTORY - 1 + FRAMES
        np.testing.assert_allclose(told[: HISTORY - 1], clip.poses[: HISTORY - 1], atol=1e-3)
        own = [poses.to_game(pose[row], unit) for pose in reckoned[:FRAMES]]
        np.testing.assert_allclose(told[HISTORY - 1 :], own)
    turns = torch.stack(held)
    assert turns[:FRAMES].tolist() == [[float((HISTORY + index) % 7)] * 2 for index in range(FRAMES)]
    assert not turns[FRAMES:].any()
    assert "turns where it is stopped" in found.tables["drift"]["note"]


def test_a_player_that_there_is_not_is_refused(make_drift):
    with pytest.raises(ConfigError, match="drift.player is one of keys, wanderer, not 'nobody'"):
        drift.measure(make_drift(player="nobody"))


@pytest.mark.parametrize("every", [0, -1, 11])
def test_a_second_without_a_scored_frame_is_refused(make_drift, every):
    with pytest.raises(ConfigError, match=f"drift.score_every is 1 to 10.*not {every}$"):
        drift.measure(make_drift(score_every=every))


def test_slopes_within_the_spread_of_real_ones_by_hand():
    true = np.outer([0.0, 2.0, 4.0], np.ones(6))  # mean 2, standard deviation 2, from 0 the root of 20 / 3: 2.58
    own = np.array([[0.0, 2.5, 2.7, -2.7, -2.5, 90], [0.0, 2.5, 2.7, -2.7, -2.5, 110]])
    found = drift.compare(own, true)
    assert [found[name]["within_spread"] for name in drift.STATISTICS] == [True, True, False, False, True, False]
    assert found["blue"] == {
        "own": 100.0, "real": 2.0, "real_spread": 2.0, "within_spread": False, "own_each": [90.0, 110.0],
    }  # fmt: skip


def test_one_episode_has_no_spread(make_drift, monkeypatch):
    monkeypatch.setattr(drift, "_roll", real())
    found = drift.measure(make_drift(sequences=1))
    assert found.figures["slopes_within_spread"] is None
    assert {slope["within_spread"] for slope in found.figures["slopes"].values()} == {None}
    assert not [row for row in found.tables["drift"]["rows"] if row[0].startswith("slopes within")]


def test_rollouts_of_two_lengths_stand_beside_one_another(words, toy_footage, tmp_path):
    assert main(["drift", *words]) == 0
    assert main(["drift", *words, "drift.seconds=6", "suffix=-6"]) == 0
    figures = read_figures(tmp_path / "bench.json")
    assert {name: figures["figures"][name]["seconds"] for name in figures["tables"]} == {"drift": 4, "drift-6": 6}
    for suffix, seconds in (("", 4), ("-6", 6)):
        drawn = curves(figures, suffix)["drift_contrast"][3]
        assert [len(line) for line in drawn.values()] == [seconds, seconds]
        text = fill(f"<!-- bench:drift{suffix} -->\n<!-- /bench -->\n", figures)
        assert NOT_MEASURED not in text and f"rollouts of {seconds} s" in text
    assert len({figures["figures"][name]["sheet"] for name in figures["tables"]}) == 2
