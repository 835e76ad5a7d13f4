"""Generator, memory and stream stages: predict a chunk's frames from memory and recent frames, and rebuild blocks.

The three differ in what is trained and what is weighted (train.yaml): the generator stage trains
all transformers together; the memory stage trains the memory model on rebuilding alone; the
stream stage trains the generator on the frozen memory model, on the model's own rollouts.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from engine import checkpoint, world
from engine.data.chunks import ChunkSampler
from engine.data.pictures import write_sheet
from engine.data.stores import LatentStore
from engine.model import pose as poses
from engine.model.codec import to_bytes
from engine.model.diffusion import add_noise, draw_levels, schedule, velocity_weight
from engine.model.layers import ContextReader, Layer
from engine.model.network import WorldModel
from engine.model.parallel import Chunk, Predicted, chunk_masks, predict_chunk
from engine.model.sampler import denoise
from engine.model.warping import Reprojector
from engine.train.codec import psnr, smooth
from engine.train.critic import Adversary
from engine.train.own_frames import OwnFrames, Streams
from engine.train.settings import GeneratorStage, TrainSettings


class GeneratorTraining:
    def __init__(
        self, name: str, model: WorldModel, settings: TrainSettings, device: torch.device, rank: int = 0
    ) -> None:
        self.name, self.model, self.settings, self.device, self.rank = name, model, settings, device, rank
        self.stage: GeneratorStage = getattr(settings, name)
        self.schedule = self.stage.schedule
        self.module = model
        model.requires_grad_(False)
        for part in self.stage.train:
            getattr(model, part).requires_grad_(True)
        folder = Path(settings.latents or Path(settings.out) / "latents")
        train = LatentStore.load(folder / f"train_{rank}.safetensors", device)
        held_out = LatentStore.load(folder / "validation.safetensors", device)
        self.sampler = ChunkSampler(train, model.settings, self.stage.frames)
        self.held_out = ChunkSampler(held_out, model.settings, self.stage.frames)
        block, window = model.settings.block_frames, model.settings.recent_frames
        self.rebuilt = block if self.stage.rebuild else 0
        self.masks = {
            recent: chunk_masks(model.settings, self.stage.frames, self.rebuilt, recent, device)
            for recent in (1, window)
        }
        whole = settings.compile and settings.compile_whole
        if settings.compile and not whole:
            compile_parts(model)
        self.own = OwnFrames(model, self.schedule.batch) if self.stage.own_frames else None
        self.streams = Streams(self.sampler, self.schedule.batch, self.stage.stream_frames)
        adversarial = self.stage.adversarial > 0
        self.adversary = Adversary(model.settings, device, self.stage.critic_rate) if adversarial else None
        self.predict = torch.compile(predict_chunk, dynamic=False) if whole else predict_chunk

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        stage, window = self.stage, self.model.settings.recent_frames
        random = torch.Generator(self.device).manual_seed(self.settings.seed + 1_000_003 * self.rank + step)
        coin = torch.rand(3, generator=torch.Generator().manual_seed(self.settings.seed + step)).tolist()
        robust = 0.0
        if self.own is not None and coin[0] < stage.own_frames * (progress >= stage.own_from):
            robust = stage.robust
            chunk = self.streams.draw(random)
            target = self.sampler.true_frames(self.streams.episode, self.streams.next)
            context = self.own.roll_out(chunk, schedule(1 + int(coin[1] * stage.own_steps)), random)
            self.streams.keep(context[:, window:])
            pictured = context.clone()  # or another graph is compiled, for two that are one
        else:
            chunk = self.sampler.draw(self.schedule.batch, random, stage.old_only, stage.no_memory, jitter=0.05)
            target, context = chunk.latents[:, window:], self._blur(chunk.latents, random, stage.context_noise)
            pictured = self._blur(chunk.latents, random, stage.picture_noise)
        batch, frames = chunk.actions.shape[0], stage.frames
        level = draw_levels((batch, frames), random, stage.pure, self.device)
        rebuild = None
        if self.rebuilt:
            rebuild = (torch.rand(batch, generator=random, device=self.device) * chunk.filled.sum(1)).long()
            rebuild = chunk.filled.long().argsort(dim=1, descending=True, stable=True).gather(1, rebuild[:, None])[:, 0]
            rows = torch.arange(batch, device=self.device)
            target = torch.cat([target, chunk.block_latents[rows, rebuild]], dim=1)
            block_level = draw_levels((batch, 1), random, 0.4, self.device).expand(-1, self.rebuilt)
            level = torch.cat([level, block_level], dim=1)
        noise = torch.randn(target.shape, generator=random, device=self.device, dtype=target.dtype)
        plain = round(batch * stage.plain)  # chunks are drawn at random, so the first are as good as any
        noisy = add_noise(target, noise, level)
        blind = torch.rand(batch, 2, generator=random, device=self.device) < stage.blind
        predicted = self.predict(
            self.model, chunk, noisy, level, self.masks[1 if coin[2] < 0.15 else window],
            drop=self._hide(chunk, random), rebuild=rebuild, plain=plain, context=context, pictured=pictured,
            blind=blind,
        )  # fmt: skip
        latents = predicted.latents
        cells = (latents.float() - target.float()).square().mean(dim=4)
        error = cells.mean(dim=(2, 3))
        counted = (robust * torch.log1p(cells / robust)).mean(dim=(2, 3)) if robust else error
        weighted = counted * velocity_weight(level, 0.2)
        moved, carried = self._moved(chunk, predicted)
        reference = (predicted.reference[..., :-1].float() - target[:, :frames].float()).square().mean()
        near = nearness_error(predicted.nearness, chunk)
        metrics = {"error": error[:, :frames].mean().detach(), "motion": moved.detach(), "carried": carried.detach()}
        metrics |= {"reference": reference.detach(), "nearness": near.detach()}
        loss = stage.predict * weighted[:, :frames].mean() + stage.motion * (moved + carried)
        loss = loss + stage.reference * reference + stage.nearness * near
        if self.adversary is not None:
            judged, figures = self._judge(target, latents, level, weighted[:, :frames].mean(), random)
            loss, metrics = loss + judged, metrics | figures
        if self.rebuilt:
            filled = chunk.filled.any(1).float()
            loss = loss + stage.rebuild * (weighted[:, frames:].mean(1) * filled).mean()
            metrics["rebuild"] = error[:, frames:].mean().detach()
        return loss, metrics

    def _judge(
        self, target: Tensor, latents: Tensor, level: Tensor, error: Tensor, random: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The critic's part of the loss, on frames made from pure noise; the critic learns from them as well.

        It pulls at those frames `adversarial` times as hard as the error does (arXiv 2012.09841, eq. 7, taken there
        at the last layer).
        """
        assert self.adversary is not None
        frames = self.stage.frames
        pure = (level[:, :frames] == 1).flatten().nonzero()[: self.schedule.batch * 2, 0]
        real, made = (x[:, :frames].flatten(0, 1)[pure].to(target.dtype) for x in (target, latents))
        learnt = self.adversary.learn(real, made, random)
        judged = self.adversary.judge(real, made)
        pulls = [torch.autograd.grad(part, latents, retain_graph=True)[0] for part in (error, judged)]
        ours, theirs = (pull[:, :frames].flatten(0, 1)[pure].float().norm() for pull in pulls)
        share = (ours / theirs.clamp(min=1e-8)).clamp(max=1e3)
        figures = {"critic": learnt, "judged": judged.detach(), "share": share}
        return self.stage.adversarial * share * judged, figures

    def _moved(self, chunk: Chunk, predicted: Predicted) -> tuple[Tensor, Tensor]:
        """Losses of the camera's motion: as the generator reads it off, and as it was foreseen before drawing."""
        window, frames = self.model.settings.recent_frames, self.stage.frames
        arrived = chunk.poses[:, window:]
        moved = smooth(predicted.motion[:, :frames].float() - poses.motion_between(predicted.asked, arrived))
        turned = poses.turn(chunk.poses[:, window - 1 : -1], self.model.yaw(chunk.actions[:, window:]))
        carried = smooth(predicted.carried - poses.motion_between(turned, arrived)[..., :2])
        return moved, carried

    def _blur(self, latents: Tensor, random: torch.Generator, most: float) -> Tensor:
        """Clean frames with a little noise in half of the chunks: a rollout's frames are never exact."""
        size = torch.rand(len(latents), generator=random, device=self.device)
        size = (size * 2 - 1).clamp(min=0) * most
        noise = torch.randn(latents.shape, generator=random, device=self.device, dtype=latents.dtype)
        return latents + size[:, None, None, None, None].to(latents.dtype) * noise

    def _hide(self, chunk: Chunk, random: torch.Generator) -> Tensor:
        """Hide the oldest clean frames of some chunks, as at the start of a session."""
        batch, total = chunk.actions.shape[:2]
        window = self.model.settings.recent_frames
        cut = (torch.rand(batch, generator=random, device=self.device) * window).long()
        cut = torch.where(torch.rand(batch, generator=random, device=self.device) < 0.15, cut, torch.zeros_like(cut))
        return torch.arange(total, device=self.device) < cut.unsqueeze(1)

    @torch.no_grad()
    def evaluate(self, path: Path) -> dict[str, float]:
        """PSNR against the codec's round trip on held-out maps.

        Next frame in 1 and 4 steps and without memory, and own rollouts of a chunk in 1 and 2 steps.
        """
        random = torch.Generator(self.device).manual_seed(7)
        window, count = self.model.settings.recent_frames, 32
        chunk = self.held_out.draw(count, random)
        truth = self._pixels(chunk.latents[:, window:])
        figures, rows = {}, []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            for name, steps, memory in (("next_1", 1, True), ("next_4", 4, True), ("next_1_no_memory", 1, False)):
                shown = chunk if memory else Chunk(**{**vars(chunk), "filled": torch.zeros_like(chunk.filled)})
                pixels = self._pixels(self._next_frames(shown, steps, random))
                figures[name] = psnr(pixels.flatten(0, 1), truth.flatten(0, 1))
            rollouts = OwnFrames(self.model, count, graphs=False)
            for steps in (1, 2):
                own = rollouts.roll_out(chunk, schedule(steps), random)[:, window:]
                pixels = self._pixels(own)
                figures[f"own_{steps}"] = psnr(pixels.flatten(0, 1), truth.flatten(0, 1))
                rows.append(pixels)
        picked = range(0, count, 8)
        sheet = [x for i in picked for x in (truth[i], rows[0][i], rows[1][i])]
        write_sheet(path, [to_bytes(row[::2]).cpu().numpy() for row in sheet])
        return figures

    def _next_frames(self, chunk: Chunk, steps: int, random: torch.Generator) -> Tensor:
        """All frames of the chunk, each generated from its true history."""
        window = self.model.settings.recent_frames
        masks = chunk_masks(self.model.settings, self.stage.frames, 0, window, self.device)
        predict = Parallel(self.model, chunk, masks)
        noise = torch.randn(chunk.latents[:, window:].shape, generator=random, device=self.device)
        return denoise(predict, noise, schedule(steps), chunk.actions[:, window:], None, None, None)[0]  # type: ignore[arg-type]

    def _pixels(self, latents: Tensor) -> Tensor:
        parts = [self.model.codec.decode(part.float()).float() for part in latents.split(4)]
        return torch.cat(parts).clamp(-1, 1)

    def save(self, folder: Path) -> None:
        checkpoint.save(
            folder, self.model, world.load(self.settings.world).name, {"stage": self.name}, weights="float32"
        )


def compile_parts(model: WorldModel) -> None:
    """Compile what repeats and what is long: graphs of one layer are alike, so each kind is compiled once."""
    torch._dynamo.config.recompile_limit = 64
    for part in model.modules():
        if isinstance(part, (Layer, ContextReader, Reprojector)):
            part.compile(dynamic=False)


class Parallel:
    """A chunk's generator under the sampler's calling convention: place and context are the chunk's own."""

    def __init__(self, model: WorldModel, chunk: Chunk, masks: object) -> None:
        self.model, self.chunk, self.masks = model, chunk, masks

    def __call__(self, noisy: Tensor, level: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        predicted = predict_chunk(self.model, self.chunk, noisy, level, self.masks)  # type: ignore[arg-type]
        return predicted.latents, predicted.motion


def nearness_error(found: Tensor, chunk: Chunk) -> Tensor:
    """Loss of nearness [B, F, rows, columns], in octaves, where the game tells it."""
    assert chunk.nearness is not None
    truth = chunk.nearness[:, : found.shape[1]].float()
    told = truth > 0
    error = torch.where(told, found.log() - truth.clamp(min=1 / 20, max=20).log(), 0)
    return F.smooth_l1_loss(error, torch.zeros_like(error), reduction="sum", beta=0.1) / told.sum().clamp(min=1)
