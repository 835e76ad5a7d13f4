"""Motion stage: how the camera moves on, learnt from poses and actions alone.

What carries a camera is mostly exact: its speed, what pushes it, what brakes it. The generator's own training would
learn that to a hundredth at best, and being asked a hundredth beside the truth adds up. So it is learnt by itself, in
float32, until only what no motion tells is left: walls and steps.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from engine import checkpoint, world
from engine.data.stores import LatentStore
from engine.model import pose as poses
from engine.model.network import WorldModel
from engine.model.pose import looking_back
from engine.train.settings import TrainSettings
from engine.train.state import Learner

SOFT = 1e-3  # scaled motion: errors far below it count squared, those beyond as they are, so that no wall pulls much


class MotionTraining:
    name = "motion"

    def __init__(self, model: WorldModel, settings: TrainSettings, device: torch.device, rank: int = 0) -> None:
        self.model, self.settings, self.device, self.rank = model, settings, device, rank
        self.schedule = settings.motion.schedule
        self.beside: dict[str, Learner] = {}
        self.module: nn.Module = model.generator.momentum
        model.requires_grad_(False)
        self.module.requires_grad_(True)
        folder = Path(settings.latents or Path(settings.out) / "latents")
        self.train = Steps(*LatentStore.load_walks(folder / f"train_{rank}.safetensors", device))
        self.held_out = Steps(*LatentStore.load_walks(folder / "validation.safetensors", device))

    def loss(self, step: int, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        random = torch.Generator(self.device).manual_seed(self.settings.seed + 1_000_003 * self.rank + step)
        index = torch.randint(len(self.train), (self.schedule.batch,), generator=random, device=self.device)
        off = self._off(self.train, index)
        return (off.square().sum(dim=-1) + SOFT**2).sqrt().mean(), {}

    @torch.no_grad()
    def evaluate(self, path: Path) -> dict[str, float]:
        """By how much it errs on held-out footage, in pose units: the mean, the middle and the ninth of ten frames."""
        off = self._off(self.held_out, torch.arange(len(self.held_out), device=self.device)) / poses.MOTION_SCALE[0]
        off = off.norm(dim=-1)
        return {"mean": float(off.mean()), "middle": float(off.median()), "worse": float(off.quantile(0.9))}

    def save(self, folder: Path) -> None:
        checkpoint.save(
            folder, self.model, world.load(self.settings.world).name, {"stage": self.name}, weights="float32"
        )

    def _off(self, steps: Steps, index: Tensor) -> Tensor:
        """Errors [N, .] of what is foreseen: along the ground, and of the height where that is foreseen too."""
        pose, motion, before, action, arrived = steps.take(index)
        asked, foreseen = self.model.ask(pose, motion, before, action)
        off = foreseen - poses.motion_between(poses.turn(pose, self.model.yaw(action)), arrived)
        return torch.cat([off[:, :2], off[:, 3:]], dim=1) if self.model.settings.foresees_height else off[:, :2]


class Steps:
    """Every step of episodes that has another one before it: poses [E, T, SIZE], actions [E, T, size]."""

    def __init__(self, seen_from: Tensor, actions: Tensor) -> None:
        self.poses, self.actions = seen_from.float(), actions.float()
        self.each = self.poses.shape[1] - 2

    def __len__(self) -> int:
        return len(self.poses) * self.each

    def take(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Of steps [N]: pose before, motion that led to it and its action, the action of the step, pose after."""
        row, frame = index // self.each, index % self.each + 1
        before, pose, after = (self.poses[row, frame + offset] for offset in (-1, 0, 1))
        return pose, looking_back(before, pose), self.actions[row, frame], self.actions[row, frame + 1], after
