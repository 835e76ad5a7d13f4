"""A probe of actions: reads what the player did off the pictures around it, trained on real footage alone.

First it reads each turn off a sweep of turns. Then earlier pictures are turned along, and what is left, how the
patches of a picture moved, is read as a motion. Keys push a body that has momentum, so they are read off the motions
of several frames in a row; also of frames that follow, as an inverse dynamics model may (arXiv 2206.11795): a push
shows in them too, so that less hangs on how exactly each single motion is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.action import ActionSpec
from engine.bench.matching import (
    BANDS,
    GRID,
    SHIFT_COSTS,
    TURN_STEP,
    Lens,
    blur,
    look,
    shift_costs,
    turn_costs,
    turned,
)
from engine.world import Camera

log = logging.getLogger(__name__)

BEFORE, AFTER = 4, 3  # frames that the probe sees before and after the one whose action it reads
AT_ONCE = 4  # pairs of pictures that are matched: more do not fit a core's cache
WIDTH, CELL, FOUND = 96, 48, 64  # channels of a patch, at first and at last, and of a motion
TURN_WIDTH, TURN_NEAR = 32, 4  # channels of the turn reader; candidates to either side of the best that count
TURN_BLUR = 0.4  # degrees: how sharply a turn is told apart in training
TURNS_AT_ONCE, RUNS_AT_ONCE, RUN = 128, 16, 22  # of a training step: pairs; stretches, and their pairs
TURN_RATE, RATE = 3e-3, 3e-3  # learning rates
UNSEEN = 0.05  # share of patches that are hidden in training
SOFTEST = 2.5  # pixels by which half of the footage is blurred at most: what is generated is softer than what is real
NOISE = 0.01  # in it, on the scale 0 to 1


@dataclass(frozen=True)
class Watched:
    """A stretch of T frames as a probe knows it.

    costs: float16 [T - 1, SHIFT_COSTS, *GRID], after the turns read, yaw [T - 1], in degrees; colours: float16
    [T, 3, *GRID], -2..2.
    """

    costs: Tensor
    yaw: Tensor
    colours: Tensor


@dataclass(frozen=True)
class Footage:
    """Real frames uint8 [T, height, width, 3], what was done before each, actions [T, size], and poses [T, 4]."""

    frames: Callable[[int, int], np.ndarray]
    actions: np.ndarray
    poses: np.ndarray


@dataclass(frozen=True)
class Read:
    """What a probe read: keys bool [N, keys], mouse float [N, axes] in degrees."""

    keys: np.ndarray
    mouse: np.ndarray


class TurnReader(nn.Module):
    """How wrong each turn is, by band of the picture, and what it leaves in sight [N, bands, turns] -> their logits."""

    def __init__(self) -> None:
        super().__init__()
        sizes = 2 * BANDS[0] * BANDS[1], *(TURN_WIDTH,) * 4
        layers: list[nn.Module] = []
        for inside, outside, reach in zip(sizes, sizes[1:], (0, 2, 4, 4), strict=False):
            layers += [nn.Conv1d(inside, outside, 2 * reach + 1, padding=reach), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Conv1d(TURN_WIDTH, 1, 5, padding=2))

    def forward(self, costs: Tensor, seen: Tensor) -> Tensor:
        return self.layers(torch.cat([costs, seen.expand_as(costs)], dim=1))[:, 0]


class Probe(nn.Module):
    """Costs of shifts, colours and turns of a stretch of frames -> motions, and what was done, frame by frame."""

    def __init__(self, lens: Lens, spec: ActionSpec) -> None:
        super().__init__()
        self.lens, self.spec = lens, spec
        self.turns = TurnReader()
        self.patches = nn.Sequential(
            nn.Conv2d(SHIFT_COSTS + 7, WIDTH, 1), nn.GELU(), nn.Conv2d(WIDTH, CELL, 1), nn.GELU(),
            nn.Conv2d(CELL, CELL, 3, padding=1), nn.GELU(), nn.Flatten(),
            nn.Linear(CELL * GRID[0] * GRID[1], 192), nn.GELU(), nn.Linear(192, FOUND),
        )  # fmt: skip
        self.motion = nn.Linear(FOUND, 4)
        self.head = nn.Sequential(
            nn.Conv1d(FOUND + 5, 192, BEFORE + AFTER), nn.GELU(), nn.Dropout(0.1),
            nn.Conv1d(192, 128, 1), nn.GELU(), nn.Conv1d(128, spec.size, 1),
        )  # fmt: skip

    @property
    def num_keys(self) -> int:
        return len(self.spec.keys)

    def read_turns(self, costs: Tensor, seen: Tensor) -> Tensor:
        """Degrees [N]: the mean of the likeliest turn and of those beside it, by how likely they are."""
        told = self.turns(costs, seen)
        count = torch.arange(told.shape[1], device=told.device)
        near = (count - told.argmax(dim=1, keepdim=True)).abs() <= TURN_NEAR
        return told.masked_fill(~near, -torch.inf).softmax(dim=1) @ self.lens.turns.to(told)

    def forward(self, costs: Tensor, yaw: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
        """Stretches of T frames: costs [B, T - 1, ...], yaw [B, T - 1], colours [B, T, ...], as `Watched` holds them.

        Returns motions [B, T - 1, 4]: forward, right and up in the training's unit, and what the turn read lacks, in
        `turn_unit`; and of all frames but the first BEFORE and the last AFTER [B, T - BEFORE - AFTER, size]: keys, as
        logits, and the mouse: again what the turn lacks, other axes as shares of their limits.
        """
        turn = yaw / self.turn_unit
        told = turn[..., None, None, None].expand(*turn.shape, 1, *GRID)
        patches = torch.cat([costs, colours[:, :-1], colours[:, 1:], told], dim=2).float()
        if self.training:
            patches = patches * (torch.rand_like(patches[:, :, :1]) > UNSEEN)
        found = self.patches(patches.flatten(0, 1)).unflatten(0, turn.shape)
        motion = self.motion(found)
        both = torch.cat([found, motion, turn.unsqueeze(-1)], dim=-1)
        return motion, self.head(both.mT).mT

    @property
    def turn_unit(self) -> float:
        """Degrees that count as 1."""
        return self.lens.limit / 3 or 1.0

    @torch.no_grad()
    def watch(self, frames: Tensor) -> Watched:
        """Frames uint8 [T, height, width, 3] as `read` wants them."""
        views = look(frames)
        costs, yaw = self.match(views.grey)
        return Watched(costs, yaw, (4 * views.colours - 2).half())

    def match(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Grey pictures [T, 1, *FINE] -> costs and turns of `Watched`."""
        found, turns = [], []
        for start in range(0, len(grey) - 1, AT_ONCE):
            part = grey[start : start + AT_ONCE + 1]
            yaw = self.read_turns(*turn_costs(part, self.lens)) if self.lens.limit else part.new_zeros(len(part) - 1)
            found.append(shift_costs(turned(part[:-1], yaw, self.lens), part[1:]).half())
            turns.append(yaw)
        return torch.cat(found), torch.cat(turns)

    @torch.no_grad()
    def read(self, frames: np.ndarray) -> Read:
        """What was done before all but the first BEFORE and the last AFTER of frames uint8 [T, height, width, 3]."""
        watched = self.watch(torch.from_numpy(frames).to(self.motion.weight.device))
        told = self(watched.costs[None], watched.yaw[None], watched.colours[None])[1][0]
        keys, mouse = told.split([self.num_keys, told.shape[1] - self.num_keys], dim=1)
        mouse = mouse * self._mouse_units(mouse)
        if self.lens.limit:
            mouse[:, 0] += watched.yaw[BEFORE - 1 : len(frames) - 1 - AFTER]
        return Read((keys > 0).cpu().numpy(), mouse.cpu().numpy())

    def loss(self, watched: Watched, actions: Tensor, motion: Tensor) -> Tensor:
        """How far off it is: of stretches, what was done [B, T - 1, size] and motions [B, T - 1, 3], NaN if unknown."""
        moved, told = self(watched.costs, watched.yaw, watched.colours)
        wrong = actions[..., self.num_keys :].clone()
        if self.lens.limit:
            wrong[..., 0] -= watched.yaw
        wrong = wrong / self._mouse_units(wrong)
        core = slice(BEFORE - 1, actions.shape[1] - AFTER)
        keys, mouse = told.split([self.num_keys, wrong.shape[2]], dim=2)
        loss = F.binary_cross_entropy_with_logits(keys, actions[:, core, : self.num_keys])
        wanted = torch.cat([motion, wrong[..., :1] if self.lens.limit else torch.zeros_like(motion[..., :1])], dim=2)
        known = wanted.isfinite()
        loss = loss + 2 * F.smooth_l1_loss(moved[known], wanted[known], beta=0.05)
        return loss + 2 * F.smooth_l1_loss(mouse, wrong[:, core], beta=0.05) if wrong.shape[2] else loss

    def _mouse_units(self, like: Tensor) -> Tensor:
        units = list(self.spec.mouse_limits)
        return like.new_tensor([self.turn_unit, *units[1:]] if self.lens.limit else units)


def train(
    spec: ActionSpec, camera: Camera, footage: Sequence[Footage], steps: int, seed: int, device: torch.device
) -> Probe:
    """Train a probe on stretches of real footage of one length, BEFORE + AFTER + 1 frames or more."""
    height, width = footage[0].frames(0, 1).shape[1:3]
    yaw = spec.mouse_limits[0] if spec.mouse_limits else 0.0
    lens = Lens.of(camera.fov, camera.pixel_aspect, height, width, yaw)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        probe = Probe(lens, spec).to(device)
        grey, colours = zip(*(_views(part, soft, device) for soft, part in enumerate(footage)), strict=True)
        actions = torch.from_numpy(np.stack([part.actions[1:] for part in footage])).to(device)
        if lens.limit:
            _train_turns(probe, grey, actions[..., probe.num_keys], max(1, steps // 4))
        _train_keys(probe, grey, torch.stack(colours), actions, _motions(footage).to(device), steps)
    return probe.eval()


def _views(footage: Footage, index: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Grey pictures, uint8 [T, 1, *FINE], and colours of `Watched`: of every other stretch made softer, some more."""
    sigma = SOFTEST * torch.rand(()).item() ** 2 if index % 2 else 0.0
    grey, colours = [], []
    for start in range(0, len(footage.actions), 64):
        frames = footage.frames(start, min(len(footage.actions), start + 64))
        views = look(torch.from_numpy(np.array(frames)).to(device))
        soft = blur(views.grey, sigma)
        soft = soft + torch.randn_like(soft) * NOISE * min(sigma, 1.0)
        grey.append((soft.clamp(0, 1) * 255).round().byte())
        colours.append((4 * views.colours - 2).half())
    return torch.cat(grey), torch.cat(colours)


@torch.no_grad()
def _costs_of_turns(grey: Tensor, lens: Lens) -> tuple[Tensor, Tensor]:
    parts = [turn_costs(_unit(grey[start : start + 33]), lens) for start in range(0, len(grey) - 1, 32)]
    return torch.cat([costs.half() for costs, _ in parts]), parts[0][1]


def _train_turns(probe: Probe, grey: Sequence[Tensor], yaw: Tensor, steps: int) -> None:
    found = [_costs_of_turns(part, probe.lens) for part in grey]
    costs, seen, truth = torch.cat([part for part, _ in found]), found[0][1], yaw.flatten()
    turns = probe.lens.turns.to(truth)

    def loss() -> Tensor:
        row = torch.randint(len(costs), (TURNS_AT_ONCE,))
        away = (turns - truth[row].unsqueeze(1)) / max(TURN_BLUR, TURN_STEP / 2)
        wanted = (-0.5 * away.square()).softmax(dim=1)
        return F.cross_entropy(probe.turns(costs[row].float(), seen), wanted)

    _fit(probe.turns, loss, steps, TURN_RATE, "turns")


def _train_keys(
    probe: Probe, grey: Sequence[Tensor], colours: Tensor, actions: Tensor, motions: Tensor, steps: int
) -> None:
    count = actions.shape[:2]
    costs = torch.empty(*count, SHIFT_COSTS, *GRID, dtype=torch.half, device=actions.device)  # most of the memory taken
    yaw = torch.empty(count, device=actions.device)
    for index, part in enumerate(grey):
        with torch.no_grad():
            costs[index], yaw[index] = probe.match(_unit(part))
    length = min(RUN, count[1])

    def loss() -> Tensor:
        row = torch.randint(len(costs), (RUNS_AT_ONCE, 1))
        index = torch.randint(count[1] - length + 1, (RUNS_AT_ONCE, 1)) + torch.arange(length)
        ends = torch.cat([index, index[:, -1:] + 1], dim=1)
        watched = Watched(costs[row, index], yaw[row, index], colours[row, ends])
        return probe.loss(watched, actions[row, index], motions[row, index])

    _fit(probe, loss, steps, RATE, "keys")


def _unit(grey: Tensor) -> Tensor:
    return grey.float() / 255


def _fit(net: nn.Module, loss_of: Callable[[], Tensor], steps: int, rate: float, name: str) -> None:
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps)
    net.train()
    for step in range(steps):
        loss = loss_of()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        plan.step()
        if step % 250 == 0:
            log.info("actions: probe of %s, step %d, loss %.3f", name, step, loss.item())
    net.eval()


def _motions(footage: Sequence[Footage]) -> Tensor:
    """How the camera moved before each frame but the first: forward, right and up, by their spread [n, T - 1, 3]."""
    poses = torch.from_numpy(np.stack([part.poses for part in footage])).double()
    x, y, up = (poses[:, 1:, :3] - poses[:, :-1, :3]).unbind(-1)
    angle = torch.deg2rad(poses[:, 1:, 3])
    forward, right = x * angle.cos() + y * angle.sin(), x * angle.sin() - y * angle.cos()
    motion = torch.stack([forward, right, up], dim=-1)
    known = motion[motion.isfinite().all(dim=-1)]
    spread = known.std(dim=0) if len(known) > 1 else motion.new_zeros(3)
    return (motion / torch.where(spread > 0, spread, 1.0)).float()
