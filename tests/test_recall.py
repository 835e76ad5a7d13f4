"""What a player decides about memory holds from the next frame on, and saves, rewinds and recordings carry it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Engine
from engine.data import savefile, thumbnails
from engine.data.recording import Recorder, open_recording
from engine.data.replay import replay
from engine.errors import RecordingError, SaveError, SessionError
from engine.model.recall import Recall
from engine.play.tape import Tape
from tests.test_core import WALK, assert_equal_frames, frames_of
from tests.toy import play as toy_play


def differ(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_without_memory_other_frames_follow_and_the_bank_goes_on_filling(walked: Engine) -> None:
    before = walked.snapshot()
    remembering = frames_of(walked, 6)
    walked.rewind(before)
    walked.use_memory(False)
    assert differ(remembering, frames_of(walked, 6))
    assert walked.info["memory_on"] is False and walked.info["memory_entries"] == 24 // 3
    assert not any(
        walked._present().rollout.cache.buffers[1][:, 0, :, :, : 4 * walked.model.settings.frame_tokens].flatten()
    )
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


NOTHING = Recall().as_json()


@pytest.mark.parametrize(
    "recall",
    [
        {}, [], None, "off", {"on": True}, NOTHING | {"on": 1}, NOTHING | {"more": 1}, NOTHING | {"pinned": [0.0]},
        NOTHING | {"pinned": 1}, NOTHING | {"pinned": [1, 1]}, NOTHING | {"pinned": [1], "forgotten": [1]},
    ],
)  # fmt: skip
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


def entries(engine: Engine) -> list[int]:
    return [one.entry for one in engine.attended()]


def test_pinned_entries_are_always_attended_to_and_forgotten_ones_never(walked: Engine) -> None:
    frames_of(walked, 20)
    for entry in (3, 8):
        walked.set_recall(walked.recall.pin(entry))
    for entry in (0, 7, 10):
        walked.set_recall(walked.recall.forget(entry))
    for index in range(30):
        walked.step(WALK[index % 4])
        assert {3, 8} <= {*entries(walked)} and not {0, 7, 10} & {*entries(walked)}
        assert len(entries(walked)) == walked.memory_slots == 4
    walked.set_recall(walked.recall.release(3).forget(8))
    walked.step(WALK[0])
    assert 8 not in entries(walked)


def test_what_is_forgotten_makes_another_frame_and_rewinding_brings_it_back(walked: Engine) -> None:
    expected = frames_of(walked, 4)
    walked.rewind(frames=4)
    for entry in entries(walked):
        walked.set_recall(walked.recall.forget(entry))
    assert differ(expected, frames_of(walked, 4))
    walked.rewind(frames=5)
    assert walked.recall == Recall()
    assert_equal_frames(expected, [walked.step(WALK[index % 4]).frame for index in (10, 0, 1, 2, 3)][1:])


def test_saves_branches_and_replays_carry_pins(walked: Engine, tmp_path: Path) -> None:
    frames_of(walked, 9)
    walked.set_recall(Recall(True, (5, 2), (1, 3)))
    walked.save(tmp_path / "a.save")
    branch = walked.branch()
    tape = Tape(walked)
    tape.begin(tmp_path / "r", walked._present().frame(), 0, 20)
    expected = []
    for index in range(12):
        if index == 6:
            walked.set_recall(walked.recall.release(5).forget(6))
        expected.append(walked.step(WALK[index % 4]))
        tape.add(WALK[index % 4], expected[-1])
    tape.end()
    assert replay(tmp_path / "r", walked).same and walked.recall == Recall(True, (2,), (1, 3, 6))
    walked.restore(tmp_path / "a.save")
    for engine in (branch, walked):
        assert engine.recall == Recall(True, (5, 2), (1, 3))
        assert_equal_frames([step.frame for step in expected[:6]], frames_of(engine, 6))


def test_entries_are_shown_as_they_were_seen(walked: Engine, tmp_path: Path) -> None:
    walked.reset(0, seed=5)
    frames = [*toy_play(0, 7)[0], *frames_of(walked, 14)]
    poses = [walked.info["pose"]]
    walked.save(tmp_path / "a.save")
    snapshot = walked.snapshot()
    walked.rewind(frames=5)
    frames_of(walked, 9)
    walked.rewind(snapshot)
    with walked.branch(snapshot) as other:
        restored = other.branch()
        restored.restore(tmp_path / "a.save")
        for engine in (walked, other, restored):
            shown = engine.attended()
            assert shown and [one.slot for one in shown] == sorted({one.slot for one in shown})
            for one in shown:
                assert 0 <= one.coverage <= 1
                np.testing.assert_array_equal(one.picture, thumbnails.shrink(frames[3 * one.entry + 2]))
                np.testing.assert_allclose(one.pose[:2], engine.places[one.entry, :2], atol=1e-5)
            assert engine.places.shape == (7, 3)
            np.testing.assert_allclose(engine.places[6, :2], poses[0][:2], atol=1e-5)
            assert engine.places[6, 2] % 360 == pytest.approx(poses[0][3], abs=1e-3)


def test_the_view_from_an_entrys_own_place_is_covered_by_it(walked: Engine) -> None:
    rollout = walked._present().rollout
    for shown in walked.attended():
        rollout.pose = rollout.banks[0].poses[shown.entry][None]
        again = next(one for one in walked.attended() if one.entry == shown.entry)
        assert again.coverage > 0.9 and again.coverage >= shown.coverage


@pytest.mark.parametrize(
    ("recall", "says"),
    [
        (Recall(True, (99,)), "there is no memory entry 99: there are 6, numbered from 0"),
        (Recall(True, (), (-1,)), "there is no memory entry -1"),
        (Recall(True, (1, 2, 3)), "at most 2 memory entries can be pinned"),
    ],
)
def test_what_cannot_be_pinned_or_forgotten_is_one_sentence(walked: Engine, tmp_path: Path, recall, says) -> None:
    with pytest.raises(SessionError, match=says):
        walked.set_recall(recall)
    tensors, meta = savefile.read(walked.save(tmp_path / "a.save"))
    savefile.write(tmp_path / "a.save", tensors, {**meta, "recall": recall.as_json()})
    with pytest.raises(SaveError, match=says):
        walked.restore(tmp_path / "a.save")
    assert walked.recall == Recall()


@pytest.mark.parametrize("change", [{"thumbnails": torch.zeros(1)}, {"thumbnails": torch.zeros(6, 21, 32, 3)}])
def test_thumbnails_of_another_shape_are_refused(walked: Engine, tmp_path: Path, change) -> None:
    tensors, meta = savefile.read(walked.save(tmp_path / "a.save"))
    savefile.write(tmp_path / "a.save", tensors | change, meta)
    with pytest.raises(SaveError, match="damaged: its 6 thumbnails are torch.float32"):
        walked.restore(tmp_path / "a.save")


@pytest.mark.parametrize(
    ("size", "shape"), [((192, 320), (24, 40, 3)), ((64, 96), (21, 32, 3)), ((30, 40), (30, 40, 3))]
)
def test_a_thumbnail_is_the_mean_of_squares(size: tuple[int, int], shape: tuple[int, int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    small, times = thumbnails.shrink(frame), size[1] // shape[1]
    assert small.shape == shape == thumbnails.shape_of(*size) and small.dtype == np.uint8
    np.testing.assert_array_equal(small[2, 1], frame[2 * times : 3 * times, times : 2 * times].mean((0, 1)).astype(int))


def test_saves_from_before_there_was_a_choice_are_read(walked: Engine, tmp_path: Path) -> None:
    tensors, meta = savefile.read(walked.save(tmp_path / "a.save"))
    del meta["recall"], tensors["thumbnails"]
    expected = frames_of(walked, 3)
    walked.restore(savefile.write(tmp_path / "a.save", tensors, meta))
    assert_equal_frames(expected, frames_of(walked, 3))


def test_only_yes_or_no_is_an_answer(walked: Engine) -> None:
    with pytest.raises(SessionError, match="True or False, not 'off'"):
        walked.use_memory("off")  # type: ignore[arg-type]
