"""A checkpoint: weights in safetensors with a manifest of what they are; atomic save, strict load."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine import config
from engine import world as worlds
from engine.errors import CheckpointError, ConfigError, shown
from engine.model.network import WorldModel
from engine.model.settings import ModelSettings
from engine.world import World

FORMAT = 1
CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
WEIGHTS, MANIFEST, UNFINISHED = "model.safetensors", "manifest.json", "manifest.json.part"
DENOISE_STEPS = 2  # where a checkpoint does not say
CARRIED = "pictures"  # what networks carry over of earlier frames
EXACT = "generator.momentum."  # what is kept in float32: how far a camera goes adds up
SCALE = ".row_scale"  # suffix of the scales that go with rows kept as int8


@dataclass(frozen=True)
class Manifest:
    """What the weights are."""

    world: str
    settings: ModelSettings
    digest: str  # sha256 of the weights file
    notes: dict[str, Any]  # how it was trained, and how it is best sampled

    def denoise_steps(self, device: str) -> int:
        """Evaluations of the generator a frame with which it is played on "cpu" or "cuda"."""
        return self.notes.get(f"denoise_steps_{device}", self.notes.get("denoise_steps", DENOISE_STEPS))


def save(folder: Path | str, model: WorldModel, world: str, notes: dict[str, Any], weights: str = "int8") -> None:
    """Write `model` to `folder`; a reader sees the old checkpoint or the new one, never a half.

    weights: "int8" keeps the matrices of the transformers as int8 with a scale a row and the rest
    as bfloat16; "bfloat16" and "float32" keep everything so.
    """
    folder = Path(folder)
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if weights == "int8" and tensor.ndim == 2 and not name.startswith("codec.") and min(tensor.shape) >= 64:
            scale = tensor.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
            packed[name] = (tensor.float() / scale).round().to(torch.int8)
            packed[name + SCALE] = scale
        else:
            exact = weights == "float32" or name.startswith(EXACT)
            packed[name] = tensor.float() if exact else tensor.to(torch.bfloat16)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / (WEIGHTS + ".part")
        save_file({name: tensor.contiguous() for name, tensor in packed.items()}, part)
        manifest = {
            "format": FORMAT,
            "world": world,
            "digest": _digest(part),
            "settings": config.to_dict(model.settings),
            "notes": notes,
        }
        (folder / UNFINISHED).write_text(json.dumps(manifest, indent=1))
        os.replace(part, folder / WEIGHTS)
        os.replace(folder / UNFINISHED, folder / MANIFEST)
    except OSError as error:
        raise CheckpointError(f"cannot write a checkpoint to {folder}: {error.strerror or error}") from error


def find(name: Path | str) -> Path:
    """The folder of a checkpoint, from a world's name (the one shipped for it), its path, or that of its game."""
    for folder in (Path(name), Path(name) / "checkpoint", CHECKPOINTS / str(name)):
        if os.path.isfile(folder / MANIFEST):
            return folder
    known = sorted(path.parent.name for path in CHECKPOINTS.glob(f"*/{MANIFEST}"))
    shipped = f"shipped: {', '.join(known)}" if known else "none is shipped"
    raise CheckpointError(
        f"there is no checkpoint {shown(str(name))}: give a world's name or a folder with {MANIFEST} ({shipped})"
    )


def of_world(name: Path | str) -> Path:
    """`find` for what a player calls a world. Raises WorldError, naming the nearest, for a plain name that is none."""
    try:
        return find(name)
    except CheckpointError:
        if "/" not in str(name):
            worlds.load(str(name))
        raise


def read_manifest(folder: Path, name: str = MANIFEST) -> Manifest:
    """The manifest in `folder`. Raises CheckpointError if it is not one."""
    try:
        raw = json.loads((folder / name).read_text())
        if raw["format"] != FORMAT:
            raise CheckpointError(f"{folder}: checkpoint format {raw['format']!r} is not {FORMAT}; update the engine")
        sizes = dict(raw["settings"])
        if sizes.pop("reference", CARRIED) != CARRIED:  # told by checkpoints from when there was a choice
            raise CheckpointError(f"{folder}: its network carries no pictures over, as all do now; train it anew")
        settings = config.from_dict(ModelSettings, sizes)
        return Manifest(str(raw["world"]), settings, str(raw["digest"]), dict(raw["notes"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, ConfigError) as error:
        raise CheckpointError(f"{folder / MANIFEST} is not a checkpoint's manifest: {error}") from error


def load(folder: Path, world: str | None = None) -> tuple[WorldModel, Manifest]:
    """The model in `folder`, float32 on the CPU. Raises CheckpointError if file, shapes or `world` do not match."""
    path = folder / WEIGHTS
    try:
        manifest = _manifest_of(folder, _digest(path))
        packed = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if world is not None and manifest.world != world:
        raise CheckpointError(f"{folder} is a checkpoint of world {manifest.world!r}, not of {world!r}")
    tensors = {}
    for name, tensor in packed.items():
        if not name.endswith(SCALE):
            scale = packed.get(name + SCALE)
            tensors[name] = tensor.float() if scale is None else tensor.float() * scale
    try:
        model = WorldModel(manifest.settings)
    except (ValueError, RuntimeError, ArithmeticError, LookupError, TypeError, MemoryError) as error:
        raise CheckpointError(
            f"{folder / MANIFEST} describes no network that can be: layers or sizes are wrong"
        ) from error
    _check_shapes(path, model.state_dict(), tensors)
    model.load_state_dict(tensors)
    return model.eval(), manifest


def check_fit(manifest: Manifest, world: World) -> None:
    """Raise CheckpointError if the checkpoint was made for other frames or actions than the world has."""
    settings = manifest.settings
    made = settings.height, settings.width, settings.action_size, settings.mouse_axes
    needed = world.frame.height, world.frame.width, world.action_spec.size, len(world.action_spec.mouse_limits)
    if made != needed:
        numbers = "height, width, size of an action, mouse axes"
        raise CheckpointError(f"the checkpoint does not fit world {world.name!r}: {numbers} are {made}, not {needed}")


def _manifest_of(folder: Path, digest: str) -> Manifest:
    """The manifest of the weights with this digest; of a save that was killed, it lies beside the old one."""
    manifest = read_manifest(folder)
    if manifest.digest != digest and (folder / UNFINISHED).exists():
        manifest = read_manifest(folder, UNFINISHED)
    if manifest.digest != digest:
        raise CheckpointError(f"{folder / WEIGHTS} is truncated or was changed: its digest is not the manifest's")
    return manifest


def _check_shapes(path: Path, expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    if missing := sorted(expected.keys() ^ found.keys()):
        raise CheckpointError(f"{path} does not fit its manifest: tensor {missing[0]} is in only one of them")
    for name, tensor in expected.items():
        if tensor.shape != found[name].shape:
            shapes = f"{tuple(found[name].shape)}, not {tuple(tensor.shape)}"
            raise CheckpointError(f"{path} does not fit its manifest: tensor {name} has shape {shapes}")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
