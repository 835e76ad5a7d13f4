"""What a player decides about memory holds from the next frame on, and saves, rewinds and recordings carry it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Engine
from engine.data import savefile
from engine.data.recording import Recorder, open_recording
from engine.data.replay import replay
from engine.errors import RecordingError, SaveError, SessionError
from engine.model.recall import Recall
from engine.play.tape import Tape
from tests.test_core import WALK, assert_equal_frames, frames_of


def differ(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.fixture
def walked(toy_engine: Engine) -> Engine:
    toy_engine.reset(0, seed=5)
    frames_of(toy_engine, 11)
    return toy_engine


def test_without_memory_other_frames_follow_and_the_bank_goes_on_filling(walked: Engine) -> None:
    before = walked.snapshot()
    remembering = frames_of(walked, 6)
    walked.rewind(before)
    walked.use_memory(False)
    assert differ(remembering, frames_of(walked, 6))
    assert walked.info["memory_on"] is False and walked.info["memory_entries"] == 24 // 3
    assert not any(walked._present().rollout.cache.keys[-1][:, :, : 4 * walked.model.settings.frame_tokens].flatten())
    walked.rewind(before)
    assert walked.info["memory_on"]
    assert_equal_frames(remembering, frames_of(walked, 6))


def test_turning_it_off_and_on_between_two_frames_changes_nothing(walked: Engine) -> None:
    before = walked.snapshot()
    expected = frames_of(walked, 6)
    walked.rewind(before)
    walked.use_memory(False)
    walked.use_memory(True)
    assert_equal_frames(expected, frames_of(walked, 6))
    assert walked.rewind(before) is not None and walked.rewindable_frames == 11


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_save_and_a_branch_carry_it(walked: Engine, tmp_path: Path, steps: int) -> None:
    walked.use_memory(False)
    frames_of(walked, steps)
    walked.save(tmp_path / "a.save")
    branch = walked.branch()
    expected = frames_of(walked, 8)
    assert_equal_frames(expected, frames_of(branch, 8))
    walked.use_memory(True)
    frames_of(walked, 4)
    walked.restore(tmp_path / "a.save")
    assert walked.recall == Recall(on=False)
    assert_equal_frames(expected, frames_of(walked, 8))


def test_rewinding_comes_back_to_what_was_used_then(walked: Engine) -> None:
    walked.use_memory(False)
    forgetful = frames_of(walked, 4)
    walked.use_memory(True)
    remembering = frames_of(walked, 4)
    walked.rewind(frames=2)
    assert walked.recall.on
    walked.rewind(frames=4)
    assert not walked.recall.on
    assert_equal_frames(forgetful[2:], [walked.step(WALK[index]).frame for index in (2, 3)])
    assert not walked.recall.on
    walked.use_memory(True)
    assert_equal_frames(remembering, frames_of(walked, 4))


def test_a_recording_is_replayed_with_it(walked: Engine, tmp_path: Path) -> None:
    for begun, folder in ((0, tmp_path / "whole"), (11, tmp_path / "part")):
        frame = walked.reset(0, seed=5)
        frames_of(walked, begun)
        if begun:
            walked.use_memory(False)
            frame = walked._present().frame()
        tape = Tape(walked)
        tape.begin(folder, frame, 0, begun)
        for index in range(16):
            if index % 6 == 0:
                walked.use_memory(not walked.recall.on)
            tape.add(WALK[index % 4], walked.step(WALK[index % 4]))
        tape.end()
        assert sorted(open_recording(folder).recalls) == [1, 7, 13]
        assert replay(folder, walked).same


@pytest.mark.parametrize("recall", [{}, {"on": 1}, {"on": True, "more": 1}, [], None, "off"])
def test_what_is_no_recall_is_refused(walked: Engine, tmp_path: Path, recall) -> None:
    tensors, meta = savefile.read(walked.save(tmp_path / "a.save"))
    savefile.write(tmp_path / "a.save", tensors, {**meta, "recall": recall})
    with pytest.raises(SaveError, match="damaged: what memory may be used"):
        walked.restore(tmp_path / "a.save")
    if not isinstance(recall, dict):
        return
    recorder = Recorder(tmp_path / "r", walked.world, seed=5, start=0, checkpoint_hash=walked.checkpoint_hash)
    frame = walked.reset(0, seed=5)
    recorder.add(frame)
    recorder.add(frame, recall=recall)
    recorder.close()
    with pytest.raises(RecordingError, match="damaged at frame 1: what memory"):
        replay(tmp_path / "r", walked)


def test_saves_from_before_there_was_a_choice_are_read(walked: Engine, tmp_path: Path) -> None:
    tensors, meta = savefile.read(walked.save(tmp_path / "a.save"))
    meta.pop("recall")
    expected = frames_of(walked, 3)
    walked.restore(savefile.write(tmp_path / "a.save", tensors, meta))
    assert_equal_frames(expected, frames_of(walked, 3))


def test_only_yes_or_no_is_an_answer(walked: Engine) -> None:
    with pytest.raises(SessionError, match="True or False, not 'off'"):
        walked.use_memory("off")  # type: ignore[arg-type]
