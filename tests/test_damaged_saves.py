"""Damaged, forged and foreign saves are refused in one sentence."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import Engine, EngineError
from engine.data import savefile
from engine.errors import SaveError
from tests.damage import WILD, one_sentence, rounds, within
from tests.test_core import assert_equal_frames, frames_of, walked

ROUNDS = rounds(200)  # of each seal
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
    "an entry in two slots": lambda t: t["moments.numbers"][-1, 3:].fill_(0),
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
    for index in range(ROUNDS):
        changed = mutated(blob, random, index % 5)
        path.write_bytes(resealed(changed) if seal == "forged" else changed)
        try:
            toy_engine.restore(path)
        except EngineError as error:
            refused += 1
            assert one_sentence(str(error)), str(error)[:1000]
            continue
        seen = frames_of(toy_engine, 2)
        if seal == "as found":
            assert changed == blob, f"mutation {index} went unnoticed"
            assert_equal_frames(unbroken, seen)
    assert refused > ROUNDS * (0.95 if seal == "as found" else 0.3)


@pytest.mark.parametrize(
    "name",
    ["world", "checkpoint_hash", "seed", "begun", "start", "frame_index", "recall", "notes", "device", "denoise_steps"],
)
def test_values_of_wrong_kinds_are_harmless_or_one_sentence(
    toy_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = walked(toy_engine, 4).save(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    unbroken = frames_of(toy_engine.branch(), 2)
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda tree, **_: dumps(tree))  # NaN too
    for value in WILD:
        savefile.write(path, tensors, meta | {name: value})
        savefile.describe(path)
        try:
            with within(seconds=10):
                toy_engine.restore(path)
        except EngineError as error:
            assert one_sentence(str(error)), f"{value!r:.60}: {str(error)[:1000]!r}"
        else:
            seen = frames_of(toy_engine, 2)
            assert name in ("seed", "begun", "recall") or all(map(np.array_equal, seen, unbroken))


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_what_is_no_file_or_full_of_holes_is_not_read(toy_engine: Engine, tmp_path: Path) -> None:
    path = walked(toy_engine, 1).save(tmp_path / "a.save")
    blob = path.read_bytes()
    os.mkfifo(tmp_path / "pipe.save")
    (tmp_path / "zero.save").symlink_to("/dev/zero")
    (tmp_path / "holes.save").write_bytes(blob)
    os.truncate(tmp_path / "holes.save", 1 << 40)
    huge = re.sub(rb'"frame":\{"dtype":"U8","shape":\[64,96,3\]', b'"frame":{"dtype":"U8","shape":[9999999]', blob)
    assert huge != blob
    (tmp_path / "huge.save").write_bytes(huge)
    for name in ("pipe", "zero", "holes", "huge"):
        for call in (toy_engine.restore, savefile.describe):
            with within(seconds=10), pytest.raises(SaveError, match="not a saved session|damaged"):
                call(tmp_path / f"{name}.save")


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
