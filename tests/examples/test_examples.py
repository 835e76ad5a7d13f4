"""Every example runs, at toy size, and does what it says."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import engine.env  # noqa: F401  # before the toy is all there is
from engine import Action, Engine, EngineError, checkpoint
from engine.data.recording import open_recording
from tests.toy import play, record_play

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_has_a_test() -> None:
    tested = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'example("{path.stem}")' in tested, f"{path.name} is not run"


def test_what_cannot_be_is_one_sentence_without_an_installation() -> None:
    """From a fresh checkout, as an example's first lines say."""
    for name in ("agent", "tour"):
        assert f"python -m examples.{name}" in (EXAMPLES / f"{name}.py").read_text()
    words = [sys.executable, "-m", "examples.tour", "nowhere"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=EXAMPLES.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("there is no world 'nowhere'"), done.stderr


NEEDS = [
    ("ppo", "stable_baselines3"), ("ppo", "gymnasium"), ("agent", "gymnasium"), ("rollouts", "gymnasium"),
    ("side_by_side", "gymnasium"),
]  # fmt: skip


@pytest.fixture(scope="module")
def without() -> dict[tuple[str, str], tuple[int, str]]:
    """How each example ends, and what it says, where a package that it needs is missing; all are begun at once."""
    begun = {}
    for name, package in NEEDS:
        code = f"import runpy, sys; sys.modules['{package}'] = None; runpy.run_module('examples.{name}')"
        words = [sys.executable, "-c", code]
        begun[name, package] = subprocess.Popen(words, cwd=EXAMPLES.parent, stderr=subprocess.PIPE, text=True)
    said = {needed: process.communicate()[1] for needed, process in begun.items()}
    return {needed: (process.returncode, said[needed]) for needed, process in begun.items()}


@pytest.mark.parametrize(("name", "package"), NEEDS)
def test_what_is_not_installed_is_one_sentence(
    name: str, package: str, without: dict[tuple[str, str], tuple[int, str]]
) -> None:
    returncode, said = without[name, package]
    assert returncode == 1
    pip = package.replace("_", "-")
    assert said == f"this example needs what is not installed: pip install {pip}\n"


def test_the_tour(toy: Path, tmp_path: Path) -> None:
    frames = example("tour").tour("toy", 20, str(tmp_path / "sheet.png"))
    assert frames.shape == (21, 64, 96, 3)
    import imageio.v3 as imageio

    sheet = imageio.imread(tmp_path / "sheet.png")
    assert sheet.shape == (64, 5 * 96, 3)
    np.testing.assert_array_equal(sheet[:, 96:192], frames[8])


def test_the_agent(toy: Path) -> None:
    agent = example("agent")
    total = agent.play("toy", 8)
    assert total >= 0 and agent.play("toy", 8) == total
    text = (EXAMPLES / "agent.py").read_text().split("def play")[1].split("if __name__")[0]
    code = [line for line in text.splitlines() if line.strip()]
    assert len(code) <= 20


def test_record_and_look(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = example("record").main("toy", str(tmp_path / "tape"), 10)
    assert found == "all 11 frames are the same"
    assert len(open_recording(tmp_path / "tape")) == 11
    assert "forward was held in" in capsys.readouterr().out


def test_record_and_finetune(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_play(tmp_path / "recordings" / "mine", 0, 40)
    short = ["device=cpu", "generator.schedule.steps=2", "generator.schedule.batch=2", "generator.frames=4"]
    short.append("generator.review_chunks=4")
    module = example("finetune")
    made = module.main("toy", str(tmp_path / "recordings"), str(tmp_path / "out"), *short)
    before, after = (checkpoint.load(folder, "toy")[0].state_dict() for folder in (toy, made))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert "generator" in changed and "codec" not in changed
    assert "draws (64, 96, 3)" in capsys.readouterr().out
    with pytest.raises(EngineError, match="stage latents"):
        module.finetune(str(tmp_path / "nothing"), "toy", str(tmp_path / "none"), *short)


def test_batch_rollouts(toy: Path) -> None:
    totals = example("rollouts").rollouts("toy", 3, 5)
    assert totals.shape == (3,) and (totals >= 0).all()


def test_ppo(toy: Path) -> None:
    pytest.importorskip("stable_baselines3")
    module = example("ppo")
    walk = [Action(("forward",)), Action((), (20.0, 0.0)), Action(("light",))]
    model = module.train("toy", walk, steps=64, n_steps=32, batch_size=32)
    assert model.num_timesteps == 64
    action, _ = model.predict(play(0, 1)[0][0])
    assert 0 <= int(action) < 3


class ToyGame:
    """The toy's real game: an episode that takes any action."""

    def __init__(self) -> None:
        self.frames, _, self.poses = play(0, 40)

    def reset(self, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        self.index = 0
        return self.frames[0], {"pose": tuple(self.poses[0])}

    def step(self, action: Action) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.index += 1
        return self.frames[self.index], 0.0, False, False, {"pose": tuple(self.poses[self.index])}


def test_side_by_side(toy_engine: Engine) -> None:
    module = example("side_by_side")
    pairs, apart = module.compare(ToyGame(), toy_engine, module.wander, 5)
    assert pairs.shape == (5, 64, 192, 3) and apart.shape == (5,)
    np.testing.assert_array_equal(pairs[:, :, :96], play(0, 40)[0][12:17])
    assert np.isfinite(apart).all()
    assert module.wander(np.zeros((64, 96, 3), np.uint8)) == Action(("forward",), (0.0, 0.0))


def test_a_policy_is_evaluated_in_both_worlds(toy_engine: Engine) -> None:
    module = example("side_by_side")
    generated = engine.env.GeneratedEnv(engine=toy_engine)
    steps = [(module.wander, 6, engine.env.Explore(0.05)) for _ in range(2)]
    found = [module.evaluate(generated, *step, start=play(0, 1)[0][0]) for step in steps]
    assert found[0] == found[1] >= 0
    always = module.evaluate(generated, module.wander, 6, Constant())
    assert always == 6.0 and toy_engine.info["frame_index"] == 12


class Constant:
    def reset(self, pose: tuple) -> None:
        self.begun = pose

    def __call__(self, frame: np.ndarray, pose: tuple, info: dict) -> float:
        return 1.0
