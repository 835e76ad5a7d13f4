"""The plane sweep: older frames tell how near a textured wall is, and nothing where they cannot."""

import math

import pytest
import torch
import torch.nn.functional as F

from engine.model import pose as poses
from engine.model.settings import CodecSettings, ModelSettings
from engine.model.sweep import OLDER, SHRINK, Sweep, shrink

NEARNESS = 0.5  # of the wall, 1 / pose units
SETTINGS = ModelSettings(height=96, width=160, codec=CodecSettings(encoder_widths=[32, 32]), patch=2)


def look_at_wall(right: float) -> torch.Tensor:
    """A frame [3, height, width] of a wall straight ahead, from a camera so far to the right."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(160.0), indexing="ij")
    half = math.tan(math.radians(SETTINGS.fov) / 2)
    across = ((columns + 0.5) / 80 - 1) * half / NEARNESS + right
    up = (rows + 0.5 - 48) / 80 * half / NEARNESS
    return torch.stack([(across * 5).sin(), (across * 3 + up * 4).cos(), (up * 6).sin()])


def walk(step: float, frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Shrunk pictures [1, frames, 3, ..] and poses [1, frames, SIZE] of a camera that walks along the wall."""
    places = [step * index for index in range(frames)]
    pictures = shrink(torch.stack([look_at_wall(place) for place in places]).unsqueeze(0))
    seen_from = torch.zeros(1, frames, poses.SIZE)
    seen_from[0, :, 1] = torch.tensor(places)
    return pictures, seen_from


def error(nearness: torch.Tensor) -> float:
    return (nearness[..., 2:-2, 3:-3].log() - math.log(NEARNESS)).abs().mean().item()


@pytest.fixture
def sweep() -> Sweep:
    torch.manual_seed(0)
    return Sweep(SETTINGS).eval()


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.3])
def test_a_wrong_guess_is_mended_where_the_camera_moved(sweep: Sweep, factor: float) -> None:
    guess = torch.full((1, 1, *SETTINGS.latent_shape[:2]), NEARNESS * factor)
    with torch.no_grad():
        found = sweep.last(guess, *walk(0.25))
    assert found.shape == guess.shape
    assert error(found) < 0.06


def test_a_camera_that_stands_still_leaves_the_guess(sweep: Sweep) -> None:
    guess = torch.full((1, 1, *SETTINGS.latent_shape[:2]), NEARNESS * 0.75)
    with torch.no_grad():
        found = sweep.last(guess, *walk(0.0))
    torch.testing.assert_close(found, guess, rtol=1e-3, atol=0)


def test_frames_that_are_not_there_say_nothing(sweep: Sweep) -> None:
    guess = torch.full((1, 1, *SETTINGS.latent_shape[:2]), NEARNESS * 0.75)
    pictures, seen_from = walk(0.25)
    with torch.no_grad():
        found = sweep.last(guess, pictures, seen_from, torch.zeros(1, 1, dtype=torch.long))
        torch.testing.assert_close(found, guess, rtol=1e-3, atol=0)
        one = sweep.last(guess, pictures, seen_from, torch.ones(1, 1, dtype=torch.long))
        garbled = pictures.clone()
        garbled[:, 0] = 1.0
        torch.testing.assert_close(one, sweep.last(guess, garbled, seen_from, torch.ones(1, 1, dtype=torch.long)))
        assert error(one) < error(guess) / 2


def test_each_of_several_frames_is_held_against_its_own_past(sweep: Sweep) -> None:
    pictures, seen_from = walk(0.2, frames=5)
    guess = NEARNESS * torch.exp(0.3 * torch.randn(1, 2, *SETTINGS.latent_shape[:2]))
    with torch.no_grad():
        both = sweep.last(guess, pictures, seen_from)
        first = sweep.last(guess[:, :1], pictures[:, :4], seen_from[:, :4])
        second = sweep.last(guess[:, 1:], pictures, seen_from)
    torch.testing.assert_close(both, torch.cat([first, second], dim=1))
    assert OLDER == 2


def test_shrinking_is_the_mean_of_squares() -> None:
    pictures = torch.rand(2, 3, 3, 96, 160)
    small = shrink(pictures)
    assert small.shape == (2, 3, 3, 96 // SHRINK, 160 // SHRINK)
    torch.testing.assert_close(small[1, 2], F.avg_pool2d(pictures[1, 2], SHRINK))
