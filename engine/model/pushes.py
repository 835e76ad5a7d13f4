"""How the camera of a game of ticks moves on: what is left of its speed, and what the keys push it by.

Such a game turns the camera a share of the way in each tick, pushes it by what is held, and brakes it by a share of its
speed. All of that is linear, but for keys that change what others do (one runs): so pairs of keys push, too. What a
perceptron learns of it to a tenth of a unit a frame, this learns to a hundredth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engine.model import pose as poses
from engine.model.settings import ModelSettings


class Pushes(nn.Module):
    """In place of `Momentum`, for games whose motion is of this kind. In float32 always, for errors add up."""

    first: Tensor
    second: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        first, second = torch.triu_indices(*[settings.action_size - settings.mouse_axes] * 2).unbind()
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.pushed = nn.Linear(len(first), 2, bias=False)  # by the action before, at the end of its frame
        self.pushes = nn.Linear(len(first), 4, bias=False)  # by the coming one, in two of its moments
        self.kept = nn.Linear(2, 2, bias=False)  # of a frame's motion, in the next
        self.shares = nn.Parameter(torch.tensor([0.5, 0.0]))  # of the turn, still to come at these moments
        for module in (self.pushed, self.pushes, self.kept):
            nn.init.zeros_(module.weight)

    def forward(self, motion: Tensor, before: Tensor, action: Tensor, yaw: Tensor) -> Tensor:
        """As `Momentum` does, without height: [.., SIZE], scaled."""
        with torch.autocast(motion.device.type, enabled=False):
            turn = -torch.deg2rad(yaw.float())
            along = self.kept(poses.rotate(motion[..., :2].float() + self.pushed(self._held(before)), turn))
            pushes = self.pushes(self._held(action)).unflatten(-1, (2, 2))
            pushed = poses.rotate(pushes, turn.unsqueeze(-1) * self.shares).sum(dim=-2)
            return torch.nn.functional.pad(along + pushed, (0, poses.SIZE - 2))

    def ticks(self, scale: Sequence[float]) -> tuple[float, Callable[[np.ndarray], np.ndarray]]:
        """Of one of a frame's two ticks: the share of its speed that the camera keeps, and what of encoded actions
        [.., size], divided by `scale`, pushes it, pose units forward and to the right, [.., 2]."""
        kept = float(self.kept.weight.detach().diagonal().mean().clamp(min=0).sqrt())
        ways = kept / poses.MOTION_SCALE[0] * self.pushed.weight.detach().double().cpu().numpy().T
        first, second, divided = self.first.cpu().numpy(), self.second.cpu().numpy(), np.array(scale)

        def push(action: np.ndarray) -> np.ndarray:
            held = action / divided
            return held[..., first] * held[..., second] @ ways

        return kept, push

    def _held(self, action: Tensor) -> Tensor:
        """Keys and pairs of keys that are held, of scaled actions [.., size]."""
        action = action.float()
        return action[..., self.first] * action[..., self.second]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Pushes:
        return super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)
