"""Products of 8-bit numbers on a CPU, which take about half the time of those of 16 bits.

Matrices are spread over int8 row by row; those of the transformers lose nothing by it, since checkpoints keep them so.
What they are multiplied with is spread anew each time, by its own least and greatest number. These are those of the
whole tensor, so sessions that step together do without: none may depend on what the others show.
"""

from __future__ import annotations

import functools
import logging
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.model.machine import has_tiles

log = logging.getLogger(__name__)
WHOLE = float(1 << 23)  # of a float32 from here to twice this, the lowest bits are a whole number
WIDEST = 1e30  # beyond that, and for what is no number, anything will do
SHIFTS = [torch.tensor(WHOLE + zero) for zero in range(256)]

How = tuple[Any, Any, Any, int]  # stride, padding, dilation and groups of a convolution


class Spread(NamedTuple):
    """Numbers as uint8: about (values - zero) * scale. oneDNN is slow with int8 on this side."""

    values: Tensor
    scale: float
    zero: int


class Rows(NamedTuple):
    """A matrix or kernel as int8, laid out, and a scale and a zero for each of its outputs."""

    values: Tensor
    scale: Tensor
    zero: Tensor


def spread(x: Tensor) -> Spread:
    """Numbers, and 0 among them, spread over uint8."""
    low, high = (float(bound) for bound in torch.aminmax(x))
    low, high = max(-WIDEST, min(0.0, low)), min(WIDEST, max(1e-6, high))
    scale = (high - low) / 254
    zero = math.ceil(-low / scale)
    return Spread(_lowest_bits(torch.add(SHIFTS[zero], x.float(), alpha=1 / scale)), scale, zero)


def spread_squares(x: Tensor) -> Spread:
    """The squares of float32 numbers that are not negative."""
    top = min(math.sqrt(WIDEST), max(1e-3, float(x.max()))) ** 2
    return Spread(_lowest_bits(torch.addcmul(SHIFTS[0], x, x, value=255 / top)), top / 255, 0)


def matrix(weight: Tensor, rows: int) -> Rows:
    """A matrix [outputs, inputs], laid out for products with so many rows."""
    values, scale, zero = _spread_rows(weight)
    return Rows(torch.ops.onednn.qlinear_prepack(values, [rows, weight.shape[1]]), scale, zero)


def kernel(weight: Tensor, how: How, shape: torch.Size) -> Rows:
    """A convolution's kernel [outputs, inputs, ., .], laid out for pictures of a shape."""
    values, scale, zero = _spread_rows(weight)
    return Rows(torch.ops.onednn.qconv_prepack(values, scale, 1.0, 1, *how, list(shape)), scale, zero)


def multiply(told: Spread, rows: Rows, bias: Tensor | None, dtype: torch.dtype, then: str = "none") -> Tensor:
    """[.., inputs] -> [.., outputs] of a type, and what comes `then`: "none" or "relu"."""
    return torch.ops.onednn.qlinear_pointwise.default(*told, *rows, bias, 1.0, 0, dtype, then, [], "")


def convolve(x: Tensor, rows: Rows, bias: Tensor | None, how: How) -> Tensor:
    """[1, inputs, rows, columns] -> [1, outputs, rows, columns], channels last."""
    told = spread(x.permute(0, 2, 3, 1).contiguous())
    given = told.values.permute(0, 3, 1, 2), told.scale, told.zero
    return torch.ops.onednn.qconv_pointwise.default(*given, *rows, bias, *how, 1.0, 0, x.dtype, "none", [], "")


def pays(beside: torch.dtype) -> bool:
    """Whether it takes less time than products of that type: not less than in tiles, with the spreading before it."""
    return is_fast() and not (beside == torch.bfloat16 and has_tiles())


@functools.cache
@torch.no_grad()
def is_fast() -> bool:
    """Whether this processor and this PyTorch multiply int8, fast and without overflow. Found out by trying."""
    how, ones = ([1, 1], [0, 0], [1, 1], 1), torch.ones(8, 8, 1, 1)
    x = torch.ones(1, 8, 8, 8)
    try:
        if not torch.cpu._is_vnni_supported():
            return False
        products = multiply(spread(x), matrix(ones.flatten(1), 8), None, torch.float32)
        moved = convolve(x.bfloat16(), kernel(ones, how, x.shape), None, how)
    except (AttributeError, RuntimeError, TypeError) as error:
        log.info("nothing is multiplied in int8: %s", error)
        return False
    return all(torch.allclose(found.float(), torch.tensor(8.0), rtol=0.02) for found in (products, moved))


def _spread_rows(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rows = weight.detach().float().flatten(1)
    scale = rows.abs().amax(dim=1).clamp(min=1e-12) / 127
    values = (rows / scale.unsqueeze(1)).round().to(torch.int8).view(weight.shape)
    return values, scale, torch.zeros(len(rows), dtype=torch.int64)


def _lowest_bits(shifted: Tensor) -> Tensor:
    return shifted.view(torch.int32).to(torch.uint8)
