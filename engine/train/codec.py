"""Codec stage: the autoencoder learns to rebuild single frames."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine import checkpoint, world
from engine.data.pictures import write_sheet
from engine.data.stores import FrameStore
from engine.model.codec import Codec, to_bytes
from engine.model.network import WorldModel
from engine.train.settings import TrainSettings
from engine.train.state import Learner

HELD_OUT = 256  # frames that evaluation looks at


def psnr(a: Tensor, b: Tensor) -> float:
    """Mean PSNR in dB over frames [N, 3, H, W] in [-1, 1]."""
    error = (a.float().clamp(-1, 1) - b.float()).square().flatten(1).mean(1)
    return float((10 * torch.log10(4 / error.clamp(min=1e-10))).mean())


class CodecTraining:
    name = "codec"

    def __init__(self, model: WorldModel, settings: TrainSettings, device: torch.device, rank: int = 0) -> None:
        self.model, self.settings, self.device, self.rank = model, settings, device, rank
        self.stage, self.schedule = settings.codec, settings.codec.schedule
        self.beside: dict[str, Learner] = {}
        self.module: Codec = model.codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        model.requires_grad_(False)
        self.module.requires_grad_(True)
        self.frames = FrameStore(settings.footage, self.stage.frames, device)
        self.held_out = FrameStore(settings.validation or settings.footage, HELD_OUT, device)
        self.rebuild = torch.compile(self._rebuild) if settings.compile else self._rebuild

    def _rebuild(self, frames: Tensor, noise: Tensor) -> Tensor:
        cells = self.module.encode_cells(frames)
        return self.module.decoder(cells + self.stage.noise * noise)

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        random = torch.Generator(self.device).manual_seed(self.settings.seed + 1_000_003 * self.rank + step)
        index = torch.randint(len(self.frames), (self.schedule.batch,), generator=random, device=self.device)
        frames = self.frames.take(index)
        shape = (len(index), self.model.settings.codec.latent_channels, *self.model.settings.latent_shape[:2])
        noise = torch.randn(shape, generator=random, device=self.device)
        error = self.rebuild(frames, noise).float() - frames
        squared = error.square().mean()
        loss = squared * 10 + self.stage.absolute * error.abs().mean()
        return loss, {"psnr": 10 * torch.log10(4 / squared.detach())}

    @torch.no_grad()
    def evaluate(self, path: Path) -> dict[str, float]:
        self._take_statistics()
        shown, scores = [], []
        for start in range(0, len(self.held_out), 64):
            index = torch.arange(start, min(start + 64, len(self.held_out)), device=self.device)
            frames = self.held_out.take(index)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                rebuilt = self.module.decode(self.module.encode(frames))
            scores.append(psnr(rebuilt, frames) * len(index))
            shown.append((frames[:2], rebuilt[:2].float()))
        real, made = (to_bytes(torch.cat(part)[:8]).cpu().numpy() for part in zip(*shown, strict=True))
        write_sheet(path, [real, made])
        return {"held_out_psnr": sum(scores) / len(self.held_out)}

    def save(self, folder: Path) -> None:
        self._take_statistics()
        checkpoint.save(
            folder, self.model, world.load(self.settings.world).name, {"stage": self.name}, weights="float32"
        )

    @torch.no_grad()
    def _take_statistics(self) -> None:
        count = min(512, len(self.frames))
        index = torch.linspace(0, len(self.frames) - 1, count, device=self.device).long()
        cells = [self.module.encode_cells(self.frames.take(part)) for part in index.split(64)]
        self.module.set_statistics(torch.cat(cells).float())


def smooth(x: Tensor) -> Tensor:
    """Huber loss of an error of magnitude about 1, mean over all axes."""
    return F.smooth_l1_loss(x, torch.zeros_like(x))
