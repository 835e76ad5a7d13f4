"""Damaged, forged and foreign recordings play as before or are refused in one sentence; nothing in them is run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine import Engine, EngineError
from engine.data.recording import BEGINNING, Recorder, open_recording
from engine.data.replay import replay
from engine.play import app
from tests.damage import Damager, copied, one_sentence, rounds, within
from tests.test_core import WALK

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits on time and memory are POSIX's")
ROUNDS = rounds(110)  # of each kind of recording


def recorded(engine: Engine, folder: Path, first_frame: int) -> Path:
    """A recording of eight frames, from the beginning or, with its session, from the middle."""
    frame = engine.reset(1, seed=6)
    for index in range(first_frame):
        frame = engine.step(WALK[index % len(WALK)]).frame
    recorder = Recorder(
        folder, engine.world, seed=engine.seed, start=1, checkpoint_hash=engine.checkpoint_hash, device=engine.device,
        denoise_steps=engine.denoise_steps, first_frame=first_frame,
    )  # fmt: skip
    if first_frame:
        engine.save(folder / BEGINNING)
    recorder.add(frame)
    for action in WALK + WALK[:3]:
        step = engine.step(action)
        recorder.add(step.frame, engine.action_spec.encode(action), step.latency_ms, step.info["pose"])
    recorder.close()
    return folder


@pytest.mark.parametrize("first_frame", [0, 5])
def test_two_hundred_mutations_play_as_before_or_are_one_sentence(
    toy_engine: Engine, tmp_path: Path, first_frame: int
) -> None:
    whole = recorded(toy_engine, tmp_path / "whole", first_frame)
    expected = open_recording(whole)
    assert replay(expected, toy_engine).same
    mark = tmp_path / "executed"
    damager, refused, same = Damager(first_frame, mark), 0, 0
    for index in range(ROUNDS):
        folder = copied(whole, tmp_path / "changed")
        what = damager.damage(folder, index)
        try:
            with within(seconds=20):
                tape = open_recording(folder)
                assert len(tape) <= len(expected), what
                frames = tape.frames()
                assert frames.shape == (len(tape), 64, 96, 3), what
                found = replay(tape, toy_engine)
        except EngineError as error:
            refused += 1
            assert one_sentence(str(error)), f"{what}: {str(error)[:1000]!r}"
        except BaseException as error:
            raise AssertionError(what) from error
        else:
            assert one_sentence(str(found)), f"{what}: {str(found)[:1000]!r}"
            same += found.same
            assert not found.same or tape.digests == expected.digests[: len(tape)], what
        assert not mark.exists(), what
    assert refused > ROUNDS / 4 and same > ROUNDS / 10


def said(**change: object):
    """Damage by which recording.json says something else."""

    def damage(folder: Path) -> None:
        path = folder / "recording.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return damage


def linked(name: str, to: str):
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(to)

    return damage


def written(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


DAMAGED = {
    "cut short": (written("recording.json", b'{"format": 1, "world": "to'), "cannot be read"),
    "not JSON": (written("recording.json", b"\xff\x00" * 99), "cannot be read"),
    "endless": (linked("recording.json", "/dev/zero"), "not a file of the recording's own"),
    "of the future": (said(format=2, novelty={}), "format 2 is not 1; update the engine"),
    "of another world": (said(world="doom\n"), "of world 'doom\\n', not of 'toy'"),
    "of a wrong kind": (said(height=[64]), "height is [64]"),
    "of huge frames": (said(height=10**9), "height is 1000000000"),
    "of endless steps": (said(denoise_steps=10**12), "denoise_steps is 1000000000000"),
    "of no beginning": (said(start="../../x"), "does not say where its session began"),
    "a video elsewhere": (linked("video.mp4", "../whole/video.mp4"), "not a file of the recording's own"),
    "a list for a video": (written("video.mp4", b"ffconcat version 1.0\nfile whole/video.mp4\n"), "no whole frame"),
    "a session elsewhere": (
        lambda folder: (folder / BEGINNING).symlink_to(folder / "video.mp4"),
        "not a saved session",
    ),
    "no lines": (lambda folder: (folder / "actions.jsonl").unlink(), "no whole frame"),
}


def test_the_command_answers_damaged_recordings_with_one_sentence(
    toy_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = recorded(toy_engine, tmp_path / "whole", 0)
    words = ["world=toy", "device=cpu", "headless=true"]
    assert app.main([*words, f"replay={whole}"]) == 0
    assert capsys.readouterr().out == "all 8 frames are the same\n"
    for name, (damage, says) in DAMAGED.items():
        folder = copied(whole, tmp_path / "changed")
        damage(folder)
        with within(seconds=20):
            assert app.main([*words, f"replay={folder}"]) == 2, name
        told = capsys.readouterr()
        assert told.out == "" and told.err.endswith("\n") and one_sentence(told.err[:-1]), name
        assert says in told.err and "fault of the program" not in told.err, f"{name}: {told.err}"


def test_a_pipe_for_a_recording_is_not_waited_for(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with within(seconds=20):
        assert app.main(["world=toy", "device=cpu", f"replay={tmp_path / 'pipe'}"]) == 2
    assert one_sentence(capsys.readouterr().err[:-1])


def test_another_checkpoint_is_said_and_nothing_claimed(
    toy_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recorded(toy_engine, tmp_path / "whole", 0)
    said(checkpoint_hash="f" * 64)(folder)
    assert app.main(["world=toy", "device=cpu", f"replay={folder}"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("not the same replay: checkpoint was ffffffffffff, is ") and out.count("\n") == 1
