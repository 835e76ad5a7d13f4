"""Generator, memory and stream stages: predict a chunk's frames from memory and recent frames, and rebuild blocks.

The three differ in what is trained and what is weighted (train.yaml): the generator stage trains
all transformers together; the memory stage trains the memory model on rebuilding alone; the
stream stage trains the generator on the frozen memory model, on the model's own rollouts.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from engine import checkpoint, world
from engine.data.chunks import ChunkSampler
from engine.data.stores import LatentStore
from engine.errors import ConfigError
from engine.model.chunk import Chunk, follows
from engine.model.diffusion import add_noise, draw_levels, schedule, velocity_weight
from engine.model.network import WorldModel
from engine.model.parallel import Looked, Predicted, chunk_masks, draw, look
from engine.train.compiled import compile_parts, with_gradient
from engine.train.critic import Adversary
from engine.train.distil import Distiller, Draw, forget, partway, truth_weight
from engine.train.losses import motion_error, nearness_error
from engine.train.own_frames import OwnFrames
from engine.train.review import Review
from engine.train.scorers import load_distiller
from engine.train.settings import GeneratorStage, TrainSettings
from engine.train.state import Learner
from engine.train.streams import Streams

ASTRAY = 0.015  # pose units by which memory's entries may be elsewhere than they are believed to be


class Scene(NamedTuple):
    """Chunks, the frames to predict [B, frames, ..], and the clean frames to show and to carry over (predict_chunk)."""

    chunk: Chunk
    target: Tensor
    context: Tensor
    pictured: Tensor


class Noised(NamedTuple):
    """Frames to predict and then those to rebuild, [B, frames + R, ..], their noise and levels; `rebuild`: which slot.

    drawn: bool [B, frames + R], to be drawn from noise alone.
    """

    target: Tensor
    noise: Tensor
    level: Tensor
    drawn: Tensor
    rebuild: Tensor | None


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
            attrgetter(part)(model).requires_grad_(True)
        model.generator.momentum.requires_grad_(False)
        folder = Path(settings.latents or Path(settings.out) / "latents")
        train = LatentStore.load(folder / f"train_{rank}.safetensors", device)
        held_out = LatentStore.load(folder / "validation.safetensors", device)
        self.sampler = ChunkSampler(train, model.settings, self.stage.frames)
        self.held_out = ChunkSampler(held_out, model.settings, self.stage.frames)
        block, window = model.settings.block_frames, model.settings.recent_frames
        self.rebuilt = block if self.stage.rebuild else 0
        self.distiller: Distiller | None = None
        self.scorers = self._load_scorers()
        if self.stage.roam and not self.scorers:
            raise ConfigError(f"{name}.roam is for a stage with a teacher: nobody knows the true frames of such walks")
        networks = [model, *self.scorers]
        self.masks = {
            (size.frame_tokens, recent): chunk_masks(size, self.stage.frames, self.rebuilt, recent, device)
            for size in (network.settings for network in networks)
            for recent in (1, window)
        }
        self.own = OwnFrames(model, self.schedule.batch) if self.stage.own_frames else None
        self.streams = Streams(self.sampler, self.schedule.batch, self.stage.stream_frames, roam=self.stage.roam)
        model.body = world.load(settings.world).camera.body  # whom walls stop, where cameras roam
        critic = partial(Adversary, model.settings, device, self.stage.critic_rate, settings.seed)
        self.adversary = critic() if self.stage.adversarial else None
        learners = {"critic": self.adversary, "imitator": self.distiller}
        self.beside: dict[str, Learner] = {name: one for name, one in learners.items() if one is not None}
        wander = self.stage.stream_frames if self.own is not None or self.stage.review_steps > 1 else 0
        self.review = Review(model, self.held_out, wander, self.stage.review_steps, self.stage.review_chunks)
        model.codec.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if settings.compile:
            compile_parts(model, self._try, networks[1:])

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        stage, frames = self.stage, self.stage.frames
        random = torch.Generator(self.device).manual_seed(self.settings.seed + 1_000_003 * self.rank + step)
        coin = torch.rand(5, generator=torch.Generator().manual_seed(self.settings.seed + step)).tolist()
        own = self.own is not None and coin[0] < stage.own_frames * (progress >= stage.own_from)
        distiller = self.distiller
        steps, heat = 1 + int(coin[1] * stage.own_steps), float(coin[3] >= stage.still / 2)
        scene = self._own_scene(steps, heat, random) if own else self._true_scene(random)
        noised = self._noise(scene, 1.0 if own and distiller is not None else stage.pure, random)
        blind, alone = torch.rand(self.schedule.batch, 3, generator=random, device=self.device).split([2, 1], dim=1)
        given: dict[str, Any] = {
            "chunk": scene.chunk, "drop": self._hide(scene.chunk, random), "rebuild": noised.rebuild,
            "plain": round(self.schedule.batch * stage.plain),  # chunks are drawn at random: the first serve
            "context": scene.context, "pictured": scene.pictured, "blind": blind < stage.blind,
        }  # fmt: skip
        if distiller is None:
            given = forget(given, alone < stage.alone)
            scene = scene._replace(chunk=given["chunk"])
        recent = 1 if coin[2] < 0.15 else self.model.settings.recent_frames
        looked = look(self.model, **given)
        predict = partial(self._draw, recent, self.model, looked)
        noisy, level = add_noise(noised.target, noised.noise, noised.level), noised.level
        if distiller is not None:
            levels = schedule(stage.own_steps)[: 1 + int(coin[4] * stage.own_steps)]
            noisy, level = partway(predict, noisy, level, noised.noise, noised.drawn, levels)
        noised, predicted = noised._replace(level=level), predict(noisy=noisy, level=level)
        loss, weighted, metrics = self._errors(scene, noised, predicted, stage.robust * own)
        drawn = noised.drawn[:, :frames]
        worth = stage.predict
        if distiller is not None:
            worth = truth_weight(drawn, looked.carried, predicted.reference, noised.target[:, :frames], stage)
            worth = worth * follows(scene.chunk).view(-1, 1, 1, 1)
        wanted = (worth * weighted).mean()
        if distiller is not None:
            made = predicted.latents[:, :frames]
            rest = noisy[:, frames:], noised.level[:, frames:]
            given = forget(given | {"carried": looked.carried}, alone < stage.alone)
            seen = partial(self._look, recent, rest, **given)
            pull, metrics["imitated"] = distiller.pull(made, drawn, seen, random)
            wanted = wanted + stage.distil * (made * pull.to(made.dtype)).sum() / made.numel()
        if self.adversary is not None:
            judged, figures = self._judge(noised.target, predicted.latents, drawn, wanted, progress, random)
            loss, metrics = loss + judged, metrics | figures
        return loss + wanted, metrics

    def _try(self) -> tuple[Tensor, Tensor]:
        """What the network makes of true frames, of some at middling noise, and of own ones; the second's gradient."""
        random = torch.Generator(self.device).manual_seed(self.settings.seed)
        scene = self._true_scene(random)
        noised = self._noise(scene, 0.0, random)
        recent = self.model.settings.recent_frames
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            looked = look(self.model, scene.chunk, rebuild=noised.rebuild, context=scene.context)
            noisy = add_noise(noised.target, noised.noise, noised.level)
            found = [looked.recent, self._draw(recent, self.model, looked, noisy=noisy, level=noised.level).latents]
            if self.own is not None:  # by a rollout of its own, whose passes are not recorded
                rolls = OwnFrames(self.model, self.schedule.batch, graphs=False)
                found += [rolls.roll_out(scene.chunk, schedule(1), random)[:, recent]]
        return with_gradient(self.model, found, found[1].float().square().mean())

    def _draw(self, recent: int, network: WorldModel, looked: Looked, noisy: Tensor, level: Tensor) -> Predicted:
        return draw(network, looked, noisy, level, self.masks[network.settings.frame_tokens, recent])

    def _look(self, recent: int, rest: tuple[Tensor, Tensor], network: WorldModel, **given: Any) -> Draw:
        """`network` looks at a scene. What it then makes of noised latents [B, frames, ..] is returned; those to
        rebuild, and their levels, come along as `rest`: so one compiled graph does for all."""
        predict = partial(self._draw, recent, network, look(network, **given))

        def made(latents: Tensor, level: Tensor) -> Tensor:
            both = (torch.cat(pair, dim=1) for pair in zip((latents, level), rest, strict=True))
            return predict(*both).latents[:, : latents.shape[1]]

        return made

    def _own_scene(self, steps: int, heat: float, random: torch.Generator) -> Scene:
        """A chunk of every stream, whose clean frames the model has just made in so many steps, from so much noise."""
        assert self.own is not None
        chunk = self.streams.draw(random)
        target = self.sampler.true_frames(self.streams.episode, self.streams.next)
        if chunk.turns is None:
            context = self.own.roll_out(chunk, schedule(steps), random, heat)
        else:
            chunk = self.own.roam(chunk, schedule(steps), random, heat)
            context = chunk.latents
            self.streams.follow(chunk)
        self.streams.keep(context[:, self.model.settings.recent_frames :])
        return Scene(chunk, target, context, context.clone())  # or another graph is compiled, for two that are one

    def _true_scene(self, random: torch.Generator) -> Scene:
        stage = self.stage
        chunk = self.sampler.draw(self.schedule.batch, random, stage.old_only, stage.no_memory, jitter=ASTRAY)
        target = chunk.latents[:, self.model.settings.recent_frames :]
        context, pictured = (
            self._blur(chunk.latents, random, most) for most in (stage.context_noise, stage.picture_noise)
        )
        return Scene(chunk, target, context, pictured)

    def _noise(self, scene: Scene, pure: float, random: torch.Generator) -> Noised:
        """Noise and levels for a scene's frames, and for those of one block of each chunk that is to be rebuilt."""
        chunk, target, rebuild = scene.chunk, scene.target, None
        batch, frames = target.shape[:2]
        level = draw_levels((batch, frames), random, pure, self.device)
        if self.rebuilt:
            rebuild = (torch.rand(batch, generator=random, device=self.device) * chunk.filled.sum(1)).long()
            rebuild = chunk.filled.long().argsort(dim=1, descending=True, stable=True).gather(1, rebuild[:, None])[:, 0]
            rows = torch.arange(batch, device=self.device)
            target = torch.cat([target, chunk.block_latents[rows, rebuild]], dim=1)
            block_level = draw_levels((batch, 1), random, 0.4, self.device).expand(-1, self.rebuilt)
            level = torch.cat([level, block_level], dim=1)
        noise = torch.randn(target.shape, generator=random, device=self.device, dtype=target.dtype)
        still = (torch.rand(level.shape, generator=random, device=self.device) < self.stage.still) & (level == 1)
        still[:, frames:] = False  # a block is rebuilt from noise, as ever
        drawn = (level == 1) & ~still
        drawn[:, frames:] = False
        return Noised(target, noise * ~still[:, :, None, None, None], level, drawn, rebuild)

    def _errors(
        self, scene: Scene, noised: Noised, predicted: Predicted, robust: float
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The loss without the frames themselves, theirs [B, frames, rows, columns], and metrics."""
        stage, frames, target = self.stage, self.stage.frames, noised.target
        cells = (predicted.latents.float() - target.float()).square().mean(dim=4)
        error = cells.mean(dim=(2, 3))
        counted = robust * torch.log1p(cells / robust) if robust else cells
        weighted = counted * velocity_weight(noised.level, 0.2)[..., None, None]
        true = follows(scene.chunk)
        moved = motion_error(predicted, scene.chunk, true)
        off = predicted.reference[..., :-1].float() - target[:, :frames].float()
        reference = (off * true.view(-1, 1, 1, 1, 1)).square().mean()
        near = nearness_error(predicted.nearness, scene.chunk)
        metrics = {"error": error[:, :frames].mean().detach(), "motion": moved.detach()}
        metrics |= {"reference": reference.detach(), "nearness": near.detach()}
        if self.model.settings.sweep:
            swept = nearness_error(predicted.swept, scene.chunk, self.model.settings.recent_frames - 1)
            near, metrics["swept"] = near + swept, swept.detach()
        loss = stage.motion * moved + stage.reference * reference + stage.nearness * near
        if self.rebuilt:
            filled = scene.chunk.filled.any(1).float()
            loss = loss + stage.rebuild * (weighted[:, frames:].mean(dim=(1, 2, 3)) * filled).mean()
            metrics["rebuild"] = error[:, frames:].mean().detach()
        return loss, weighted[:, :frames], metrics

    def _judge(
        self, target: Tensor, latents: Tensor, drawn: Tensor, error: Tensor, progress: float, random: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The critic's part of the loss, on some of the frames `drawn` from noise, bool [B, C]; the critic learns too.

        It pulls at every cell `adversarial` times as hard as the error does around that cell: where little is left
        open there is little to invent. (One share for a whole batch: arXiv 2012.09841, eq. 7.)
        """
        assert self.adversary is not None
        lot = drawn.flatten() + torch.rand(drawn.numel(), generator=random, device=self.device)
        picked = lot.topk(min(len(lot), self.schedule.batch * 4)).indices
        (pull,) = torch.autograd.grad(error, latents, retain_graph=True)
        whole = [x[:, : self.stage.frames].flatten(0, 1)[picked] for x in (target, latents, pull)]
        real, made = (self.model.codec.bound(x.detach().float(), whole=True) for x in whole[:2])  # as they look
        learnt = self.adversary.learn(real, made, random)
        made.requires_grad_()
        judged = self.adversary.judge(real, self.model.codec.bound(made, whole=True))
        (push,) = torch.autograd.grad(judged, made)
        around = F.avg_pool2d(whole[2].float().square().mean(-1), 5, stride=1, padding=2, count_include_pad=False)
        share = around.sqrt().unsqueeze(-1) / push.square().mean().sqrt().clamp(min=1e-12)
        share = self.stage.adversarial * min(1.0, progress / max(self.stage.critic_lead, 1e-9)) * share
        wanted = push * share * drawn.flatten()[picked, None, None, None]
        return (whole[1] * wanted.detach()).sum(), {"critic": learnt, "judged": judged.detach()}

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

    def _load_scorers(self) -> list[WorldModel]:
        """The networks beside the one that is trained, all of which are compiled as it is."""
        if not self.stage.distil:
            return []
        self.distiller = load_distiller(self.model, self.stage, self.settings, self.name, self.rank)
        return [self.distiller.teacher, self.distiller.imitator]

    def evaluate(self, path: Path) -> dict[str, float]:
        return self.review.evaluate(path)

    def save(self, folder: Path) -> None:
        checkpoint.save(
            folder, self.model, world.load(self.settings.world).name, {"stage": self.name}, weights="float32"
        )
