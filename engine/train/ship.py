"""Stage ship: the checkpoint that is played, of one network or of the mean of two that began as one."""

from __future__ import annotations

from pathlib import Path

import torch

from engine import checkpoint, world
from engine.errors import ConfigError
from engine.model.network import WorldModel
from engine.train.loop import rank
from engine.train.settings import TrainSettings


def ship(model: WorldModel, settings: TrainSettings) -> None:
    """Write what is played: matrices as int8, a third of a training checkpoint's size. Raises ConfigError."""
    folder, name = Path(settings.ship or Path(settings.out) / "shipped"), world.load(settings.world).name
    if settings.ship_with:
        mix(model, _other(model, Path(settings.ship_with), name), settings.ship_share)
    if rank() == 0:
        notes = {"denoise_steps": settings.denoise_steps}
        if settings.denoise_steps_cuda:
            notes["denoise_steps_cuda"] = settings.denoise_steps_cuda
        checkpoint.save(folder, model, name, notes)


@torch.no_grad()
def mix(model: WorldModel, other: WorldModel, share: float) -> None:
    """Have `model` be the mean of both, of which the other's weights have that share.

    What says how the camera moves on stays as it is: it is fitted for itself, to a hundredth of a unit. Networks that
    were trained on from the same weights can so be mixed, and often are better than either (arXiv 2203.05482).
    """
    fitted = {id(p) for p in model.generator.momentum.parameters()}
    for own, theirs in zip(model.parameters(), other.parameters(), strict=True):
        if id(own) not in fitted:
            own.lerp_(theirs.to(own), share)


def _other(model: WorldModel, folder: Path, name: str) -> WorldModel:
    if not (folder / checkpoint.MANIFEST).exists():
        raise ConfigError(f"there is no checkpoint to mix with in {folder}")
    other = checkpoint.load(folder, name)[0]
    if other.settings != model.settings:
        raise ConfigError(f"the network in {folder} has other sizes, so there is no mean of both")
    if any(not torch.equal(a, b.to(a)) for a, b in zip(model.codec.buffers(), other.codec.buffers(), strict=True)):
        raise ConfigError(f"the network in {folder} has another codec, so its latents say something else")
    return other
