"""The engine as its users call it: the same calls give the same frames, and wrong calls one clear sentence."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import Action, Engine, EngineError
from engine.errors import ActionError, CheckpointError, ConfigError, FrameError, SessionError, WorldError
from tests.toy import play

WALK = [Action(("forward",), (5.0, 0.0)), Action(), Action(("light",), (-20.0, 0.0)), Action(("forward", "light"))]


def frames_of(engine: Engine, count: int) -> list[np.ndarray]:
    return [engine.step(WALK[index % len(WALK)]).frame for index in range(count)]


def walked(engine: Engine, steps: int, start: int = 0) -> Engine:
    engine.reset(start, seed=5)
    frames_of(engine, steps)
    return engine


def assert_equal_frames(some: list[np.ndarray], others: list[np.ndarray]) -> None:
    assert len(some) == len(others)
    for index, (one, other) in enumerate(zip(some, others, strict=True)):
        np.testing.assert_array_equal(one, other, err_msg=f"frame {index}")


def test_reset_and_step_say_what_they_promise(toy_engine: Engine) -> None:
    assert toy_engine.num_starts == 2
    assert toy_engine.world.name == "toy" and toy_engine.device == "cpu" and toy_engine.denoise_steps == 2
    frame = toy_engine.reset(1)
    np.testing.assert_array_equal(frame, play(1, 7)[0][-1])
    step = toy_engine.step(WALK[0])
    assert step.frame.shape == (64, 96, 3) and step.frame.dtype == np.uint8
    assert step.latency_ms > 0
    assert step.info["frame_index"] == 7 and step.info["memory_entries"] == 2
    assert step.info["memory_bytes"] == 2 * (8 * 22 + 8 * 2 + 4 * 4 + 4 * 6 * (6 + 2 + 2))
    assert len(step.info["pose"]) == 4 and all(map(math.isfinite, step.info["pose"]))
    assert toy_engine.info == step.info


def test_same_seed_and_actions_give_the_same_frames(toy_engine: Engine) -> None:
    toy_engine.reset(0, seed=3)
    first = frames_of(toy_engine, 20)
    toy_engine.reset(0, seed=3)
    assert_equal_frames(first, frames_of(toy_engine, 20))
    with Engine.load("toy", device="cpu", seed=3) as other:
        other.reset(0)
        assert_equal_frames(first, frames_of(other, 20))


def test_seed_start_action_and_history_all_reach_the_frame(toy_engine: Engine) -> None:
    def after(action: Action = WALK[0], **how) -> bytes:
        given: dict[str, Any] = {"start": 0, "seed": 0} | how
        toy_engine.reset(**given)
        toy_engine.step(action)
        return toy_engine.step(Action()).frame.tobytes()

    pixels, actions, poses = play(0, 7)
    seen = [after(), after(WALK[2]), after(seed=1), after(start=1), after(history=(pixels[3:], actions[3:], poses[3:]))]
    assert len(set(seen)) == len(seen)
    assert after() == seen[0]


def test_a_history_equals_the_start_it_was_taken_from(toy_engine: Engine) -> None:
    pixels, actions, poses = play(0, 7)
    toy_engine.reset(0)
    told = frames_of(toy_engine, 5)
    toy_engine.reset(history=(pixels, actions, poses))
    assert_equal_frames(told, frames_of(toy_engine, 5))
    decoded = [toy_engine.action_spec.decode(row) for row in actions]
    toy_engine.reset(history=(pixels, decoded, poses))
    assert_equal_frames(told, frames_of(toy_engine, 5))


def test_histories_without_poses_and_images_begin_too(toy_engine: Engine) -> None:
    pixels, actions, _ = play(0, 7)
    np.testing.assert_array_equal(toy_engine.reset(history=(pixels, actions)), pixels[-1])
    assert toy_engine.step(WALK[0]).info["frame_index"] == 7
    np.testing.assert_array_equal(toy_engine.reset(start=pixels[2]), pixels[2])
    assert toy_engine.step(WALK[0]).info["frame_index"] == 1


def test_observing_a_history_equals_beginning_with_it_up_to_rounding(exact_engine: Engine) -> None:
    pixels, actions, poses = play(0, 7)
    exact_engine.reset(0)
    whole = frames_of(exact_engine, 3)
    exact_engine.reset(history=(pixels[:3], actions[:3], poses[:3]))
    for frame, action, pose in zip(pixels[3:], actions[3:], poses[3:], strict=True):
        exact_engine.observe(frame, exact_engine.action_spec.decode(action), pose)
    seen = np.stack(frames_of(exact_engine, 3)).astype(int)
    # A history is encoded many frames at a time, which rounds differently.
    assert np.abs(seen - np.stack(whole)).mean() < 0.5
    assert np.abs(seen - seen[::-1]).mean() > 10.0


def test_observing_without_a_pose_has_it_estimated(toy_engine: Engine) -> None:
    toy_engine.reset(0)
    before = toy_engine.info["pose"]
    toy_engine.observe(play(0, 7)[0][0], WALK[0])
    assert toy_engine.info["frame_index"] == 7 and toy_engine.info["pose"] != before


def test_engines_that_share_a_network_play_apart(toy_engine: Engine) -> None:
    toy_engine.reset(0)
    alone = frames_of(toy_engine, 6)
    other = toy_engine.share(seed=9)
    toy_engine.reset(0)
    other.reset(1)
    mixed = []
    for action in (WALK * 2)[:6]:
        mixed.append(toy_engine.step(action).frame)
        other.step(WALK[1])
    assert_equal_frames(alone, mixed)
    assert other.model is toy_engine.model
    toy_engine.close()
    other.step(WALK[0])


BAD_ACTIONS = {
    "unknown key": (Action(("forwards",)), "did you mean 'forward'"),
    "keys as text": (Action("forward"), r"write \('forward',\)"),  # type: ignore[arg-type]
    "nan mouse": (Action((), (math.nan, 0.0)), "finite"),
    "infinite mouse": (Action((), (0.0, math.inf)), "finite"),
    "too far": (Action((), (31.0, 0.0)), "at most 30"),
    "absent axis": (Action((), (0.0, 1.0)), "not an axis"),
    "one number": (Action((), (1.0,)), "yaw, pitch"),  # type: ignore[arg-type]
    "a dict": ({"keys": [0, 0], "mouse": [0]}, "not dict"),
    "nothing": (None, "not NoneType"),
}


@pytest.mark.parametrize("name", BAD_ACTIONS)
def test_wrong_actions_say_so_and_change_nothing(toy_engine: Engine, name: str) -> None:
    action, words = BAD_ACTIONS[name]
    toy_engine.reset(0)
    expected = frames_of(toy_engine, 4)
    toy_engine.reset(0)
    got = frames_of(toy_engine, 2)
    for call in (lambda: toy_engine.step(action), lambda: toy_engine.observe(expected[0], action)):
        with pytest.raises(ActionError, match=words):
            call()
    got += [toy_engine.step(WALK[2]).frame, toy_engine.step(WALK[3]).frame]
    assert_equal_frames(expected, got)


PIXELS, ACTIONS, POSES = play(0, 4)
BAD_RESETS = {
    "start too high": ({"start": 2}, EngineError, "ships 0 to 1"),
    "start below": ({"start": -1}, EngineError, "no start -1"),
    "start of text": ({"start": "one"}, FrameError, "'one'"),
    "start of truth": ({"start": True}, FrameError, "True"),
    "small image": ({"start": PIXELS[0][:32]}, FrameError, r"\(64, 96, 3\)"),
    "grey image": ({"start": PIXELS[0, :, :, 0]}, FrameError, r"\(64, 96, 3\)"),
    "float image": ({"start": PIXELS[0] / 255}, FrameError, "uint8, not float64"),
    "history of one part": ({"history": (PIXELS,)}, FrameError, "frames, actions"),
    "history of no tuple": ({"history": 3}, FrameError, "frames, actions"),
    "unequal lengths": ({"history": (PIXELS, ACTIONS[:3])}, FrameError, "4 and 3"),
    "unequal poses": ({"history": (PIXELS, ACTIONS, POSES[:3])}, FrameError, "each of 4 frames"),
    "infinite poses": ({"history": (PIXELS, ACTIONS, POSES + np.inf)}, FrameError, "finite"),
    "poses of text": ({"history": (PIXELS, ACTIONS, np.full((4, 4), "x"))}, FrameError, "numbers"),
    "ragged frames": ({"history": ([PIXELS[0], PIXELS[0][:3]], ACTIONS[:2])}, FrameError, "one shape"),
    "nothing at all": ({"history": (PIXELS[:0], ACTIONS[:0])}, FrameError, "at least one"),
    "no action": ({"history": (PIXELS[:1], [])}, FrameError, "1 and 0"),
    "wide actions": ({"history": (PIXELS, np.zeros((4, 9)))}, ActionError, r"\[n, 3\]"),
    "nan actions": ({"history": (PIXELS, ACTIONS * np.nan)}, ActionError, "finite"),
    "unknown keys": ({"history": (PIXELS[:1], [Action(("jump",))])}, ActionError, "jump"),
    "a number of actions": ({"history": (PIXELS, 4)}, ActionError, "list of engine.Action"),
    "seed of text": ({"seed": "x"}, ConfigError, "'x'"),
    "seed below": ({"seed": -1}, ConfigError, "-1"),
    "seed too large": ({"seed": 2**63}, ConfigError, "seed"),
}


@pytest.mark.parametrize("name", BAD_RESETS)
def test_wrong_resets_say_so_and_keep_the_session(toy_engine: Engine, name: str) -> None:
    how, kind, words = BAD_RESETS[name]
    toy_engine.reset(0)
    with pytest.raises(kind, match=words):
        toy_engine.reset(**how)
    assert toy_engine.step(WALK[0]).info["frame_index"] == 7
    assert toy_engine.seed == 0


@pytest.mark.parametrize(
    ("frame", "pose", "words"),
    [
        (PIXELS[0, :32], None, r"\(64, 96, 3\)"),
        (PIXELS[0].astype(np.float32), None, "uint8"),
        (None, None, "uint8"),
        (PIXELS[0], (1.0, 2.0), "x, y, z, angle"),
        (PIXELS[0], (1.0, 2.0, math.inf, 0.0), "finite"),
        (PIXELS[0], "here", "x, y, z, angle"),
    ],
)
def test_wrong_observations_say_so(toy_engine: Engine, frame, pose, words: str) -> None:
    toy_engine.reset(0)
    with pytest.raises(FrameError, match=words):
        toy_engine.observe(frame, WALK[0], pose)
    assert toy_engine.info["frame_index"] == 6


def test_calls_out_of_order_say_so(toy_engine: Engine, tmp_path: Path) -> None:
    calls = [
        lambda: toy_engine.step(WALK[0]),
        lambda: toy_engine.observe(PIXELS[0], WALK[0]),
        lambda: toy_engine.info,
        lambda: toy_engine.snapshot(),
        lambda: toy_engine.rewind(frames=0),
        lambda: toy_engine.save(tmp_path / "a.save"),
        lambda: toy_engine.branch(),
    ]
    for call in calls:
        with pytest.raises(SessionError, match="reset"):
            call()
    toy_engine.close()
    toy_engine.close()
    for call in [*calls, lambda: toy_engine.reset(0), lambda: toy_engine.share()]:
        with pytest.raises(SessionError, match="closed"):
            call()


BAD_LOADS = {
    "a misspelt world": ({"name": "tay"}, WorldError, "did you mean 'toy'"),
    "no folder": ({"name": "some/where"}, CheckpointError, "some/where"),
    "no name": ({"name": ""}, ConfigError, "''"),
    "a number": ({"name": 3}, ConfigError, "3"),
    "a strange device": ({"device": "quantum"}, ConfigError, "quantum"),
    "no device": ({"device": None}, ConfigError, "None"),
    "another device": ({"device": "meta"}, ConfigError, "meta"),
    "no denoise steps": ({"denoise_steps": 0}, ConfigError, "denoise_steps"),
    "half a denoise step": ({"denoise_steps": 0.5}, ConfigError, "denoise_steps"),
    "no threads": ({"threads": 0}, ConfigError, "threads"),
    "countless denoise steps": ({"denoise_steps": 10**9}, ConfigError, "denoise_steps is .* from 1 to 1000"),
    "countless threads": ({"threads": 10**5}, ConfigError, "threads is .* from 1 to 512"),
    "a seed of text": ({"seed": "x"}, ConfigError, "seed"),
}


@pytest.mark.parametrize("name", BAD_LOADS)
def test_wrong_loads_say_so(toy: Path, name: str) -> None:
    how, kind, words = BAD_LOADS[name]
    with pytest.raises(kind, match=words):
        Engine.load(**({"name": "toy", "device": "cpu"} | how))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_says_so(toy: Path) -> None:
    with pytest.raises(ConfigError, match="use device=cpu"):
        Engine.load("toy", device="cuda")
    with Engine.load("toy") as engine:
        assert engine.device == "cpu"


def test_a_checkpoint_is_also_found_by_its_folder(toy: Path, toy_engine: Engine) -> None:
    for name in (toy, str(toy)):
        with Engine.load(name, device="cpu") as engine:  # type: ignore[arg-type]
            assert engine.checkpoint_hash == toy_engine.checkpoint_hash


def test_damaged_and_foreign_checkpoints_say_so(toy: Path, tmp_path: Path) -> None:
    def changed(name: str, **manifest) -> str:
        shutil.copytree(toy, tmp_path / name)
        path = tmp_path / name / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | manifest))
        return str(tmp_path / name)

    cut = changed("cut")
    weights = Path(cut) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated"):
        Engine.load(cut, device="cpu")
    with pytest.raises(WorldError, match="atlantis"):
        Engine.load(changed("foreign", world="atlantis"), device="cpu")
    with pytest.raises(CheckpointError, match="update the engine"):
        Engine.load(changed("future", format=99), device="cpu")


def test_a_checkpoint_of_other_actions_does_not_fit(toy: Path, tmp_path: Path, monkeypatch) -> None:
    text = (Path(__file__).parent / "toy" / "world.yaml").read_text()
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "world.yaml").write_text(text.replace("- {name: light, bind: [e], button: light}", ""))
    monkeypatch.setattr("engine.world.WORLDS", tmp_path)
    with pytest.raises(CheckpointError, match=r"\(64, 96, 3, 1\), not \(64, 96, 2, 1\)"):
        Engine.load("toy", device="cpu")
