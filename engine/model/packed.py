"""Matrices laid out once for a CPU's products, in place of at every product."""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from torch import Tensor, nn

log = logging.getLogger(__name__)
ROWS = 64  # of the products that the layout is best for: about the tokens of one frame
SMALLEST = 4096  # numbers of a matrix below which a layout does not pay


class Packed:
    """What a linear layer computes, with its matrix as oneDNN wants it. A matrix that changes is laid out anew."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self._pack()

    def __call__(self, x: Tensor) -> Tensor:
        """[.., in_features] -> [.., out_features]."""
        weight = self.layer.weight
        if torch.is_grad_enabled() or x.dtype != self.matrix.dtype:
            return F.linear(x, weight, self.layer.bias)
        if weight._version != self.version:
            self._pack()
        return torch.ops.mkldnn._linear_pointwise.default(x, self.matrix, self.layer.bias, "none", [], "")

    def _pack(self) -> None:
        weight = self.layer.weight.detach()
        self.version, self.matrix = weight._version, torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)


def pack(model: nn.Module) -> None:
    """Lay out the matrices of a network on a CPU in bfloat16; any other is left as it is."""
    for layer in model.modules():
        if not isinstance(layer, nn.Linear) or layer.weight.numel() < SMALLEST:
            continue
        if layer.weight.device.type != "cpu" or layer.weight.dtype != torch.bfloat16:
            continue
        try:
            with torch.no_grad():
                packed = Packed(layer)
                packed(layer.weight.new_zeros(ROWS, layer.in_features))
        except (RuntimeError, AttributeError) as error:
            log.info("matrices are not laid out: %s", error)
            return
        layer.forward = packed  # pyright: ignore[reportAttributeAccessIssue]
