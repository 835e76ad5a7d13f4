"""What training judges a generator by: figures and a contact sheet on held-out maps."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from engine.data.chunks import ChunkSampler
from engine.data.pictures import write_sheet
from engine.model.chunk import Chunk
from engine.model.codec import to_bytes
from engine.model.diffusion import schedule
from engine.model.network import WorldModel
from engine.model.parallel import chunk_masks, predict_chunk
from engine.model.sampler import denoise
from engine.train.codec import psnr
from engine.train.own_frames import OwnFrames
from engine.train.streams import Streams

STILL = 1e-3  # motion of less than this, in pose units and radians, is none


class Review:
    """Judges `model` on chunks of `held_out`, and on rollouts of `length` frames in `steps` steps unless that is 0."""

    def __init__(
        self, model: WorldModel, held_out: ChunkSampler, length: int, steps: int = 1, chunks: int = 32
    ) -> None:
        self.model, self.held_out, self.device = model, held_out, held_out.device
        self.length, self.steps, self.chunks = length, steps, chunks

    @torch.no_grad()
    def evaluate(self, path: Path) -> dict[str, float]:
        """PSNR against the codec's round trip on held-out maps; how sharp long rollouts stay.

        Next frame in 1 step from noise, from none (`still`), without memory, and in 4 steps; own rollouts of a chunk,
        from noise and from none; as a share of the truth's, the sharpness of rollouts' first and last frames; and
        `shimmer`, by how many of 255 grey levels own frames change where nothing moved.
        """
        random = torch.Generator(self.device).manual_seed(7)
        window, count = self.model.settings.recent_frames, self.chunks
        chunk = self.held_out.draw(count, random)
        truth = self._pixels(chunk.latents[:, window:])
        bare = Chunk(**{**vars(chunk), "filled": torch.zeros_like(chunk.filled)})
        kinds = {"next_1": (chunk, 1, 1.0), "next_1_still": (chunk, 1, 0.0), "next_4": (chunk, 4, 1.0)}
        kinds["next_1_no_memory"] = (bare, 1, 1.0)
        figures, rows = {}, []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            for name, (shown, steps, heat) in kinds.items():
                pixels = self._pixels(self._next_frames(shown, steps, random, heat))
                figures[name] = psnr(pixels.flatten(0, 1), truth.flatten(0, 1))
            rollouts = OwnFrames(self.model, count, graphs=False)
            for name, heat in (("own_1", 1.0), ("own_1_still", 0.0)):
                pixels = self._pixels(rollouts.roll_out(chunk, schedule(1), random, heat)[:, window:])
                figures[name] = psnr(pixels.flatten(0, 1), truth.flatten(0, 1))
                rows.append(pixels)
            sheet = [x[i, ::2] for i in range(0, count, 16) for x in (truth, *rows)]
            if self.length:
                sheet += self._wander(rollouts, random, figures, len(sheet[0]))
        write_sheet(path, [to_bytes(row).cpu().numpy() for row in sheet])
        return figures

    def _wander(
        self, rollouts: OwnFrames, random: torch.Generator, figures: dict[str, float], columns: int
    ) -> list[Tensor]:
        """Rollouts as long as this stage's streams: rows of a contact sheet, truth above own, and their sharpness."""
        window, length = self.model.settings.recent_frames, self.length
        streams = Streams(self.held_out, rollouts.batch, length, even=True)
        truth, own, shimmer = [], [], []
        for _ in range(length // self.held_out.frames):
            chunk = streams.draw(random)
            truth.append(self._pixels(self.held_out.true_frames(streams.episode, streams.next)[:, ::6]))
            made = rollouts.roll_out(chunk, schedule(self.steps), random)[:, window - 1 :]
            streams.keep(made[:, 1:])
            pixels, moved = self._pixels(made), chunk.poses[:, window - 1 :].diff(dim=1).abs().amax(dim=2)
            own.append(pixels[:, 1::6])
            shimmer.append(pixels.diff(dim=1)[moved < STILL].abs().flatten(1).mean(1))
        for name, index in (("sharp_first", 0), ("sharp_last", -1)):
            figures[name] = float(own[index].diff(dim=-1).abs().mean() / truth[index].diff(dim=-1).abs().mean())
        if len(standing := torch.cat(shimmer)):
            figures["shimmer"] = float(standing.mean()) * 127.5
        real, made = (torch.cat(parts, dim=1) for parts in (truth, own))
        shown = torch.linspace(0, real.shape[1] - 1, columns).long()
        return [x[i, shown] for i in range(0, rollouts.batch, 8) for x in (real, made)]

    def _next_frames(self, chunk: Chunk, steps: int, random: torch.Generator, heat: float) -> Tensor:
        """All frames of the chunk, each generated from its true history, from noise of standard deviation `heat`."""
        window = self.model.settings.recent_frames
        masks = chunk_masks(self.model.settings, self.held_out.frames, 0, window, self.device)
        predict = Parallel(self.model, chunk, masks)
        noise = heat * torch.randn(chunk.latents[:, window:].shape, generator=random, device=self.device)
        return denoise(predict, noise, schedule(steps))[0]

    def _pixels(self, latents: Tensor) -> Tensor:
        parts = [self.model.codec.decode(part.float()).float() for part in latents.split(4)]
        return torch.cat(parts).clamp(-1, 1)


class Parallel:
    """A chunk's generator under the sampler's calling convention: place and context are the chunk's own."""

    def __init__(self, model: WorldModel, chunk: Chunk, masks: object) -> None:
        self.model, self.chunk, self.masks = model, chunk, masks

    def __call__(self, noisy: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        predicted = predict_chunk(self.model, self.chunk, noisy, level, self.masks)  # type: ignore[arg-type]
        return predicted.latents, predicted.motion
