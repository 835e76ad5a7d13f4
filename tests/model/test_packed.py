"""Matrices laid out once give the products that they gave before, and follow when they change."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.model.packed import Packed, pack

SIZES = [(64, 192), (96, 64), (400, 384), (128, 3840), (104, 384), (1536, 4)]  # inputs, outputs


@pytest.fixture(params=SIZES)
def layer(request: pytest.FixtureRequest) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(*request.param).to(torch.bfloat16)
    pack(layer)
    if not isinstance(layer.forward, Packed):
        pytest.skip("this processor multiplies no bfloat16")
    return layer


def plain(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, layer.weight, layer.bias)


@torch.no_grad()
def test_products_are_the_same_for_any_number_of_rows(layer: nn.Linear) -> None:
    for rows in (1, 3, 17, 60, 64, 192, 300):
        x = torch.randn(2, 1, rows, layer.in_features).to(torch.bfloat16)
        torch.testing.assert_close(layer(x), plain(layer, x), rtol=0.02, atol=0.02)


def test_a_matrix_that_changes_is_laid_out_anew(layer: nn.Linear) -> None:
    x = torch.randn(20, layer.in_features).to(torch.bfloat16)
    with torch.no_grad():
        before = layer(x)
        layer.weight.mul_(-2)
        torch.testing.assert_close(layer(x), plain(layer, x), rtol=0.02, atol=0.02)
        assert not torch.allclose(layer(x), before)
    assert layer(x).requires_grad


def test_other_numbers_are_left_as_they_are() -> None:
    layer = nn.Linear(64, 64)
    pack(layer)
    assert not isinstance(layer.forward, Packed)
