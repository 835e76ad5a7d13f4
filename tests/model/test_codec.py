"""Frames and latents: exact conversions, shapes, and the codec's normalisation."""

from __future__ import annotations

import pytest
import torch

from engine.errors import ConfigError
from engine.model.codec import Codec, to_bytes, to_unit
from engine.model.settings import CodecSettings, ModelSettings

SMALL = CodecSettings(6, [8, 16, 24], [1, 1, 1], [24, 16, 8], [1, 1, 0])


def test_bytes_survive() -> None:
    frames = torch.randint(0, 256, (2, 32, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(to_bytes(to_unit(frames)), frames)


@pytest.mark.parametrize(("settings", "stride"), [(SMALL, 16), (CodecSettings(6, [8, 16], [1, 1], [16, 8], [1, 1]), 8)])
@torch.no_grad()
def test_shapes_follow_the_stages(settings: CodecSettings, stride: int) -> None:
    assert settings.stride == stride
    codec = Codec(settings)
    latents = codec.encode(torch.rand(2, 3, 3, 64, 96) * 2 - 1)
    assert latents.shape == (2, 3, 64 // stride, 96 // stride, 6)
    assert codec.decode(latents).shape == (2, 3, 3, 64, 96)


@torch.no_grad()
def test_latents_have_unit_variance_and_cells_unit_size() -> None:
    codec = Codec(SMALL)
    frames = torch.rand(16, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cells = codec.encode_cells(frames)
    torch.testing.assert_close(cells.square().mean(1), torch.ones(16, 4, 6), rtol=1e-3, atol=1e-3)
    codec.set_statistics(cells)
    latents = codec.encode(frames)
    torch.testing.assert_close(latents.flatten(0, -2).std(0), torch.ones(6), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(latents.flatten(0, -2).mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(codec.decode(latents), codec.decoder(cells), rtol=1e-3, atol=1e-3)


def test_a_size_that_does_not_fit_says_so() -> None:
    with pytest.raises(ConfigError, match="100x96 is not a multiple of 32"):
        ModelSettings(height=100, width=96)


@torch.no_grad()
def test_bounded_latents_look_the_same_and_are_bounded_once() -> None:
    codec = Codec(SMALL)
    inside = codec.encode(torch.rand(2, 3, 32, 48)) * 0.9
    torch.testing.assert_close(codec.bound(inside), inside)
    latents = torch.randn(2, *inside.shape[1:]) * 30
    bounded = codec.bound(latents)
    torch.testing.assert_close(codec.decode(bounded), codec.decode(latents), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(codec.bound(bounded), bounded)
