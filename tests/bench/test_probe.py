"""A probe of a world to turn in learns to read its turns; worlds without a mouse, or without poses, do as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.action import ActionSpec
from engine.bench import probe as probes
from engine.bench.matching import Lens
from engine.bench.probe import AFTER, BEFORE, Footage, Probe, train
from engine.world import Camera
from tests.bench.scenes import panorama, seen

CAMERA = Camera(fov=90.0)
SPEC = ActionSpec(("lamp",), (12.0,))
FRAMES = 60


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "RUNS_AT_ONCE", 3)
    monkeypatch.setattr(probes, "TURNS_AT_ONCE", 32)


def footage(seed: int, mouse: bool = True, known: bool = True) -> Footage:
    """Frames of 48x64 pixels of a player who turns at random and lights a lamp for a few frames at a time."""
    random = np.random.default_rng(seed)
    actions = np.zeros((FRAMES, 1 + mouse), dtype=np.float32)
    actions[:, 0] = np.repeat(random.random(FRAMES // 4) < 0.5, 4)
    if mouse:
        actions[1:, 1] = random.uniform(-12, 12, FRAMES - 1)
    headings = actions[:, 1:].sum(axis=1).cumsum()
    poses = np.zeros((FRAMES, 4), dtype=np.float32) if known else np.full((FRAMES, 4), np.nan, dtype=np.float32)
    poses[:, 3] -= headings
    lens = Lens.of(CAMERA.fov, CAMERA.pixel_aspect, 48, 64, 12.0)
    frames = seen(panorama(seed), headings.tolist(), lens, 48, 64) // 2
    frames = frames + (100 * actions[:, :1, None, None]).astype(np.uint8)
    return Footage(lambda start, stop: frames[start:stop], actions, poses)


@pytest.mark.parametrize("known", [True, False])
def test_a_probe_reads_turns_and_keys_of_a_scene_it_never_saw(known):
    probe = train(SPEC, CAMERA, [footage(seed, known=known) for seed in range(4)], 100, 0, torch.device("cpu"))
    other = footage(9)
    read = probe.read(other.frames(0, FRAMES))
    truth = other.actions[BEFORE : FRAMES - AFTER]
    assert read.keys.shape == (len(truth), 1) and read.mouse.shape == (len(truth), 1)
    assert (np.abs(read.mouse[:, 0] - truth[:, 1]) < 2).mean() > 0.9
    assert np.median(np.abs(read.mouse[:, 0] - truth[:, 1])) < 0.6
    assert (read.keys[:, 0] == (truth[:, 0] > 0.5)).mean() > 0.9


def test_the_same_seed_trains_the_same_probe():
    one, other = (train(SPEC, CAMERA, [footage(1)], 3, 5, torch.device("cpu")) for _ in range(2))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_world_without_a_mouse_has_keys_alone():
    probe = train(ActionSpec(("lamp",)), CAMERA, [footage(1, mouse=False)], 60, 0, torch.device("cpu"))
    other = footage(2, mouse=False)
    read = probe.read(other.frames(0, FRAMES))
    assert read.mouse.shape == (FRAMES - BEFORE - AFTER, 0)
    assert (read.keys[:, 0] == (other.actions[BEFORE : FRAMES - AFTER, 0] > 0.5)).mean() > 0.9


def test_what_is_read_depends_on_the_frames_around_alone():
    torch.manual_seed(0)
    probe = Probe(Lens.of(90.0, 1.0, 48, 64, 12.0), ActionSpec(("lamp", "use"), (12.0, 5.0))).eval()
    for parameter in probe.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    frames = footage(3).frames(0, 20).copy()
    before = probe.read(frames)
    assert before.mouse.shape == (20 - BEFORE - AFTER, 2)
    frames[0] = 0
    after = probe.read(frames)
    np.testing.assert_allclose(after.mouse[1:], before.mouse[1:], atol=1e-3)
    assert not np.allclose(after.mouse[0], before.mouse[0], atol=0.1)
