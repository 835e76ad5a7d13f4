"""Matrices laid out once give the products that they gave before, in int8 nearly so, and follow when they change."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.model import int8
from engine.model.codec import Encoder, ResidualBlock
from engine.model.layers import Layer
from engine.model.packed import MixedChannels, Packed, PackedConvolution, PackedThought, pack
from engine.model.settings import CodecSettings, ModelSettings

SIZES = [(64, 192), (96, 64), (400, 384), (128, 3840), (104, 384), (1536, 4)]  # inputs, outputs


KINDS = {torch.bfloat16: 0.02, torch.float32: 1e-5}  # and by how much products of such numbers may differ


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is of int8, as on most processors."""
    monkeypatch.setattr(int8, "is_fast", lambda: False)


@pytest.fixture(params=SIZES)
def layer(request: pytest.FixtureRequest, kind: torch.dtype) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(*request.param).to(kind)
    pack(layer)
    if not isinstance(layer.forward, Packed):
        pytest.skip(f"this processor lays out no {kind}")
    return layer


def plain(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, layer.weight, layer.bias)


def alike(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=KINDS[wanted.dtype], atol=KINDS[wanted.dtype])


@torch.no_grad()
def test_products_are_the_same_for_any_number_of_rows(layer: nn.Linear, kind: torch.dtype) -> None:
    for rows in (1, 3, 17, 60, 64, 192, 300):
        x = torch.randn(2, 1, rows, layer.in_features).to(kind)
        alike(layer(x), plain(layer, x))
        assert torch.equal(layer(x), layer(x))


def test_a_matrix_that_changes_is_laid_out_anew(layer: nn.Linear, kind: torch.dtype) -> None:
    x = torch.randn(60, layer.in_features).to(kind)
    with torch.no_grad():
        before = layer(x)
        layer.weight.mul_(-2)
        alike(layer(x), plain(layer, x))
        assert not torch.allclose(layer(x), before)
    assert layer(x).requires_grad


def test_other_numbers_are_left_as_they_are() -> None:
    layer = nn.Linear(64, 64).double()
    pack(layer)
    assert not isinstance(layer.forward, Packed)


@torch.no_grad()
def test_a_perceptron_in_float32_is_what_it_was() -> None:
    torch.manual_seed(0)
    layer = Layer(ModelSettings())
    nn.init.normal_(layer.down.weight, std=0.05)
    x = torch.randn(2, 1, 64, 384)
    before = layer.think(x)
    pack(layer)
    assert isinstance(layer.think, PackedThought)
    torch.testing.assert_close(layer.think(x), before, rtol=1e-4, atol=1e-4)
    with torch.enable_grad():
        assert layer.think(x).requires_grad


@pytest.mark.usefixtures("plainly")
@torch.no_grad()
def test_convolutions_in_float32_are_what_they_were() -> None:
    torch.manual_seed(0)
    for layer in (nn.Conv2d(199, 128, 1), nn.Conv2d(128, 1, 1, bias=False), nn.Conv2d(64, 24, 3, padding=1)):
        x = torch.randn(3, layer.in_channels, 12, 20)
        before = layer(x)
        pack(layer)
        assert isinstance(layer.forward, MixedChannels) == (layer.kernel_size == (1, 1))
        alike(layer(x), before)
        alike(layer(x[:1]), before[:1])
        alike(layer(x.to(memory_format=torch.channels_last)), before)
        layer.weight.mul_(-2)
        alike(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=layer.padding))  # type: ignore[arg-type]
        with torch.enable_grad():
            assert layer(x).requires_grad


needs_int8 = pytest.mark.skipif(not int8.is_fast(), reason="this processor multiplies no int8")


@pytest.fixture
def untiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where bfloat16 is not multiplied in tiles."""
    monkeypatch.setattr(int8, "has_tiles", lambda: False)


def off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Error as a share of what is wanted."""
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


@pytest.mark.parametrize("low, high", [(-1.0, 1.0), (-0.28, 6.0), (0.0, 3.0), (-5.0, 0.1), (-3.0, -1.0), (0.0, 0.0)])
def test_numbers_are_spread_over_all_of_uint8(low: float, high: float) -> None:
    x = torch.linspace(low, high, 1000).to(torch.bfloat16)
    values, scale, zero = int8.spread(x)
    assert torch.all(((values.float() - zero) * scale - x.float()).abs() <= 0.51 * scale)
    assert low == high or scale <= (max(high, 0) - min(low, 0)) / 250


def test_what_is_no_number_is_spread_without_complaint() -> None:
    for odd in (float("nan"), float("inf"), -float("inf")):
        assert int8.spread(torch.tensor([1.0, odd])).values.dtype == torch.uint8


@needs_int8
@torch.no_grad()
def test_large_products_of_one_session_are_of_int8(untiled: None) -> None:
    layer = nn.Linear(384, 1152).to(torch.bfloat16)
    pack(layer)
    assert isinstance(layer.forward, Packed) and layer.forward.in_int8
    x = torch.randn(1, 1, 64, 384).to(torch.bfloat16)
    assert 0 < off(layer(x), plain(layer, x)) < 0.02
    layer.weight.mul_(-2)
    assert off(layer(x), plain(layer, x)) < 0.02
    several = torch.cat([x, 100 * x])  # another session's numbers change nothing
    torch.testing.assert_close(layer(several)[:1], plain(layer, x), rtol=0.02, atol=0.02)


@needs_int8
@torch.no_grad()
def test_a_perceptron_in_int8_is_what_it_was(untiled: None) -> None:
    torch.manual_seed(0)
    layer = Layer(ModelSettings())
    nn.init.normal_(layer.down.weight, std=0.05)
    layer.to(torch.bfloat16)
    x = torch.randn(1, 1, 64, 384).to(torch.bfloat16)
    before = layer.think(x)
    pack(layer)
    assert isinstance(layer.think, PackedThought)
    assert 0 < off(layer.think(x), before) < 0.02
    assert off(layer.think(torch.cat([x, 100 * x]))[:1], before) < 0.01


@needs_int8
@torch.no_grad()
def test_wide_convolutions_of_one_picture_are_of_int8(untiled: None, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(160).to(kind).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(1, 160, 24, 40).to(kind).sigmoid()
    before = block.conv1(x)
    pack(block)
    assert isinstance(block.conv1.forward, PackedConvolution)
    assert 0 < off(block.conv1(x), before) < 0.02
    assert off(block.conv1(torch.cat([x, 100 * x]))[:1], before) < 0.01
    part = x[..., :8]
    assert off(block.conv1(part), F.conv2d(part, block.conv1.weight, block.conv1.bias, padding=1)) < 0.02
    block.conv1.weight.mul_(-2)
    assert off(block.conv1(x), before) > 1
    encoder = Encoder(CodecSettings(encoder_widths=[128], encoder_depths=[1])).to(kind)
    pack(encoder)
    assert not any(isinstance(part.forward, PackedConvolution) for part in encoder.modules())


@pytest.mark.parametrize("fast, tiles", [(False, False), (True, True)])
@torch.no_grad()
def test_where_int8_does_not_pay_nothing_is_of_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, tiles: bool
) -> None:
    monkeypatch.setattr(int8, "is_fast", lambda: fast)
    monkeypatch.setattr(int8, "has_tiles", lambda: tiles)
    layer, block = Layer(ModelSettings()).to(torch.bfloat16), ResidualBlock(160).to(torch.bfloat16)
    pack(layer)
    pack(block)
    assert not isinstance(layer.think, PackedThought)
    assert not isinstance(block.conv1.forward, PackedConvolution)
    x = torch.randn(1, 1, 64, 384).to(torch.bfloat16)
    torch.testing.assert_close(layer.qkv(x), plain(layer.qkv, x), rtol=0.02, atol=0.02)


def test_what_this_pytorch_cannot_do_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise AttributeError("no such operator")

    monkeypatch.setattr(int8, "matrix", missing)
    assert not int8.is_fast.__wrapped__()


@torch.no_grad()
def test_a_convolution_that_int8_refuses_stays_as_it_is(monkeypatch):
    def refuse(*_):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(int8, "kernel", refuse)
    layer = torch.nn.Conv2d(128, 128, 3, padding=1).bfloat16()
    x = torch.randn(1, 128, 6, 8).bfloat16()
    assert torch.equal(PackedConvolution(layer)(x), layer(x))
