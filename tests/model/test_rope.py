"""Attention knows where things are relative to one another, and nothing of where the world's origin is."""

from __future__ import annotations

import torch

from engine.model.layers import Layer
from engine.model.rope import place_tokens
from engine.model.settings import HEAD_DIM, CodecSettings, ModelSettings

SETTINGS = ModelSettings(height=64, width=96, codec=CodecSettings(), dim=128, registers=2)


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    time = torch.arange(3.0).repeat(2, 1)
    pose = torch.randn(2, 3, 3, generator=random)
    return time, pose


def moved(pose: torch.Tensor, angle: float, shift: tuple[float, float]) -> torch.Tensor:
    """The same poses in a world turned by `angle` and shifted."""
    turn = torch.tensor(angle, dtype=pose.dtype)
    x = pose[..., 0] * turn.cos() - pose[..., 1] * turn.sin() + shift[0]
    y = pose[..., 0] * turn.sin() + pose[..., 1] * turn.cos() + shift[1]
    return torch.stack([x, y, pose[..., 2] + turn], dim=-1)


def test_query_key_product_and_output_depend_on_relative_place_alone() -> None:
    layer = Layer(SETTINGS)
    torch.nn.init.normal_(layer.out.weight, std=0.1)
    time, pose = scene()
    h = torch.randn(2, 3, SETTINGS.frame_tokens, SETTINGS.dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        here = layer(h, place_tokens(SETTINGS, time, pose, torch.float32))
        there = layer(h, place_tokens(SETTINGS, time + 7, moved(pose, 0.7, (1.5, -0.8)), torch.float32))
        other = layer(h, place_tokens(SETTINGS, time, pose * torch.tensor([1.0, 1.0, 1.1]), torch.float32))
    torch.testing.assert_close(there, here, rtol=1e-3, atol=2e-4)
    assert (other - here).abs().max() > 1e-2


def test_back_undoes_into() -> None:
    time, pose = scene()
    place = place_tokens(SETTINGS, time, pose, torch.float64)
    tokens = 3 * SETTINGS.frame_tokens
    x = torch.randn(2, tokens, 5, HEAD_DIM, dtype=torch.float64)
    into = place.into(x.view(2, tokens, 1, 1, 5, HEAD_DIM)).view_as(x)
    torch.testing.assert_close(place.back(into), x, rtol=1e-4, atol=1e-4)


def test_a_full_turn_changes_nothing() -> None:
    time, pose = scene()
    turned = pose + torch.tensor([0.0, 0.0, 2 * torch.pi])
    first, second = (place_tokens(SETTINGS, time, p, torch.float32).into for p in (pose, turned))
    torch.testing.assert_close(first.own, second.own, rtol=0, atol=2e-4)
    torch.testing.assert_close(first.other, second.other, rtol=0, atol=2e-4)


def test_matrices_move_as_the_tables_do() -> None:
    time, pose = scene()
    tables = place_tokens(SETTINGS, time, pose, torch.float64)
    with torch.no_grad():
        matrices = place_tokens(SETTINGS, time, pose, torch.float64)
    tokens = 3 * SETTINGS.frame_tokens
    x = torch.randn(2, tokens, 3, 2, 5, HEAD_DIM, dtype=torch.float64)
    torch.testing.assert_close(matrices.into(x), tables.into(x))
    torch.testing.assert_close(matrices.qkv(x[:, :, :, 0]), tables.qkv(x[:, :, :, 0]))
    torch.testing.assert_close(matrices.back(x[:, :, 0, 0]), tables.back(x[:, :, 0, 0]))
