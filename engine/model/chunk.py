"""What a generator is trained on: a stretch of frames with its history, and what memory holds of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Chunk:
    """Frames with their true history, ready for one parallel pass. W = recent_frames, C = frames to predict.

    latents: [B, W + C, rows, columns, channels]; actions: [B, W + C, size]; poses: [B, W + C, SIZE].
    block_latents: [B, M, block_frames, rows, columns, channels], with their actions, poses, frame numbers in the
    episode and, as [B, M], whether the slot is filled. Positions are relative to one anchor for each chunk.
    before: poses [B, SIZE] of the frame before the first, and [B, M, SIZE] of the frame before each block.

    turns: [B], of cameras that go where what the network drew lets them, by how many degrees they turn where they were
    stopped; NaN of those on the true path, as all are if it is None. asked: [B, C, SIZE], from where the frames were
    thought to be seen, if that is known.
    """

    latents: Tensor
    actions: Tensor
    poses: Tensor
    before: Tensor
    block_latents: Tensor
    block_actions: Tensor
    block_poses: Tensor
    block_before: Tensor
    block_index: Tensor
    filled: Tensor
    own: Tensor | None = None  # bool [B, W + C], which of the frames the network drew; None: none of them
    nearness: Tensor | None = None  # [B, W + C, rows, columns], the game's own; zeros where it does not tell
    turns: Tensor | None = None
    asked: Tensor | None = None


def follows(chunk: Chunk) -> Tensor:
    """Which of the cameras follow the true path, bool [B]."""
    return torch.ones_like(chunk.filled[:, 0]) if chunk.turns is None else chunk.turns.isnan()
