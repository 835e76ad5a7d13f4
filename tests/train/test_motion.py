"""The motion stage on a camera that is pushed by keys and slowed by friction, as in most games."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from engine import checkpoint
from engine.data.stores import LatentStore
from engine.model import pose as poses
from engine.model.network import WorldModel
from engine.train.loop import Trainer
from engine.train.motion import MotionTraining
from engine.train.settings import MotionStage, Schedule, TrainSettings
from tests.conftest import TOY
from tests.toy import HERE

PUSH, KEPT = 0.02, 0.9  # pose units a tick; share of speed that a tick leaves


def walk(episodes: int, frames: int, seed: int) -> LatentStore:
    """Two ticks a frame: pushed ahead while the first key is held, to the right while the second is."""
    random = torch.Generator().manual_seed(seed)
    held = torch.rand(episodes, frames // 5 + 1, 2, generator=random) < 0.5
    actions = torch.zeros(episodes, frames, TOY.action_size)
    actions[..., :2] = held.repeat_interleave(5, dim=1)[:, :frames].float()
    actions[..., -1] = torch.randint(-9, 10, (episodes, frames), generator=random).float()
    place, speed = torch.zeros(episodes, 2), torch.zeros(episodes, 2)
    heading, seen_from = torch.zeros(episodes), []
    for frame in range(frames):
        heading = heading + torch.deg2rad(actions[:, frame, -1])
        ahead = torch.stack([heading.cos(), heading.sin()], dim=-1)
        right = torch.stack([-heading.sin(), heading.cos()], dim=-1)
        push = PUSH * (actions[:, frame, :1] * ahead + actions[:, frame, 1:2] * right)
        for _ in range(2):
            speed = speed + push
            place, speed = place + speed, speed * KEPT
        seen_from.append(torch.cat([place, heading[:, None], torch.zeros(episodes, 1)], dim=1))
    shape = episodes, frames, *TOY.latent_shape
    return LatentStore(torch.zeros(shape), actions, torch.stack(seen_from, dim=1), torch.zeros(shape[:4]))


@pytest.fixture
def trained(tmp_path: Path) -> tuple[WorldModel, dict[str, float], Path]:
    for name, store in (("train_0", walk(24, 60, 0)), ("validation", walk(4, 60, 1))):
        store.save(tmp_path / f"latents/{name}.safetensors")
    motion = MotionStage(Schedule(steps=600, batch=256, rate=1e-2, warmup=1, decay=0.8, ema=0.98))
    settings = TrainSettings(world=str(HERE), out=str(tmp_path), latents=str(tmp_path / "latents"), motion=motion)
    torch.manual_seed(0)
    model = WorldModel(TOY)
    stage = MotionTraining(model, settings, torch.device("cpu"))
    return model, Trainer(stage, settings, torch.device("cpu")).run(), tmp_path


def test_what_keys_and_friction_do_is_foreseen(trained: tuple[WorldModel, dict[str, float], Path]) -> None:
    model, figures, folder = trained
    steps = walk(4, 60, 1).poses
    moved = float(poses.motion_between(steps[:, 1:-1], steps[:, 2:])[..., :2].norm(dim=-1).mean())
    assert figures["mean"] < 0.01 * moved / poses.MOTION_SCALE[0]
    assert figures["middle"] <= figures["worse"] and math.isfinite(figures["worse"])
    kept = checkpoint.load(folder)[0].generator.momentum.state_dict()
    for name, tensor in model.generator.momentum.state_dict().items():
        assert kept[name].shape == tensor.shape and kept[name].any(), name


def test_shipped_weights_foresee_the_same(trained: tuple[WorldModel, dict[str, float], Path], tmp_path: Path) -> None:
    """Nothing of it is rounded, whatever else is."""
    kept = checkpoint.load(trained[2])[0].eval()
    checkpoint.save(tmp_path / "shipped", kept, "toy", {})
    shipped = checkpoint.load(tmp_path / "shipped")[0].to(torch.bfloat16)
    random = torch.Generator().manual_seed(0)
    pose, motion = torch.randn(5, 4, generator=random), torch.randn(5, 4, generator=random)
    before, action = (torch.randint(0, 2, (5, TOY.action_size), generator=random).float() for _ in range(2))
    for found, expected in zip(*(m.ask(pose, motion, before, action) for m in (shipped, kept)), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
