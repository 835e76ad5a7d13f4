"""A checkpoint comes back as it was written, or says what is wrong with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import checkpoint
from engine.errors import CheckpointError
from tests.conftest import random_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "kept", random_model(), "toy", {"stage": "stream", "denoise_steps": 2})
    return tmp_path / "kept"


def relative_errors(weights: str, folder: Path) -> dict[str, float]:
    """Largest error of each tensor after a round trip, relative to its row's largest number, or to itself."""
    model = random_model()
    checkpoint.save(folder, model, "toy", {}, weights)
    loaded, _ = checkpoint.load(folder)
    assert not loaded.training
    errors = {}
    for name, tensor in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == torch.float32 and found.shape == tensor.shape
        size = tensor.abs().amax(-1, keepdim=True) if tensor.ndim == 2 else tensor.abs()
        errors[name] = float(((found - tensor).abs() / size.clamp(min=1e-12)).max())
    return errors


def test_float32_is_exact(tmp_path: Path) -> None:
    assert set(relative_errors("float32", tmp_path).values()) == {0.0}


def test_bfloat16_keeps_eight_bits_of_every_number(tmp_path: Path) -> None:
    errors = relative_errors("bfloat16", tmp_path)
    assert 0 < max(errors.values()) <= 2**-8


def test_int8_keeps_each_row_to_half_a_step_of_127(tmp_path: Path) -> None:
    errors = relative_errors("int8", tmp_path)
    packed = load_file(tmp_path / checkpoint.WEIGHTS)
    rows = {name for name, tensor in packed.items() if tensor.dtype == torch.int8}
    assert rows and all(name + checkpoint.SCALE in packed for name in rows)
    assert not any(name.startswith("codec.") for name in rows)
    assert all(errors[name] <= 0.5 / 127 + 1e-6 for name in rows)
    assert all(error <= 2**-8 for name, error in errors.items() if name not in rows)
    assert max(errors[name] for name in rows) > 1e-3


def test_the_manifest_says_what_it_is(folder: Path) -> None:
    model, manifest = checkpoint.load(folder, "toy")
    assert (manifest.world, manifest.notes) == ("toy", {"stage": "stream", "denoise_steps": 2})
    assert manifest.settings == model.settings == random_model().settings
    assert len(manifest.digest) == 64
    assert not list(folder.glob("*.part"))


def test_a_checkpoint_may_take_more_steps_on_a_gpu(folder: Path) -> None:
    manifest = checkpoint.read_manifest(folder)
    assert [manifest.denoise_steps(device) for device in ("cpu", "cuda")] == [2, 2]
    more = replace(manifest, notes=manifest.notes | {"denoise_steps_cuda": 3})
    assert [more.denoise_steps(device) for device in ("cpu", "cuda")] == [2, 3]
    assert replace(manifest, notes={}).denoise_steps("cpu") == checkpoint.DENOISE_STEPS


def test_saving_again_replaces(folder: Path) -> None:
    before = checkpoint.read_manifest(folder).digest
    checkpoint.save(folder, random_model(1), "toy", {})
    model, manifest = checkpoint.load(folder)
    assert manifest.digest != before and manifest.notes == {}
    name, tensor = "codec.encoder.layers.1.bias", random_model(1).state_dict()["codec.encoder.layers.1.bias"]
    torch.testing.assert_close(model.state_dict()[name], tensor, rtol=2**-8, atol=0)


@pytest.mark.parametrize("lost", ["model.safetensors", "manifest.json"])
def test_a_kill_between_two_renames_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """The checkpoint is the old one until the weights are renamed, and the new one from then on."""
    before = checkpoint.read_manifest(folder).digest

    def renamed(part: Path, path: Path) -> None:
        if path.name == lost:
            raise KeyboardInterrupt
        part.rename(path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", renamed)
        checkpoint.save(folder, random_model(1), "toy", {"stage": "memory"})
    _, manifest = checkpoint.load(folder)
    assert (manifest.digest == before) == (lost == "model.safetensors")
    assert manifest.notes["stage"] == ("stream" if lost == "model.safetensors" else "memory")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(change(manifest) or manifest))


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "future": (lambda m: m | {"format": 2}, "format 2 is not 1; update the engine"),
    "no format": (lambda m: {k: v for k, v in m.items() if k != "format"}, "not a checkpoint's manifest"),
    "no world": (lambda m: {k: v for k, v in m.items() if k != "world"}, "not a checkpoint's manifest"),
    "a list": (lambda m: [m], "not a checkpoint's manifest"),
    "a number": (lambda m: 7, "not a checkpoint's manifest"),
    "settings of text": (lambda m: m | {"settings": "large"}, "manifest"),
    "unknown setting": (lambda m: m | {"settings": m["settings"] | {"layer": 3}}, "layer"),
    "impossible setting": (lambda m: m | {"settings": m["settings"] | {"dim": 65}}, "65"),
    "negative setting": (lambda m: m | {"settings": m["settings"] | {"dim": -64}}, "sizes are wrong"),
    "no patch": (lambda m: m | {"settings": m["settings"] | {"patch": 0}}, "manifest"),
    "no widths": (lambda m: m | {"settings": m["settings"] | {"codec": {"encoder_widths": []}}}, "manifest"),
    "notes of a number": (lambda m: m | {"notes": 3}, "manifest"),
    "another digest": (lambda m: m | {"digest": "0" * 64}, "truncated or was changed"),
    "wider": (lambda m: m | {"settings": m["settings"] | {"memory_dim": 64}}, "has shape"),
    "deeper": (lambda m: m | {"settings": m["settings"] | {"layers": 4}}, "in only one of them"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_strange_manifests_say_so(folder: Path, name: str) -> None:
    change, words = MANIFESTS[name]
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load(folder)


@pytest.mark.parametrize("text", ["", "{", "null", "\x00\xff", "[" * 100_000])
def test_garbage_manifests_say_so(folder: Path, text: str) -> None:
    (folder / checkpoint.MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="not a checkpoint's manifest"):
        checkpoint.load(folder)


@pytest.mark.parametrize("keep", [0, 4, 1000, -1])
def test_truncated_weights_say_so(folder: Path, keep: int) -> None:
    weights = folder / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="truncated or was changed"):
        checkpoint.load(folder)


def test_garbage_with_the_right_digest_says_so(folder: Path) -> None:
    (folder / checkpoint.WEIGHTS).write_bytes(b"weights")
    rewrite(folder, lambda m: m | {"digest": checkpoint._digest(folder / checkpoint.WEIGHTS)})
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(folder)


def test_missing_and_surplus_tensors_say_so(folder: Path) -> None:
    packed = load_file(folder / checkpoint.WEIGHTS)
    for odd in (packed | {"spare": torch.zeros(1)}, {k: v for k, v in packed.items() if "no_action" not in k}):
        save_file(odd, folder / checkpoint.WEIGHTS)
        rewrite(folder, lambda m: m | {"digest": checkpoint._digest(folder / checkpoint.WEIGHTS)})
        with pytest.raises(CheckpointError, match="spare|no_action"):
            checkpoint.load(folder)


def test_references_had_kinds_once(folder: Path) -> None:
    manifest = json.loads((folder / checkpoint.MANIFEST).read_text())
    manifest["settings"]["reference"] = "pictures"
    (folder / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    assert checkpoint.load(folder)[1].settings == random_model().settings
    manifest["settings"]["reference"] = "cells"
    (folder / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="carries no pictures over"):
        checkpoint.load(folder)


def test_missing_files_say_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.find(tmp_path / "nowhere")
    (folder / checkpoint.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(folder)


def test_a_foreign_world_says_so(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="of world 'toy', not of 'doom'"):
        checkpoint.load(folder, "doom")


def test_a_checkpoint_is_found_by_name_or_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINTS", folder.parent)
    assert checkpoint.find("kept") == checkpoint.find(folder) == folder
    with pytest.raises(CheckpointError, match="shipped: kept"):
        checkpoint.find("toyy")


@pytest.mark.skipif(os.name != "posix", reason="a file in the way of a folder is said so by POSIX")
def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write a checkpoint"):
        checkpoint.save(tmp_path / "file", random_model(), "toy", {})
