"""Saving, rewinding and branching change nothing: what follows is the same to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Action, Engine, checkpoint
from engine.data import savefile
from engine.errors import SaveError, SessionError
from tests.conftest import random_model
from tests.test_core import PIXELS, WALK, assert_equal_frames, frames_of, walked
from tests.toy import play


# Before the ring of recent frames is full, at the end of a block and within one, and after the ring has gone round.
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 11])
@pytest.mark.parametrize("begin", ["start", "image"])
def test_a_restored_session_goes_on_as_if_never_interrupted(
    toy_engine: Engine, tmp_path: Path, steps: int, begin: str
) -> None:
    frames = [toy_engine.reset(0 if begin == "start" else PIXELS[0], seed=5), *frames_of(toy_engine, steps)]
    toy_engine.save(tmp_path / "a.save", title="here")
    info = toy_engine.info
    unbroken = frames_of(toy_engine, 12)
    with Engine.load("toy", device="cpu") as other:
        np.testing.assert_array_equal(other.restore(tmp_path / "a.save"), frames[-1])
        assert other.info == info and other.seed == 5
        assert_equal_frames(unbroken, frames_of(other, 12))


def test_a_camera_that_goes_far_is_restored_too(toy_engine: Engine, tmp_path: Path) -> None:
    """Far enough for the anchor to move, before and after the save, with frames that were told in between."""
    toy_engine.reset(0)
    for index in range(9):
        toy_engine.observe(PIXELS[index % 4], WALK[0], (0.9 * index, 0.4 * index, 3.0, 40.0 * index))
    toy_engine.save(tmp_path / "a.save")
    info = toy_engine.info

    def go_on() -> list[np.ndarray]:
        seen = frames_of(toy_engine, 3)
        toy_engine.observe(PIXELS[1], WALK[0], (30.0, -9.0, 4.0, 10.0))
        return seen + frames_of(toy_engine, 6)

    unbroken = go_on()
    np.testing.assert_array_equal(toy_engine.restore(tmp_path / "a.save"), PIXELS[0])
    assert toy_engine.info == info and info["pose"][2] == 3.0
    assert_equal_frames(unbroken, go_on())


def test_rewinding_by_frames_forgets_what_came_after(toy_engine: Engine) -> None:
    toy_engine.reset(0, seed=5)
    frames = frames_of(toy_engine, 14)
    assert toy_engine.rewindable_frames == 14
    for back in (0, 1, 2, 5):
        np.testing.assert_array_equal(toy_engine.rewind(frames=back), frames[13 - back])
        again = [toy_engine.step(WALK[index % 4]).frame for index in range(14 - back, 14)]
        assert_equal_frames(frames[14 - back :], again)
    np.testing.assert_array_equal(toy_engine.rewind(frames=14), play(0, 7)[0][-1])
    assert toy_engine.rewindable_frames == 0 and toy_engine.info["memory_entries"] == 2
    assert_equal_frames(frames, frames_of(toy_engine, 14))
    toy_engine.rewind(frames=10)
    toy_engine.rewind(frames=3)
    assert toy_engine.info["frame_index"] == 7
    assert_equal_frames(frames[1:], [toy_engine.step(WALK[index % 4]).frame for index in range(1, 14)])


def test_rewinding_is_bounded_in_time_and_memory(toy_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert toy_engine.reset(0) is not None
    assert toy_engine._present().trail.maxlen == 60 * 10 + 4
    monkeypatch.setattr("engine.core.REWIND_SECONDS", 1)
    walked(toy_engine, 30)
    assert toy_engine.rewindable_frames == 10
    moments = toy_engine._present().trail
    size = sum(moment.latent.nbytes + moment.random.nbytes + len(moment.picture or b"") for moment in moments)
    assert len(moments) == 14 and size / len(moments) < 8000
    assert all(moment.latent.untyped_storage().nbytes() == moment.latent.nbytes for moment in moments)
    toy_engine.rewind(frames=10)
    assert toy_engine.rewindable_frames == 0 and toy_engine.info["frame_index"] == 26


@pytest.mark.parametrize("frames", [-1, 15, 2.0, True, "1"])
def test_rewinding_too_far_says_so(toy_engine: Engine, frames) -> None:
    walked(toy_engine, 14)
    with pytest.raises(SessionError, match="0 to 14 frames"):
        toy_engine.rewind(frames=frames)
    for how in ({}, {"frames": 1, "snapshot": toy_engine.snapshot()}):
        with pytest.raises(SessionError, match="one of them"):
            toy_engine.rewind(**how)
    with pytest.raises(SessionError, match="what snapshot"):
        toy_engine.rewind("yesterday")  # type: ignore[arg-type]
    assert toy_engine.info["frame_index"] == 20


def test_snapshots_stay_what_they_were(toy_engine: Engine) -> None:
    """However the session goes on, goes back and grows other memories, every snapshot continues as it did."""
    toy_engine.reset(0, seed=5)
    kept = []
    for _ in range(4):
        frames_of(toy_engine, 4)
        snapshot = toy_engine.snapshot()
        assert snapshot.frame_index == toy_engine.info["frame_index"]
        follow = frames_of(toy_engine, 7)
        kept.append((snapshot, follow))
        toy_engine.rewind(frames=5)
        for _ in range(4):
            toy_engine.step(Action(("light",), (25.0, 0.0)))
    toy_engine.reset(1, seed=6)
    frames_of(toy_engine, 9)
    for snapshot, follow in [*kept, *reversed(kept)]:
        toy_engine.rewind(snapshot)
        assert toy_engine.seed == 5
        assert_equal_frames(follow, frames_of(toy_engine, 7))


def test_a_snapshot_of_this_session_keeps_the_way_back(toy_engine: Engine) -> None:
    toy_engine.reset(0)
    frames = frames_of(toy_engine, 6)
    snapshot = toy_engine.snapshot()
    frames_of(toy_engine, 5)
    np.testing.assert_array_equal(toy_engine.rewind(snapshot), frames[-1])
    assert toy_engine.rewindable_frames == 6
    np.testing.assert_array_equal(toy_engine.rewind(frames=4), frames[1])


def test_a_branch_goes_its_own_way_beside_the_engine(toy_engine: Engine) -> None:
    toy_engine.reset(0, seed=5)
    frames_of(toy_engine, 5)
    snapshot = toy_engine.snapshot()
    expected = frames_of(toy_engine, 8)
    other, third = toy_engine.branch(snapshot), toy_engine.branch(snapshot)
    toy_engine.rewind(snapshot)
    seen: list[list[np.ndarray]] = [[], [], []]
    for index in range(8):
        third.step(Action(("light",), (25.0, 0.0)))
        for row, engine in enumerate((toy_engine, other)):
            seen[row].append(engine.step(WALK[index % 4]).frame)
    assert_equal_frames(expected, seen[0])
    assert_equal_frames(expected, seen[1])
    assert other.rewindable_frames == 8
    assert toy_engine.branch().info == toy_engine.info


def test_a_snapshot_shares_the_memory_bank(toy_engine: Engine) -> None:
    walked(toy_engine, 10)
    bank = toy_engine._present().rollout.banks[0]
    snapshot = toy_engine.snapshot()
    assert snapshot.bank.tokens.data_ptr() == bank.tokens.data_ptr()
    frames_of(toy_engine, 6)
    assert bank.tokens.data_ptr() == snapshot.bank.tokens.data_ptr(), "going on copies nothing"
    before = snapshot.bank.tokens[: snapshot.bank.num_entries].clone()
    toy_engine.rewind(frames=12)
    frames_of(toy_engine, 12)
    torch.testing.assert_close(snapshot.bank.tokens[: snapshot.bank.num_entries], before, rtol=0, atol=0)


def test_a_snapshot_of_another_checkpoint_says_so(toy_engine: Engine, tmp_path: Path) -> None:
    snapshot = walked(toy_engine, 2).snapshot()
    checkpoint.save(tmp_path / "other", random_model(1), "toy", {})
    with Engine.load(str(tmp_path / "other"), device="cpu") as other:
        with pytest.raises(SessionError, match="another checkpoint"):
            other.rewind(snapshot)
        with pytest.raises(SessionError, match="reset"):
            other.step(WALK[0])


def test_what_led_here_is_known_and_goes_with_the_session(toy_engine: Engine, tmp_path: Path) -> None:
    walked(toy_engine, 9, start=1)
    encoded = [toy_engine.action_spec.encode(WALK[index % 4]) for index in range(9)]
    past = toy_engine.past
    assert past and past.start == 1
    np.testing.assert_array_equal(past.actions, encoded)
    toy_engine.save(tmp_path / "a.save")
    branch = toy_engine.branch()
    toy_engine.rewind(frames=4)
    assert toy_engine.past and len(toy_engine.past.actions) == 5
    frames_of(toy_engine, 2)
    toy_engine.observe(PIXELS[0], WALK[0])
    np.testing.assert_array_equal(toy_engine.past.actions, [*encoded[:5], *encoded[:2], encoded[0]])
    for engine in (branch, toy_engine):
        engine.restore(tmp_path / "a.save")
        assert engine.past and engine.past.start == 1
        np.testing.assert_array_equal(engine.past.actions, encoded)


def test_a_session_of_other_beginnings_has_no_known_past(toy_engine: Engine, tmp_path: Path) -> None:
    toy_engine.reset(PIXELS[0])
    frames_of(toy_engine, 4)
    toy_engine.restore(toy_engine.save(tmp_path / "a.save"))
    frames_of(toy_engine, 4)
    assert toy_engine.past is None
    tensors, meta = savefile.read(walked(toy_engine, 4).save(tmp_path / "b.save"))
    for tensor in (tensors["actions"][:3], tensors["actions"].double(), tensors["actions"] / 0):
        savefile.write(tmp_path / "b.save", tensors | {"actions": tensor}, meta)
        with pytest.raises(SaveError, match="start 0 and 4 actions since do not fit"):
            toy_engine.restore(tmp_path / "b.save")
    savefile.write(tmp_path / "b.save", tensors, meta | {"start": None})
    with pytest.raises(SaveError, match="start None and 4 actions"):
        toy_engine.restore(tmp_path / "b.save")
