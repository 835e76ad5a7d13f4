"""Footage held on the training device: raw frames for the codec, latents for the generator."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.data.episode import Episode, find_episodes, open_episode
from engine.errors import RecordingError
from engine.model import pose as poses
from engine.model.codec import Codec, to_unit

log = logging.getLogger(__name__)


class FrameStore:
    """Frames drawn evenly from episodes, as uint8 (indices into each episode's palette, where it has one)."""

    def __init__(self, root: Path | str, num_frames: int, device: torch.device) -> None:
        paths = find_episodes(root)
        if not paths:
            raise RecordingError(f"there is no footage in {root}: record some with python -m engine.data.footage")
        share = -(-num_frames // len(paths))
        frames, palettes, owner = [], [], []
        episodes = [open_episode(path) for path in paths]
        indexed = all(episode.palette is not None for episode in episodes)
        for episode in episodes:
            stride = max(1, len(episode) // share)
            part = np.array(episode.stored[::stride][:share])
            if episode.palette is not None and not indexed:  # among episodes in RGB
                part = episode.palette[part]
            frames.append(torch.from_numpy(part))
            if episode.palette is not None and indexed:
                palette = torch.zeros(256, 3, dtype=torch.uint8)
                palette[: len(episode.palette)] = torch.from_numpy(episode.palette)
                owner.append(torch.full((len(frames[-1]),), len(palettes)))
                palettes.append(palette)
        self.frames = torch.cat(frames)[:num_frames].to(device)
        self.palettes = torch.stack(palettes).to(device) if palettes else None
        self.owner = torch.cat(owner)[:num_frames].to(device) if owner else None

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, index: Tensor) -> Tensor:
        """Frames [N, 3, H, W] in [-1, 1], channels last in memory."""
        part = self.frames[index]
        if self.palettes is None or self.owner is None:
            return to_unit(part)
        rgb = self.palettes[self.owner[index][:, None, None], part.long()]
        return to_unit(rgb)


@dataclass(frozen=True)
class LatentStore:
    """Encoded episodes of one length, whole on one device; latents are bfloat16 on a GPU.

    latents: [E, T, rows, columns, channels]; actions: [E, T, size]; poses: [E, T, SIZE] (see pose.py);
    nearness: float16 [E, T, rows, columns], 1 / distance in pose units; zeros where the game does not tell.
    """

    latents: Tensor
    actions: Tensor
    poses: Tensor
    nearness: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    @staticmethod
    def load(path: Path, device: torch.device) -> LatentStore:
        tensors = load_file(_encoded(path), device=str(device))
        latents = tensors["latents"] if device.type == "cuda" else tensors["latents"].float()
        return LatentStore(latents, tensors["actions"], tensors["poses"], tensors["nearness"])

    @staticmethod
    def load_walks(path: Path, device: torch.device) -> tuple[Tensor, Tensor]:
        """Poses and actions alone, a thousandth of what there is."""
        with safe_open(_encoded(path), "pt", device=str(device)) as file:
            return file.get_tensor("poses"), file.get_tensor("actions")

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(vars(self), path)


def _encoded(path: Path) -> Path:
    """`path`, if there is such a file. Raises RecordingError."""
    if not path.exists():
        raise RecordingError(f"there are no latents at {path}: run stage=latents first")
    return path


@torch.no_grad()
def encode_episode(codec: Codec, episode: Episode, device: torch.device, batch: int = 128) -> Tensor:
    """Latents [T, rows, columns, channels] of all frames, bfloat16, on `device`."""
    palette = None if episode.palette is None else torch.from_numpy(episode.palette).to(device)
    parts = []
    for start in range(0, len(episode), batch):
        stored = torch.from_numpy(np.array(episode.stored[start : start + batch])).to(device)
        frames = to_unit(stored if palette is None else palette[stored.long()])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            parts.append(codec.encode(frames.contiguous(memory_format=torch.channels_last)).bfloat16())
    return torch.cat(parts)


def encode_footage(
    codec: Codec, paths: list[Path], pose_unit: float, device: torch.device, length: int | None = None
) -> LatentStore:
    """Encode the episodes at `paths`, all cut to `length` frames (by default the shortest's)."""
    if not paths:
        raise RecordingError("there is no footage to encode: record some with python -m engine.data.footage")
    episodes = [open_episode(path) for path in paths]
    length = length or min(len(episode) for episode in episodes)
    kept = [episode for episode in episodes if len(episode) >= length]
    latents = torch.stack([encode_episode(codec, episode, device)[:length] for episode in kept])
    actions = torch.from_numpy(np.stack([episode.actions[:length] for episode in kept])).to(device)
    game = torch.from_numpy(np.stack([episode.poses[:length] for episode in kept]))
    rows, columns = latents.shape[2:4]
    near = [_nearness(episode, length, rows, columns, pose_unit) for episode in kept]
    return LatentStore(latents, actions, poses.from_game(game, pose_unit).to(device), torch.stack(near).to(device))


def _nearness(episode: Episode, length: int, rows: int, columns: int, pose_unit: float) -> Tensor:
    """1 / distance of each cell of a latent, float16 [length, rows, columns], in pose units; zeros where not told."""
    if episode.depth is None:
        return torch.zeros(length, rows, columns, dtype=torch.float16)
    inverse = pose_unit / torch.from_numpy(np.array(episode.depth[:length])).float()
    return F.interpolate(inverse.unsqueeze(1), (rows, columns), mode="area").squeeze(1).half()
