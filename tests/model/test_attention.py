"""The facade's paths agree: plain products, the fused kernel, and FlexAttention under a frame mask."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import flex_attention

from engine.model import attention
from engine.model.attention import FrameMask, attend


def inputs(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 12, 64), (2, 3, 30, 64), (2, 3, 30, 64))
    query, key, value = (torch.randn(shape, generator=random).to(dtype) for shape in shapes)
    return query, key, value


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_facade_equals_the_fused_kernel(dtype: torch.dtype, tolerance: float) -> None:
    query, key, value = inputs(dtype)
    exact = F.scaled_dot_product_attention(query.double(), key.double(), value.double())
    with torch.no_grad():
        out = attend(query, key, value)
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("word", [62, 4])  # more frames of keys than a number has bits for
def test_dense_mask_equals_flex(word: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "WORD", word)
    query, key, value = inputs(torch.float32)
    allowed = torch.rand(2, 5, generator=torch.Generator().manual_seed(1)) < 0.6
    allowed[:, 0] = True
    mask = FrameMask(allowed, tokens=6)
    dense = attend(query, key, value, mask.dense())
    flexed = flex_attention(query, key, value, block_mask=mask.blocks())
    torch.testing.assert_close(dense, flexed, rtol=1e-4, atol=1e-5)
    seen = mask.dense()[0]
    alone = F.scaled_dot_product_attention(query[:, :, :6], key[:, :, seen], value[:, :, seen])
    torch.testing.assert_close(dense[:, :, :6], alone, rtol=1e-4, atol=1e-5)
