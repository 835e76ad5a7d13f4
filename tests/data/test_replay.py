"""A recording's actions give its frames again; whatever is not so is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import Engine, checkpoint
from engine.data.machine import describe_machine
from engine.data.recording import BEGINNING, Recorder, open_recording
from engine.data.replay import replay
from engine.errors import EngineError, RecordingError
from engine.play import app
from tests.conftest import random_model
from tests.test_core import WALK


def record(engine: Engine, folder: Path, steps: int, frame: np.ndarray, **more: Any) -> Path:
    recorder = Recorder(
        folder, engine.world, seed=engine.seed, start=1, checkpoint_hash=engine.checkpoint_hash, device=engine.device,
        denoise_steps=engine.denoise_steps, **more,
    )  # fmt: skip
    recorder.add(frame)
    for index in range(steps):
        action = WALK[index % len(WALK)]
        step = engine.step(action)
        recorder.add(step.frame, engine.action_spec.encode(action), step.latency_ms, step.info["pose"])
    recorder.close()
    return folder


@pytest.fixture
def recorded(toy_engine: Engine, tmp_path: Path) -> Path:
    return record(toy_engine, tmp_path / "tape", 12, toy_engine.reset(1, seed=6), first_frame=0)


def changed(folder: Path, **meta: Any) -> Path:
    copy = folder.with_name("changed")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    known = json.loads((folder / "recording.json").read_text())
    (copy / "recording.json").write_text(json.dumps(known | meta))
    return copy


def test_every_frame_is_the_same(toy_engine: Engine, recorded: Path) -> None:
    toy_engine.reset(0, seed=2)
    seen = []
    found = replay(recorded, toy_engine, lambda index, frame: seen.append((index, frame)))
    assert found.same and str(found) == "all 13 frames are the same"
    assert (found.num_frames, found.num_same, found.first_difference, found.circumstances) == (13, 13, None, ())
    assert [index for index, _ in seen] == list(range(13)) and toy_engine.seed == 6
    assert replay(open_recording(recorded), toy_engine) == found


def test_a_changed_action_is_found_at_its_frame(toy_engine: Engine, recorded: Path) -> None:
    lines = (recorded / "actions.jsonl").read_text().splitlines()
    line = json.loads(lines[5])
    lines[5] = json.dumps(line | {"action": [1.0, 1.0, 12.0]})
    (recorded / "actions.jsonl").write_text("\n".join(lines) + "\n")
    found = replay(recorded, toy_engine)
    assert not found.same and found.first_difference == 5 and found.num_same == 5
    assert str(found) == "5 of 13 frames are the same, frame 5 is not"


def test_another_seed_is_not_the_same(toy_engine: Engine, recorded: Path) -> None:
    found = replay(changed(recorded, seed=7), toy_engine)
    assert found.first_difference == 1


def test_another_checkpoint_says_so(toy_engine: Engine, recorded: Path, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "other", random_model(1), "toy", {})
    with Engine.load(str(tmp_path / "other"), device="cpu") as other:
        found = replay(recorded, other)
    assert not found.same and found.first_difference == 1
    hashes = f"checkpoint was {toy_engine.checkpoint_hash[:12]}, is {other.checkpoint_hash[:12]}"
    assert str(found).startswith(f"not the same replay: {hashes}; 1 of 13")


def test_another_device_or_number_of_steps_claims_nothing(toy_engine: Engine, recorded: Path) -> None:
    found = replay(changed(recorded, device="cuda", denoise_steps=3), toy_engine)
    assert not found.same and found.num_same == 13
    assert str(found) == (
        "not the same replay: device was cuda, is cpu; denoise steps was 3, is 2; all 13 frames are the same"
    )


def test_another_machine_claims_nothing(toy_engine: Engine, recorded: Path) -> None:
    here = describe_machine("cpu")
    assert "PyTorch" in here and here.isprintable() and describe_machine("cpu") == here
    assert replay(changed(recorded, machine=here), toy_engine).same
    found = replay(changed(recorded, machine="an abacus, PyTorch 1"), toy_engine)
    assert not found.same and found.num_same == 13
    said = f"not the same replay: machine was an abacus, PyTorch 1, is {here}; all 13 frames are the same"
    assert str(found) == said
    found = replay(changed(recorded, machine="an abacus", device="cuda"), toy_engine)
    assert str(found) == "not the same replay: device was cuda, is cpu; all 13 frames are the same"


def test_another_number_of_threads_claims_nothing_and_as_many_are_taken_again(
    toy_engine: Engine, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(changed(recorded, threads=1), toy_engine).same
    found = replay(changed(recorded, threads=2), toy_engine)
    assert str(found) == "not the same replay: number of threads was 2, is 1; all 13 frames are the same"
    torch.set_num_threads(2)
    assert replay(changed(recorded, threads=1), toy_engine).circumstances == ("number of threads was 1, is 2",)
    assert app.main(["world=toy", "device=cpu", f"replay={recorded.with_name('changed')}"]) == 0
    assert torch.get_num_threads() == 1 and capsys.readouterr().out == "all 13 frames are the same\n"


def test_a_thousand_frames_are_the_same_one_by_one(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tape"
    words = ["world=toy", "device=cpu", "denoise_steps=1"]
    assert app.main([*words, "headless=true", "frames=999", "start=1", "seed=4", f"record={folder}"]) == 0
    tape = open_recording(folder)
    assert len(tape) == 1000 and len(set(tape.digests)) > 900, "a still picture would prove nothing"
    told = {name: tape.meta[name] for name in ("machine", "device", "threads")}
    assert told == {"machine": describe_machine("cpu"), "device": "cpu", "threads": 1}
    capsys.readouterr()
    assert app.main([*words, f"replay={folder}"]) == 0
    assert capsys.readouterr().out == "all 1000 frames are the same\n"


def test_a_recording_from_the_middle_needs_its_session(toy_engine: Engine, tmp_path: Path) -> None:
    toy_engine.reset(0, seed=3)
    frame = [toy_engine.step(action).frame for action in WALK][-1]
    toy_engine.save(tmp_path / "kept.save")
    folder = record(toy_engine, tmp_path / "tape", 6, frame, first_frame=4)
    with pytest.raises(RecordingError, match="begins at frame 4 of its session"):
        replay(folder, toy_engine)
    shutil.copy(tmp_path / "kept.save", folder / BEGINNING)
    assert replay(folder, toy_engine).same


@pytest.mark.parametrize(
    ("meta", "kind", "words"),
    [
        ({"world": "doom"}, RecordingError, "of world 'doom', not of 'toy'"),
        ({"keys": ["forward", "lamp"]}, RecordingError, "other actions or frames"),
        ({"height": 32}, RecordingError, "other actions or frames"),
        ({"start": 9}, EngineError, "ships 0 to 1"),
        ({"start": None}, EngineError, "None"),
        ({"seed": "x"}, RecordingError, "seed .x."),
        ({"first_frame": "x"}, RecordingError, "'x'"),
        ({"format": 7}, RecordingError, "format 7"),
    ],
)
def test_recordings_that_cannot_be_executed_say_so(
    toy_engine: Engine, recorded: Path, meta: dict[str, Any], kind: type, words: str
) -> None:
    with pytest.raises(kind, match=words):
        replay(changed(recorded, **meta), toy_engine)
    with pytest.raises(RecordingError, match="no recording"):
        replay(recorded.parent / "nowhere", toy_engine)
