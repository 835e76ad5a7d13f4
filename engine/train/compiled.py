"""Compiling what repeats, and holding what comes of it against what it was made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from engine.model.layers import ContextReader, Layer

log = logging.getLogger(__name__)
KINDS: tuple[type[nn.Module], ...] = (Layer, ContextReader)
MOST = 0.1  # by how much they may differ: rounding makes about a hundredth
MOST_GRADIENT = 0.3  # the same of gradients, which are rounded more often


def compile_parts(
    model: nn.Module, predict: Callable[[], tuple[Tensor, Tensor]], others: Sequence[nn.Module] = ()
) -> list[str]:
    """Compile what repeats and what is long, kind by kind: graphs of one layer are alike, so each is compiled once.

    predict: what the model makes of one batch, by the passes that are to come, with gradients and without, and then
    the gradient of something of it: so looking compiles nothing that is not needed. A kind that makes something else of
    it once it is compiled stays as it is (PyTorch 2.11 did so to the reprojector on a GPU, and made gradients there
    that were no numbers: docs/log.md). Returns the names of those. What counts for nothing yet, as the layers of a new
    network, cannot be found wrong. others: networks that are compiled as it is, without being looked at.
    """
    torch._dynamo.config.recompile_limit = 64
    wrong = []
    plain = predict()
    for kind in KINDS:
        parts = [part for part in model.modules() if isinstance(part, kind)]
        for part in parts:
            part.compile(dynamic=False)
        off = [difference(*pair) for pair in zip(predict(), plain, strict=True)]
        if off[0] <= MOST and off[1] <= MOST_GRADIENT:
            for part in (part for other in others for part in other.modules() if isinstance(part, kind)):
                part.compile(dynamic=False)
            continue
        log.warning("%s stays uncompiled: compiled, it differs by %.0f %%", kind.__name__, 100 * min(max(off), 9))
        wrong.append(kind.__name__)
        for part in parts:
            part._compiled_call_impl = None
    return wrong


def with_gradient(model: nn.Module, made: Sequence[Tensor], loss: Tensor) -> tuple[Tensor, Tensor]:
    """What a model made, and the gradient of a loss by all that it learns, each as one row of float32."""
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    pulls = [pull for pull in torch.autograd.grad(loss, learnt, allow_unused=True) if pull is not None]
    one, other = (torch.cat([part.detach().float().flatten() for part in parts]) for parts in (made, pulls))
    return one, other


def difference(found: Tensor, expected: Tensor) -> float:
    """By how much two tensors of one shape differ, as a share of the second's deviation; inf, if not finite."""
    off = (found.float() - expected.float()).square().mean().sqrt() / expected.float().std().clamp(min=1e-12)
    return float(off) if off.isfinite() else float("inf")
