"""Processes of one training: which GPU each sees, and when they agree on how far it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.train import loop
from engine.train.__main__ import see_own_gpu
from engine.train.settings import TrainSettings


@pytest.mark.parametrize(
    ("visible", "local", "chosen"), [(None, 1, "1"), ("", 0, "0"), ("4,7", 1, "7"), ("GPU-a,GPU-b", 0, "GPU-a")]
)
def test_a_process_of_several_sees_its_own_gpu_alone(visible: str | None, local: int, chosen: str) -> None:
    environment = {"WORLD_SIZE": "2", "LOCAL_RANK": str(local)}
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    see_own_gpu(environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == chosen
    alone = {"CUDA_VISIBLE_DEVICES": "3,4"}
    see_own_gpu(alone)
    assert alone == {"CUDA_VISIBLE_DEVICES": "3,4"}


def test_processes_agree_at_once_and_then_every_few_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Nothing:
        name, schedule, module, beside = "codec", loop.Schedule(steps=100), torch.nn.Linear(2, 2), {}

    asked = []
    monkeypatch.setattr(loop, "world_size", lambda: 2)
    monkeypatch.setattr(loop.dist, "broadcast", lambda shared, source: asked.append(float(shared)))
    trainer = loop.Trainer(Nothing(), TrainSettings(out=str(tmp_path)), torch.device("cpu"))  # type: ignore[arg-type]
    trainer.step = 99  # as after a resumption: a stage that is done must not begin anew
    assert trainer._progress() == 0.99
    trainer.step = 100
    assert trainer._progress() == 1
    trainer.step = 41
    assert trainer._progress() == 1 and asked == [0.99, 1]
    trainer.step = 48
    assert trainer._progress() == 0.48
