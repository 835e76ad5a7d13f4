"""A network's products on a CPU: matrices laid out once, and the large ones of a single session in int8 (int8.py).

int8 goes with bfloat16. Where the network computes in float32, convolutions alone are of int8: of matrices it would
cost the next frame .2 dB (docs/log.md). A processor that does not multiply it fast, or that multiplies bfloat16 in
tiles, rounds nothing that was not before.
"""

from __future__ import annotations

import logging
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model import int8
from engine.model.codec import Encoder
from engine.model.layers import Layer

log = logging.getLogger(__name__)
ROWS = 64  # of the products that the layout is best for: about the tokens of one frame
SMALLEST = 4096  # numbers of a matrix below which a layout does not pay
SMALLEST_INT8 = 384 * 1024  # and int8 does not: what is saved goes into spreading the other factor
FEWEST_ROWS = 32  # of an int8 product, and of one in float32 that gains by a layout
NARROWEST = 128  # channels on both sides of a convolution; narrower ones gain less, and the picture shows their error


class Packed:
    """What a linear layer computes, with its matrix as oneDNN wants it. A matrix that changes is laid out anew."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.exact = layer.weight.dtype == torch.float32  # so nothing is multiplied in int8
        large = layer.weight.numel() >= SMALLEST_INT8
        self.in_int8 = not self.exact and large and int8.pays(layer.weight.dtype)
        self._pack()

    def __call__(self, x: Tensor) -> Tensor:
        """[.., in_features] -> [.., out_features]."""
        weight = self.layer.weight
        other = x.dtype != self.matrix.dtype or (self.exact and not _has_rows(x))
        if other or torch.is_grad_enabled():
            return F.linear(x, weight, self.layer.bias)
        if self.takes_int8(x):
            return self.multiply(int8.spread(x), x.dtype)
        return self.multiply_plain(x)

    def takes_int8(self, x: Tensor) -> bool:
        """Whether the product with x is one of int8: of a single session, and large."""
        single = x.shape[0] == 1 and _has_rows(x)
        return self.in_int8 and single and x.dtype == self.matrix.dtype and not torch.is_grad_enabled()

    def multiply(self, told: int8.Spread, dtype: torch.dtype, then: str = "none") -> Tensor:
        """The product with what was spread, as numbers of a type, and what comes `then`: "none" or "relu"."""
        if self.layer.weight._version != self.version:
            self._pack()
        return int8.multiply(told, self.rows, self.layer.bias, dtype, then)

    def multiply_plain(self, x: Tensor, then: str = "none") -> Tensor:
        """The product with numbers of the matrix's own type, and what comes `then`: "none" or "relu"."""
        if self.layer.weight._version != self.version:
            self._pack()
        return torch.ops.mkldnn._linear_pointwise.default(x, self.matrix, self.layer.bias, then, [], "")

    def _pack(self) -> None:
        weight = self.layer.weight.detach()
        self.version, self.matrix = weight._version, torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        if self.in_int8:
            self.rows = int8.matrix(weight, ROWS)


class PackedThought:
    """A layer's perceptron, in float32 or in int8, then in between in float32: nothing is rounded on the way."""

    def __init__(self, layer: Layer, up: Packed, down: Packed) -> None:
        self.up, self.down, self.plain = up, down, layer.think

    def __call__(self, x: Tensor) -> Tensor:
        """[B, frames, tokens, dim] -> the same shape."""
        if self.up.exact and not torch.is_grad_enabled() and x.dtype == torch.float32:
            return self.down(self.up.multiply_plain(x, "relu").square_())
        if not self.up.takes_int8(x):
            return self.plain(x)
        return self.down.multiply(int8.spread_squares(self.up.multiply(int8.spread(x), torch.float32, "relu")), x.dtype)


class PackedConvolution:
    """What a convolution computes, of a single picture in int8. A kernel that changes is laid out anew."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer, self.version = layer, -1
        self.kernels: dict[torch.Size, int8.Rows | None] = {}  # by the picture's shape; None: not in int8

    def __call__(self, x: Tensor) -> Tensor:
        """[N, in_channels, rows, columns] -> [N, out_channels, rows, columns]."""
        layer = self.layer
        if x.shape[0] != 1 or x.dtype != layer.weight.dtype or torch.is_grad_enabled():
            return layer._conv_forward(x, layer.weight, layer.bias)
        how = layer.stride, layer.padding, layer.dilation, layer.groups
        if layer.weight._version != self.version:
            self.kernels, self.version = {}, layer.weight._version
        if x.shape not in self.kernels:
            self.kernels[x.shape] = self._lay_out(x, how)
        rows = self.kernels[x.shape]
        if rows is None:
            return layer._conv_forward(x, layer.weight, layer.bias)
        return int8.convolve(x, rows, layer.bias, how)

    def _lay_out(self, x: Tensor, how: int8.How) -> int8.Rows | None:
        """The kernel for pictures like x; None where oneDNN cannot multiply them, as with some shapes."""
        try:
            rows = int8.kernel(self.layer.weight, how, x.shape)
            int8.convolve(x, rows, self.layer.bias, how)
        except RuntimeError as error:
            log.info("a convolution stays as it is: %s", error)
            return None
        return rows


class MixedChannels:
    """What a convolution of single pixels computes in float32: of pictures channel by channel, as one product each."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        """[N, in_channels, rows, columns] -> [N, out_channels, rows, columns]."""
        weight, bias = self.layer.weight, self.layer.bias
        if torch.is_grad_enabled() or x.dtype != weight.dtype or not x.is_contiguous():
            return self.layer._conv_forward(x, weight, bias)
        found = torch.matmul(weight.flatten(1), x.flatten(2)).unflatten(2, x.shape[2:])
        return found if bias is None else found.add_(bias[:, None, None])


def pack(model: nn.Module) -> None:
    """Lay out the matrices of a network on a CPU, in bfloat16 or float32; any other is left as it is."""
    # What is seen is encoded once and kept, and no frame waits for it.
    exact = {part for module in model.modules() if isinstance(module, Encoder) for part in module.modules()}
    try:
        with torch.no_grad():
            for layer in model.modules():
                if isinstance(layer, nn.Linear) and layer.weight.numel() >= SMALLEST and _fits(layer.weight):
                    packed = Packed(layer)
                    packed(layer.weight.new_zeros(ROWS, layer.in_features))
                    layer.forward = packed  # pyright: ignore[reportAttributeAccessIssue]
                elif isinstance(layer, nn.Conv2d) and layer not in exact and _fits(layer.weight):
                    _pack_convolution(layer)
            for layer in model.modules():
                if isinstance(layer, Layer):
                    _pack_thought(layer)
    except (RuntimeError, AttributeError) as error:
        log.info("matrices are not laid out: %s", error)


def _fits(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype in (torch.bfloat16, torch.float32)


def _has_rows(x: Tensor) -> bool:
    return x.numel() >= FEWEST_ROWS * x.shape[-1]


def _pack_convolution(layer: nn.Conv2d) -> None:
    if _is_wide(layer):
        layer.forward = PackedConvolution(layer)  # pyright: ignore[reportAttributeAccessIssue]
    if layer.weight.dtype == torch.bfloat16:
        return
    if _mixes_channels(layer):
        layer.forward = MixedChannels(layer)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _mixes_channels(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == layer.stride == (1, 1) and layer.padding == (0, 0) and layer.groups == 1


def _is_wide(layer: nn.Conv2d) -> bool:
    wide = min(layer.in_channels, layer.out_channels) >= NARROWEST and math.prod(layer.kernel_size) > 1
    return wide and layer.groups == 1 and layer.padding_mode == "zeros" and int8.pays(layer.weight.dtype)


def _pack_thought(layer: Layer) -> None:
    up, down = layer.up.forward, layer.down.forward
    if isinstance(up, Packed) and isinstance(down, Packed) and (up.exact or (up.in_int8 and down.in_int8)):
        layer.think = PackedThought(layer, up, down)  # pyright: ignore[reportAttributeAccessIssue]
