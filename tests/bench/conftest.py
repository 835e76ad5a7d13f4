"""A tiny random model of the toy game, and footage of it in which players come back over the very same poses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import checkpoint, config, world
from engine.bench import clips
from engine.bench.settings import BenchSettings
from engine.bench.subject import Subject
from engine.core import Engine
from engine.data.episode import write_episode
from engine.data.footage import FootageConfig
from engine.model.network import WorldModel
from engine.model.settings import ModelSettings
from tests.toy import HERE, TINY, play

VISIT, AWAY = 12, 10
SMALL = [
    "device=cpu", "denoise_steps=1", "batch=2", "flip=false", "codec.frames=12", "codec.episodes=2",
    "next_frame.sequences=2", "next_frame.frames=3", "next_frame.history=12", "next_frame.steps=[1,2]",
    "revisit.gaps=[10]", "revisit.sequences=3", "revisit.frames=8", "revisit.sheet=2",
    "pose.steps=6", "pose.marks=[2,6,99]", "pose.history=9", "pose.sequences=2", "pose.gap=10", "pose.frames=8",
    "pose.units=[64]", "pose.degrees=[10]", "state.deeds=[door]", "state.gap=10",
    "state.sequences=2", "state.frames=8", "drift.seconds=4",
    "drift.history=8", "drift.sheet_every=1", "memory.blocks=6", "actions.train_frames=60",
    "actions.train_steps=8", "actions.sequences=2", "actions.frames=6", "latency.frames=4", "latency.history=12",
    "latency.steps=[1,2]", "growth.lengths=[12,30]", "growth.frames=3", "throughput.batches=[1,3]",
    "throughput.frames=2", "replay.frames=5",
]  # fmt: skip


def returning(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """An episode of the toy game that comes back over the poses of its beginning, and its marks."""
    pixels, actions, poses = play(seed, 4 * frames)
    dark = np.flatnonzero(actions[:, 1] == 0)[: VISIT + AWAY]
    visit, away = dark[:VISIT], dark[VISIT:]
    order = np.concatenate([visit, away, visit[::-1]])
    order = np.concatenate([order, np.full(max(0, frames - len(order)), order[-1])])[:frames]
    moved = np.zeros((frames, 3), dtype=np.float32)
    moved[1:, 2] = np.clip(-np.diff(poses[order, 3]), -30, 30)
    back = VISIT + AWAY
    marks = {"visit_start": 0, "visit_end": VISIT, "return_start": back, "return_end": back + VISIT}
    return pixels[order], moved, poses[order], marks


def record(settings: FootageConfig) -> int:
    """Stands in for the recording of real games: whole episodes of the toy game."""
    revisits = not settings.tours["homes"] and not settings.tours["explore"]
    for seed in range(settings.episodes):
        marks: dict[str, Any] = {}
        if revisits:
            pixels, actions, poses, marks = returning(seed, settings.frames)
        else:
            pixels, actions, poses = play(seed, settings.frames)
        meta = {"world": "toy", "seed": seed, **marks}
        write_episode(Path(settings.out) / f"{seed:03d}", pixels, actions, poses, meta)
    return settings.episodes


@pytest.fixture(scope="session")
def toy_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    game = world.load(HERE)
    spec = game.action_spec
    sizes = ["height=64", "width=96", f"action_size={spec.size}", f"action_scale={spec.scale.tolist()}"]
    settings = config.load(ModelSettings, [], [*sizes, *(word.removeprefix("model.") for word in TINY)])
    model = WorldModel(settings)
    for name, parameter in model.named_parameters():
        if name.startswith(("generator", "encoder", "memory")):
            torch.nn.init.normal_(parameter, std=0.08)
    folder = tmp_path_factory.mktemp("checkpoint")
    checkpoint.save(folder, model, str(HERE), {}, weights="float32")
    return folder


@pytest.fixture(scope="session")
def kept_footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where footage lies that every bench would record alike."""
    return tmp_path_factory.mktemp("footage")


@pytest.fixture
def words(toy_checkpoint: Path, kept_footage: Path, tmp_path: Path) -> list[str]:
    """Settings of a bench of the toy game that takes seconds."""
    places = [f"footage={kept_footage}", f"out={tmp_path / 'bench.json'}", f"media={tmp_path / 'media'}"]
    return [f"checkpoint={toy_checkpoint}", *places, *SMALL]


@pytest.fixture
def make_subject(words: list[str], toy_footage: None) -> Callable[..., Subject]:
    def make(**changes: Any) -> Subject:
        settings = replace(config.load(BenchSettings, [], words), **changes)
        engine = Engine.load(settings.checkpoint, "cpu", denoise_steps=settings.denoise_steps)
        engine.model.float()  # tests compare pictures exactly, whatever the machine's best precision
        return Subject(engine, settings)

    return make


@pytest.fixture
def toy_footage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(clips, "record_all", record)
    yield
