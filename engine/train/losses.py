"""Parts of the loss that stand for themselves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model.parallel import Chunk


def nearness_error(found: Tensor, chunk: Chunk, first: int = 0) -> Tensor:
    """Loss of nearness [B, F, rows, columns], in octaves, from frame `first` on, where the game tells it."""
    assert chunk.nearness is not None
    truth, found = chunk.nearness[:, first : found.shape[1]].float(), found[:, first:]
    told = truth > 0
    error = torch.where(told, found.log() - truth.clamp(min=1 / 20, max=20).log(), 0)
    return F.smooth_l1_loss(error, torch.zeros_like(error), reduction="sum", beta=0.1) / told.sum().clamp(min=1)
