"""Parts of the loss that stand for themselves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model import pose as poses
from engine.model.chunk import Chunk
from engine.model.parallel import Predicted
from engine.train.codec import smooth


def nearness_error(found: Tensor, chunk: Chunk, first: int = 0) -> Tensor:
    """Loss of nearness [B, F, rows, columns], in octaves, from frame `first` on, where the game tells it."""
    assert chunk.nearness is not None
    truth, found = chunk.nearness[:, first : found.shape[1]].float(), found[:, first:]
    told = truth > 0
    error = torch.where(told, found.log() - truth.clamp(min=1 / 20, max=20).log(), 0)
    return F.smooth_l1_loss(error, torch.zeros_like(error), reduction="sum", beta=0.1) / told.sum().clamp(min=1)


def motion_error(predicted: Predicted, chunk: Chunk, true: Tensor) -> Tensor:
    """Loss of how the camera strayed from where it was asked to be, as the generator reads it off.

    In shares of what counts as noise: nearly all of it is far less than a frame's own motion. true: bool [B], chunks
    whose frames are of a true path; no others count.
    """
    frames = predicted.asked.shape[1]
    strayed = poses.motion_between(predicted.asked, chunk.poses[:, -frames:])
    return smooth((predicted.motion[:, :frames].float() - strayed) / poses.NOISE * true[:, None, None])
