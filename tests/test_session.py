"""Saving, rewinding and branching change nothing: what follows is the same to the bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Action, Engine, EngineError, checkpoint
from engine.data import savefile
from engine.errors import SaveError, SessionError
from engine.model.memory_bank import BUFFERS
from tests.conftest import random_model
from tests.test_core import PIXELS, WALK, assert_equal_frames, frames_of
from tests.toy import play

ROOT = Path(__file__).resolve().parent.parent


def walked(engine: Engine, steps: int, start: int = 0) -> Engine:
    engine.reset(start, seed=5)
    frames_of(engine, steps)
    return engine


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


def test_a_save_tells_what_it_holds(toy_engine: Engine, tmp_path: Path) -> None:
    toy_engine.reset(1, seed=8)
    last = frames_of(toy_engine, 3)[-1]
    path = toy_engine.save(tmp_path / "deep" / "a.save", title="the red room", stars=[1, 2])
    assert [file.name for file in path.parent.iterdir()] == ["a.save"]
    meta, frame = savefile.describe(path)
    np.testing.assert_array_equal(frame, last)
    assert meta["notes"] == {"title": "the red room", "stars": [1, 2]}
    assert (meta["world"], meta["seed"], meta["frame_index"]) == ("toy", 8, 9)
    assert meta["checkpoint_hash"] == toy_engine.checkpoint_hash and meta["device"] == "cpu"


def test_an_hour_of_memory_loads_in_under_a_second(toy_engine: Engine, tmp_path: Path) -> None:
    tensors, meta = savefile.read(walked(toy_engine, 3).save(tmp_path / "a.save"))
    more = 20_000
    tensors["moments.numbers"][:, 0] += 3 * more
    tensors["moments.numbers"][:, 1] += more
    for name in (*(f"bank.{name}" for name in BUFFERS), "thumbnails"):
        tensors[name] = torch.cat([tensors[name], tensors[name][:1].expand(more, *tensors[name].shape[1:])])
    tensors["actions"] = torch.cat([tensors["actions"], torch.zeros(3 * more, 3)])
    tensors["bank.poses"][3:, 0] = torch.linspace(-500, 500, more)
    path = savefile.write(tmp_path / "a.save", tensors, meta)
    began = time.perf_counter()
    toy_engine.restore(path)
    assert time.perf_counter() - began < 1.0
    assert toy_engine.step(WALK[0]).info["memory_entries"] == more + 3
    bank = toy_engine._present().rollout.banks[0]
    assert sorted(sum(bank.cells.values(), [])) == list(range(more + 3))
    assert 500 <= len(bank.cells) <= 504


def test_a_save_that_cannot_be_written_says_so(toy_engine: Engine, tmp_path: Path) -> None:
    walked(toy_engine, 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="cannot save to"):
        toy_engine.save(tmp_path / "file" / "a.save")
    for notes in ({"picture": b"png"}, {"level": float("nan")}):
        with pytest.raises(SaveError, match="plain JSON"):
            toy_engine.save(tmp_path / "a.save", **notes)
    assert not (tmp_path / "a.save").exists()


def test_saves_of_elsewhere_say_so_and_keep_the_session(toy_engine: Engine, tmp_path: Path) -> None:
    path = walked(toy_engine, 4).save(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    refused = {
        "of world 'doom', not of 'toy'": meta | {"world": "doom"},
        "made with checkpoint 000000000000": meta | {"checkpoint_hash": "0" * 64},
        "seed None": meta | {"seed": None},
        "seed 'x'": meta | {"seed": "x"},
        "99 frames of history": meta | {"begun": 99},
        "True frames": meta | {"begun": True},
    }
    expected = frames_of(toy_engine.branch(), 3)
    for words, changed in refused.items():
        with pytest.raises(SaveError, match=words):
            toy_engine.restore(savefile.write(tmp_path / "b.save", tensors, changed))
    with pytest.raises(SaveError, match="cannot read"):
        toy_engine.restore(tmp_path / "nowhere.save")
    with pytest.raises(SaveError, match="cannot read"):
        toy_engine.restore(tmp_path)
    assert_equal_frames(expected, frames_of(toy_engine, 3))


def test_a_random_state_of_another_device_is_replaced(toy_engine: Engine, tmp_path: Path) -> None:
    path = walked(toy_engine, 4).save(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    tensors["moments.random"] = torch.zeros(4, 16, dtype=torch.uint8)  # as long as a GPU's
    savefile.write(path, tensors, meta | {"device": "cuda"})
    toy_engine.restore(path)
    assert_equal_frames(frames_of(toy_engine, 3), [toy_engine.restore(path), *frames_of(toy_engine, 3)][1:])


TENSORS = {
    "a missing tensor": lambda t: t.pop("moments.pose"),
    "a surplus tensor": lambda t: t.update({"spare": torch.zeros(1)}),
    "a wide latent": lambda t: t.update({"moments.latent": torch.zeros(4, 4, 6, 9)}),
    "one moment less": lambda t: t.update({k: v[1:].clone() for k, v in t.items() if k.startswith("moments.")}),
    "no moment": lambda t: t.update({k: v[:0].clone() for k, v in t.items() if k.startswith("moments.")}),
    "a float frame": lambda t: t.update({"frame": t["frame"].float()}),
    "a number for a bank": lambda t: t.update({"bank.tokens": torch.zeros((), dtype=torch.int8)}),
    "an entry less": lambda t: t.update({k: v[1:].clone() for k, v in t.items() if k.startswith("bank.")}),
    "nan": lambda t: t["moments.latent"].fill_(float("nan")),
    "infinity": lambda t: t["bank.poses"].fill_(float("inf")),
    "a slot of no entry": lambda t: t["moments.numbers"][-1, 3:].fill_(77),
    "a negative slot": lambda t: t["moments.numbers"][0, 3:].fill_(-2),
    "frames that jump": lambda t: t["moments.numbers"][-1, :1].add_(1),
    "frames below": lambda t: t["moments.numbers"][:, :1].sub_(1000),
}


@pytest.mark.parametrize("name", TENSORS)
def test_forged_tensors_say_so(toy_engine: Engine, tmp_path: Path, name: str) -> None:
    path = walked(toy_engine, 4).save(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    TENSORS[name](tensors)
    savefile.write(path, tensors, meta)
    with pytest.raises(SaveError, match="damaged|does not fit"):
        toy_engine.restore(path)


def mutated(blob: bytes, random: np.random.Generator, kind: int) -> bytes:
    """A copy with a part changed: a bit, a cut, a run of zeros, bytes put in, or text in the header."""
    at = int(random.integers(len(blob)))
    header = 8 + int.from_bytes(blob[:8], "little")
    if kind == 0:
        return blob[:at] + bytes([blob[at] ^ (1 << int(random.integers(8)))]) + blob[at + 1 :]
    if kind == 1:
        return blob[:at]
    if kind == 2:
        return blob[:at] + bytes(min(64, len(blob) - at)) + blob[at + 64 :]
    if kind == 3:
        return blob[:at] + random.bytes(5) + blob[at:]
    at = int(random.integers(header))
    return blob[:at] + bytes([int(random.integers(32, 127))]) + blob[at + 1 :]


def resealed(blob: bytes) -> bytes:
    """The digest put right, as one does who forges."""
    changed = bytearray(blob)
    at = changed.find(b'"digest":"') + len(b'"digest":"')
    if at < 10 or at + 64 > len(changed):
        return blob
    changed[at : at + 64] = savefile.NO_DIGEST.encode()
    changed[at : at + 64] = savefile._hash(changed).encode()
    return bytes(changed)


@pytest.mark.parametrize("seal", ["as found", "forged"])
def test_two_hundred_mutations_are_refused_in_one_sentence(toy_engine: Engine, tmp_path: Path, seal: str) -> None:
    path = walked(toy_engine, 6).save(tmp_path / "a.save")
    unbroken, blob = frames_of(toy_engine, 2), path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for index in range(200):
        changed = mutated(blob, random, index % 5)
        path.write_bytes(resealed(changed) if seal == "forged" else changed)
        try:
            toy_engine.restore(path)
        except EngineError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600
            continue
        seen = frames_of(toy_engine, 2)
        if seal == "as found":
            assert changed == blob, f"mutation {index} went unnoticed"
            assert_equal_frames(unbroken, seen)
    assert refused > (190 if seal == "as found" else 60)


@pytest.mark.parametrize("blob", [b"", b"\x00" * 8, b"\xff" * 64, b"{}", b"[" * 50_000, b"\x02" + b"\x00" * 7 + b"{}"])
def test_files_of_other_kinds_say_so(toy_engine: Engine, tmp_path: Path, blob: bytes) -> None:
    (tmp_path / "a.save").write_bytes(blob)
    for call in (toy_engine.restore, savefile.describe):
        with pytest.raises(SaveError, match="not a saved session"):
            call(tmp_path / "a.save")


def test_saves_of_the_future_and_checkpoints_say_so(toy: Path, toy_engine: Engine, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(SaveError, match="not a saved session"):
        toy_engine.restore(toy / "model.safetensors")
    monkeypatch.setattr(savefile, "FORMAT", 2)
    path = walked(toy_engine, 1).save(tmp_path / "a.save")
    monkeypatch.undo()
    for call in (toy_engine.restore, savefile.describe):
        with pytest.raises(SaveError, match="format '2' is not 1; update the engine"):
            call(path)


SAVER = """
import sys, torch
from pathlib import Path
from engine.data import savefile
path = Path(sys.argv[1])
number = 0
while True:
    content = torch.full((1 << 20,), number % 251, dtype=torch.uint8)
    savefile.write(path, {"content": content}, {"number": number})
    print(number, flush=True)
    number += 1
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_kill_while_saving_loses_no_save(tmp_path: Path) -> None:
    path, random = tmp_path / "a.save", np.random.default_rng(0)
    for _ in range(4):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert saver.stdout
        saver.stdout.readline()
        time.sleep(float(random.uniform(0.0, 0.1)))
        saver.send_signal(signal.SIGKILL)
        reported = [int(line) for line in saver.stdout.read().split()]
        saver.wait()
        tensors, meta = savefile.read(path)
        assert meta["number"] >= (reported[-1] if reported else 0)
        assert bool((tensors["content"] == meta["number"] % 251).all())


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
