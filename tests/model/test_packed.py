"""Packed linear layers say what plain ones say, but for rounding, and keep the names of their parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.model.packed import PackedLinear, pack


@pytest.mark.parametrize("bias", [False, True])
def test_packed_equals_plain(bias: bool) -> None:
    plain = nn.Sequential(nn.Linear(48, 80, bias=bias), nn.Linear(80, 33, bias=bias)).to(torch.bfloat16)
    names = list(plain.state_dict())
    x = torch.randn(2, 5, 7, 48, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    with torch.no_grad():
        expected = plain(x)
        pack(plain)
        assert all(isinstance(layer, PackedLinear) for layer in plain)
        torch.testing.assert_close(plain(x), expected, rtol=2e-2, atol=2e-2)
    assert list(plain.state_dict()) == names


def test_other_types_stay_as_they_are() -> None:
    plain = nn.Sequential(nn.Linear(4, 4))
    pack(plain)
    assert type(plain[0]) is nn.Linear
