"""A save is one file: what it holds, and that it is there whole or not at all."""

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

from engine import Engine
from engine.data import savefile
from engine.errors import SaveError
from engine.model.memory import restore
from engine.model.memory_bank import BUFFERS
from tests.kills import kill_rounds
from tests.test_core import WALK, assert_equal_frames, frames_of, walked

ROOT = Path(__file__).resolve().parent.parent


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


def test_a_save_prepared_is_of_its_moment_whenever_it_is_written(toy_engine: Engine, tmp_path: Path) -> None:
    toy_engine.reset(1, seed=8)
    frames_of(toy_engine, 5)
    write, at_once = toy_engine.prepare_save(title="here"), toy_engine.save(tmp_path / "a.save", title="here")
    toy_engine.rewind(frames=3)  # what comes then takes the places of what was kept
    toy_engine.use_memory(False)
    frames_of(toy_engine, 20)
    (tensors, meta), (later, said) = savefile.read(at_once), savefile.read(write(tmp_path / "b.save"))
    assert tensors.keys() == later.keys() and all(torch.equal(tensors[name], later[name]) for name in tensors)
    assert {**meta, "created": ""} == {**said, "created": ""}


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
    spots = [spot for cell in bank.cells().values() for spot in cell.values()]
    assert 500 <= len(bank.cells()) <= 504 and 4000 <= len(spots) <= 4004
    assert max(view[3] for spot in spots for view in spot) == more + 2


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


def test_a_save_of_before_numbers_took_five_bits_goes_on(toy_engine: Engine, tmp_path: Path) -> None:
    tensors, meta = savefile.read(walked(toy_engine, 9).save(tmp_path / "a.save"))
    settings = toy_engine.model.settings
    as_now = {name: tensors[f"bank.{name}"].clone() for name in BUFFERS}
    counts = {"tokens": settings.memory_dim, "latents": settings.codec.latent_channels}
    for (name, count), scales in zip(counts.items(), ("scales", "latent_scales"), strict=True):
        told = restore(as_now[name], as_now[scales], count, torch.float32)
        size = told.abs().amax(-1, keepdim=True).clamp(min=1e-6) / 127
        tensors[f"bank.{name}"] = (told / size).round().to(torch.int8)
        tensors[f"bank.{scales}"] = size.half()
    toy_engine.restore(savefile.write(tmp_path / "b.save", tensors, meta))
    bank = toy_engine._present().rollout.banks[0]
    for (name, count), scales in zip(counts.items(), ("scales", "latent_scales"), strict=True):
        held, was = getattr(bank, name), as_now[name]
        assert held.shape == was.shape and held.dtype == torch.int16
        before = restore(was, as_now[scales], count, torch.float32)
        told = restore(held, getattr(bank, scales), count, torch.float32)
        assert ((told - before).abs() <= before.abs().amax(-1, keepdim=True) / 15 / 2).all()
    frames_of(toy_engine, 3)


def test_a_save_of_before_frames_told_how_near_they_are_goes_on(toy_engine: Engine, tmp_path: Path) -> None:
    """From there on by what the last frame looks like, as it went on then."""
    path = walked(toy_engine, 4).save(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    near = tensors.pop("moments.nearness")
    assert near.shape[0] == len(tensors["moments.own"]) and (near > 0).all()
    savefile.write(path, tensors, meta)
    toy_engine.restore(path)
    follow = frames_of(toy_engine, 3)
    frames_of(toy_engine, 5)
    toy_engine.restore(path)
    assert_equal_frames(follow, frames_of(toy_engine, 3))


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
    path = tmp_path / "a.save"
    for random in kill_rounds():
        saver = subprocess.Popen([sys.executable, "-c", SAVER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert saver.stdout
        saver.stdout.readline()
        time.sleep(float(random.uniform(0.0, 0.1)))
        saver.send_signal(signal.SIGKILL)
        reported = [int(line) for line in saver.stdout.read().split()]
        saver.wait()
        tensors, meta = savefile.read(path)
        assert meta["number"] >= (reported[-1] if reported else 0)
        assert bool((tensors["content"] == meta["number"] % 251).all())
