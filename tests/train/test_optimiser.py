"""Muon: updates are nearly orthogonal, and matrices of one shape do not mix."""

from __future__ import annotations

import torch
from torch import nn

from engine.train.optimiser import Muon, make_optimisers, orthogonalise


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    for shape in ((3, 32, 64), (2, 80, 24)):
        made = orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
        values = torch.linalg.svdvals(made.float())
        assert made.shape == shape
        assert float(values.min()) > 0.6 and float(values.max()) < 1.3


def test_matrices_of_one_shape_are_updated_as_if_alone() -> None:
    random = torch.Generator().manual_seed(0)
    together = [nn.Parameter(torch.randn(16, 32, generator=random)) for _ in range(2)]
    alone = [nn.Parameter(p.detach().clone()) for p in together]
    grads = [torch.randn(16, 32, generator=random) for _ in range(2)]
    optimisers = [Muon(together, lr=0.1), *(Muon([p], lr=0.1) for p in alone)]
    for p, q, grad in zip(together, alone, grads, strict=True):
        p.grad, q.grad = grad.clone(), grad.clone()
    for optimiser in optimisers:
        optimiser.step()
    for p, q in zip(together, alone, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-3)


def test_every_parameter_has_one_optimiser() -> None:
    module = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.Conv2d(16, 16, 3), nn.Linear(64, 2))
    held = [p for optimiser in make_optimisers(module, 1e-3, 1e-3) for g in optimiser.param_groups for p in g["params"]]
    assert len(held) == len({id(p) for p in held}) == len(list(module.parameters()))
