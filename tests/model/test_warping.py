"""Pictures are moved to where geometry says, to the pixel, and what they show reaches the reference."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.model.network import WorldModel
from engine.model.reprojection import Shown, moves
from engine.model.settings import CodecSettings, ModelSettings
from engine.model.warping import warp

CODEC = CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1])
SETTINGS = ModelSettings(height=64, width=96, codec=CODEC, patch=2, dim=64, reference_dim=16, pixel_aspect=1.25)
CELLS = SETTINGS.latent_shape[0] * SETTINGS.latent_shape[1]
FOCAL = SETTINGS.width / 2 / math.tan(math.radians(SETTINGS.fov) / 2)  # pixels


def picture(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """[3, ...]: colours that vary smoothly with x and y, in pixels from the middle."""
    return torch.stack([torch.sin(x / 9), torch.cos(y / 7), torch.sin((x + y) / 11)])


def pixels() -> tuple[torch.Tensor, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(SETTINGS.height) + 0.5, torch.arange(SETTINGS.width) + 0.5, indexing="ij")
    return x - SETTINGS.width / 2, y - SETTINGS.height / 2


def moved(nearness: float, pose: list[float]) -> torch.Tensor:
    """The picture, seen from the origin, as it is seen from `pose` where everything is 1 / nearness away, [3, H, W]."""
    near = torch.full((1, 1, CELLS), nearness)
    _, back = moves(torch.zeros(1, 1, 4), torch.tensor([[pose]]))
    views = warp(SETTINGS, picture(*pixels())[None, None], near, back)
    return F.pixel_shuffle(views, SETTINGS.codec.stride)[0, 0]


def test_from_the_same_place_a_picture_is_itself() -> None:
    torch.testing.assert_close(moved(0.7, [0.0, 0.0, 0.0, 0.0]), picture(*pixels()), rtol=0, atol=2e-3)


@pytest.mark.parametrize("right", [0.02, -0.13])
def test_stepping_aside_moves_a_wall_by_its_nearness(right: float) -> None:
    x, y = pixels()
    expected = picture(x + right * 0.5 * FOCAL, y)[:, :, 12:-12]
    torch.testing.assert_close(moved(0.5, [0.0, right, 0.0, 0.0])[:, :, 12:-12], expected, rtol=0, atol=0.01)


def test_climbing_moves_a_wall_down_in_taller_pixels() -> None:
    x, y = pixels()
    expected = picture(x, y - 0.1 * 0.8 * FOCAL * SETTINGS.pixel_aspect)[:, 8:-8]
    torch.testing.assert_close(moved(0.8, [0.0, 0.0, 0.0, 0.1])[:, 8:-8], expected, rtol=0, atol=0.01)


def test_turning_moves_pictures_as_rays_turn() -> None:
    x, y = pixels()
    angle = math.radians(7)
    ahead = math.cos(angle) - x / FOCAL * math.sin(angle)
    there = FOCAL * (math.sin(angle) + x / FOCAL * math.cos(angle)) / ahead
    expected = picture(there, y / ahead)[:, :, :72]
    torch.testing.assert_close(moved(0.3, [0.0, 0.0, angle, 0.0])[:, 6:-6, :72], expected[:, 6:-6], rtol=0, atol=0.02)


@torch.no_grad()
def test_a_reference_follows_what_is_shown_and_says_when_nothing_is() -> None:
    torch.manual_seed(0)
    model = WorldModel(SETTINGS)
    count = SETTINGS.memory_entries + 1
    latents = torch.randn(1, count, *SETTINGS.latent_shape)
    pictures = model.refer(latents)
    assert pictures.shape == (1, count, 3, SETTINGS.height, SETTINGS.width) and pictures.abs().max() <= 1
    near, where = torch.ones(1, count, *SETTINGS.latent_shape[:2]), torch.zeros(1, count, 4)
    there = torch.ones(1, count, dtype=torch.bool)
    last, asked = torch.tensor([[count - 1]]), torch.zeros(1, 1, 4)

    def refer(pictures: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        return model.generator.reproject(Shown(pictures, near, where, there, torch.zeros_like(there)), last, asked)

    reference = refer(pictures, there)
    assert reference.shape == (1, 1, *SETTINGS.latent_shape[:2], SETTINGS.codec.latent_channels + 1)
    assert float(reference[..., -1].min()) > 0.5 and float(reference[..., -1].max()) <= 1
    other = pictures.clone()
    other[:, -1] = 0
    assert not torch.allclose(refer(other, there)[..., :-1], reference[..., :-1])
    assert float(refer(pictures, torch.zeros_like(there))[..., -1].max()) < 1e-3
