"""One player's state: the rollout with its cache and memory bank, the random state, and the clock."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.model import pose as poses
from engine.model.codec import to_bytes, to_unit
from engine.model.network import WorldModel
from engine.model.rollout import Rollout

ENCODED_AT_ONCE = 16  # frames


class Session:
    """A rollout of one session, spoken to in pictures, encoded actions and the game's poses."""

    def __init__(self, model: WorldModel, pose_unit: float, levels: list[float], seed: int) -> None:
        self.model, self.pose_unit = model, pose_unit
        self.rollout = Rollout(model, 1, levels, [seed])
        self.height = 0.0  # z of the last pose told; the network knows the ground plane alone

    @property
    def num_frames(self) -> int:
        return self.rollout.num_frames

    @property
    def num_entries(self) -> int:
        return self.rollout.banks[0].num_entries

    @property
    def memory_bytes(self) -> int:
        return self.rollout.banks[0].num_bytes

    @property
    def pose(self) -> tuple[float, float, float, float]:
        """(x, y, z, angle) as the network believes it, in the game's units and degrees."""
        return poses.to_game(self.rollout.pose[0], self.pose_unit, self.height)

    @torch.inference_mode()
    def start(self, frames: np.ndarray, actions: np.ndarray, game_poses: np.ndarray | None) -> None:
        """Take a true history: frames uint8 [n, H, W, 3], actions [n, size], poses [n, 4] or None if unknown."""
        told = torch.from_numpy(np.asarray(actions, dtype=np.float32)).to(self.model.device)
        parts = [frames[i : i + ENCODED_AT_ONCE] for i in range(0, len(frames), ENCODED_AT_ONCE)]
        latents = torch.cat([self.encode(part) for part in parts])
        if game_poses is None:
            still = torch.zeros(1, 1, 3, device=self.model.device)
            self.rollout.start(latents[None, :1], told[None, :1], still)
            for index in range(1, len(frames)):
                self._observe(latents[index], told[index], None)
            return
        self._note_height(game_poses[-1])
        track = poses.from_game(torch.from_numpy(np.asarray(game_poses)), self.pose_unit).to(self.model.device)
        self.rollout.start(latents[None], told[None], track[None])

    @torch.inference_mode()
    def step(self, action: np.ndarray) -> np.ndarray:
        """Encoded action [size] -> the frame it leads to, uint8 [H, W, 3]."""
        latent = self.rollout.step(torch.from_numpy(action).to(self.model.device).unsqueeze(0))
        return to_bytes(self.model.codec.decode(latent))[0].cpu().numpy()

    @torch.inference_mode()
    def observe(self, frame: np.ndarray, action: np.ndarray, game_pose: np.ndarray | None) -> None:
        """Take a real frame as what followed the action; without a pose, the network reads it off the frame."""
        latent = self.encode(frame[None])[0]
        if game_pose is not None:
            self._note_height(game_pose)
        self._observe(latent, torch.from_numpy(action).to(self.model.device), game_pose)

    def encode(self, frames: np.ndarray) -> Tensor:
        """uint8 [n, H, W, 3] -> latents [n, rows, columns, channels]."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self.model.device)
        return self.model.codec.encode(to_unit(pixels).to(self.model.dtype))

    def _observe(self, latent: Tensor, action: Tensor, game_pose: np.ndarray | None) -> None:
        if game_pose is None:
            pose = self.rollout.locate(latent[None], action[None])
        else:
            told = torch.from_numpy(np.asarray(game_pose, dtype=np.float32))
            pose = poses.from_game(told, self.pose_unit).to(self.model.device)[None]
        self.rollout.observe(latent[None], action[None], pose)

    def _note_height(self, game_pose: np.ndarray) -> None:
        self.height = float(np.nan_to_num(game_pose[2]))
