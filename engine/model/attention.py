"""Attention behind one facade: flash-attn where present, else PyTorch's own; FlexAttention under a frame mask."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

try:
    from flash_attn import flash_attn_func  # pyright: ignore[reportMissingImports]
except ImportError:
    flash_attn_func = None


WORD = 62  # frames of keys whose visibility fits one number
# Of FlexAttention: the fastest of five sets on an H100, with frames of 64 tokens (docs/log.md).
KERNEL_OPTIONS: dict[str, Any] = {
    "fwd_BLOCK_M": 128, "fwd_BLOCK_N": 64, "fwd_num_warps": 4, "fwd_num_stages": 3,
    "bwd_BLOCK_M1": 64, "bwd_BLOCK_N1": 64, "bwd_BLOCK_M2": 64, "bwd_BLOCK_N2": 64,
    "bwd_num_warps": 4, "bwd_num_stages": 3,
}  # fmt: skip


@dataclass(frozen=True)
class FrameMask:
    """Which frames of keys each frame of queries may see.

    allowed: bool [query frames, key frames]. tokens: tokens per frame.
    """

    allowed: Tensor
    tokens: int

    def dense(self) -> Tensor:
        """bool [query tokens, key tokens]."""
        rows = self.allowed.repeat_interleave(self.tokens, dim=0)
        return rows.repeat_interleave(self.tokens, dim=1)

    def blocks(self) -> BlockMask:
        """The same mask for FlexAttention: a row's frames are bits of one number, so a kernel loads few of them."""
        allowed, tokens = self.allowed, self.tokens
        queries, keys = (size * tokens for size in allowed.shape)
        fits = allowed.shape[1] <= WORD
        bits = (allowed.long() << torch.arange(allowed.shape[1], device=allowed.device)).sum(1) if fits else None

        def visible(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            if bits is None:
                return allowed[query // tokens, key // tokens]
            return ((bits[query // tokens] >> (key // tokens)) & 1) == 1

        return create_block_mask(visible, None, None, queries, keys, device=str(self.allowed.device))

    def prepare(self) -> BlockMask | Tensor:
        """The form that `attend` is fastest with on this mask's device."""
        return self.blocks() if self.allowed.is_cuda else self.dense()


@functools.cache
def _compiled_flex() -> Any:
    return torch.compile(flex_attention, dynamic=False)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask | Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(head_dim)) v. query [B, heads, Nq, head_dim], key and value [B, heads, Nk, head_dim]."""
    if isinstance(mask, BlockMask):
        flex: Any = flex_attention if torch.compiler.is_compiling() else _compiled_flex()
        return flex(query, key, value, block_mask=mask, kernel_options=KERNEL_OPTIONS if query.is_cuda else None)
    if mask is None and not torch.is_grad_enabled():
        if query.device.type == "cpu" and query.dtype == torch.bfloat16:
            return _attend_by_matmul(query, key, value)
        if query.is_cuda and flash_attn_func is not None and query.dtype in (torch.bfloat16, torch.float16):
            out = flash_attn_func(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
            return out.transpose(1, 2)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def _attend_by_matmul(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Plain products: on a CPU in bfloat16 they run twice as fast as the fused kernel at a frame's few queries."""
    scores = torch.matmul(query * (1 / math.sqrt(query.shape[-1])), key.transpose(-1, -2))
    return torch.matmul(torch.softmax(scores, dim=-1), value)
