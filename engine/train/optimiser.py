"""Muon for matrices, AdamW for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, from Muon's description (K. Jordan et al., 2024)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Nearest semi-orthogonal matrices to a stack [N, rows, columns], about, by Newton-Schulz iteration in bfloat16."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update of every matrix is orthogonalised, scaled to the root mean square of AdamW's updates.

    Parameters of more than two axes are seen as [first axis, the rest]. Those of one shape are
    updated together, which keeps a small network's step short.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[tuple(parameter.shape)].append(parameter)
            for parameters in shapes.values():
                self._update(parameters, group)

    def _update(self, parameters: list[Tensor], group: dict) -> None:
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
        torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
        ahead = torch._foreach_lerp(grads, buffers, group["momentum"])
        stack = torch.stack([update.flatten(1) for update in ahead])
        scale = 0.2 * max(stack.shape[-2:]) ** 0.5
        updates = orthogonalise(stack) * scale
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["decay"])
        shaped = [update.view_as(parameter) for update, parameter in zip(updates, parameters, strict=True)]
        torch._foreach_add_(parameters, shaped, alpha=-group["lr"])


def make_optimisers(module: nn.Module, rate: float, matrix_rate: float) -> list[torch.optim.Optimizer]:
    """Optimisers for all parameters of `module` that want a gradient; empty kinds are left out."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in wanted if p.ndim >= 2 and min(p.flatten(1).shape) >= 16]
    chosen = {id(p) for p in matrices}
    rest = [p for p in wanted if id(p) not in chosen]
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, lr=matrix_rate))
    if rest:
        optimisers.append(torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0))
    return optimisers
