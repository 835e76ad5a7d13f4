"""What stands in the camera's way stops it, and nothing else does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine import world
from engine.model.reprojection import Shown
from engine.model.settings import CodecSettings, ModelSettings
from engine.model.walls import Body, stop

SETTINGS = ModelSettings(height=128, width=192, codec=CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1]), patch=2, dim=64)
BODY = Body(radius=0.03, below=0.05, above=0.06)
GRID = SETTINGS.latent_shape[:2]


def shown(depth: Tensor, seen_from: list[list[float]], there: list[bool] | None = None) -> Shown:
    """Frames of one session at some poses, the last of them the present one; depth: [N, rows, columns], pose units."""
    count = len(seen_from)
    held = torch.tensor([there or [True] * count])
    pictures = torch.zeros(1, count, 3, SETTINGS.height, SETTINGS.width)
    return Shown(pictures, (1 / depth).expand(1, count, *GRID), torch.tensor([seen_from]), held, torch.zeros_like(held))


def going(frames: Shown, way: tuple[float, float]) -> list[float]:
    """How far a camera comes that is asked to go this way from where it is."""
    at = frames.poses[:, -1]
    asked = at + torch.tensor([[*way, 0.1, 0.02]])
    found = stop(BODY, SETTINGS, frames, asked)
    assert torch.equal(found[:, 2:], asked[:, 2:]), "the heading and the height are asked for all the same"
    return (found - at)[0, :2].tolist()


def wall(distance: float) -> Tensor:
    """A wall across the view, so far ahead."""
    return torch.full((1, *GRID), distance)


def test_a_wall_stops_the_camera_and_open_ground_does_not() -> None:
    here = [[1.0, -2.0, 0.0, 0.2]]
    near, far = shown(wall(0.1), here), shown(wall(0.2), here)
    assert going(near, (0.08, 0.0)) == pytest.approx([0.0, 0.0], abs=1e-5)
    assert going(near, (0.02, 0.0)) == pytest.approx([0.02, 0.0], abs=1e-5), "as far as it does not come near"
    assert going(far, (0.08, 0.0)) == pytest.approx([0.08, 0.0], abs=1e-5)
    assert going(far, (0.6, 0.0)) == pytest.approx([0.0, 0.0], abs=1e-5), "nor is it jumped over"
    assert going(near, (-0.08, 0.0)) == pytest.approx([-0.08, 0.0], abs=1e-5), "it can be left behind"


@pytest.mark.parametrize("heading", [0.0, 1.0, -2.5])
def test_it_goes_on_along_the_wall(heading: float) -> None:
    frames = shown(wall(0.1), [[0.5, 0.5, heading, 0.0]])
    ahead, aside = (math.cos(heading), math.sin(heading)), (-math.sin(heading), math.cos(heading))
    way = tuple(0.08 * a + 0.03 * b for a, b in zip(ahead, aside, strict=True))
    found = going(frames, way)  # type: ignore[arg-type]
    assert found == pytest.approx([0.03 * b for b in aside], abs=2e-3)


def test_what_is_low_or_high_or_of_no_frame_is_not_in_the_way() -> None:
    """A step is seen from above its edge, a beam from below it: cells of the other rows show nothing near."""
    down = (torch.arange(GRID[0]) + 0.5 - GRID[0] / 2)[:, None]
    for low in (down > GRID[0] / 4, down < -GRID[0] / 4):
        depth = torch.where(low, 0.2, 5.0).expand(1, *GRID)
        assert going(shown(depth, [[0.0, 0.0, 0.0, 0.0]]), (0.2, 0.0)) == pytest.approx([0.2, 0.0], abs=1e-5)
    assert going(shown(wall(0.2), [[0.0, 0.0, 0.0, 0.0]]), (0.2, 0.0)) == pytest.approx([0.0, 0.0], abs=1e-5)
    behind = torch.cat([wall(0.1), wall(5.0)])
    places = [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, math.pi, 0.0]]  # what another frame saw is in the way too
    assert going(shown(behind, places), (0.08, 0.0)) == pytest.approx([0.0, 0.0], abs=1e-5)
    assert going(shown(behind, places, [False, True]), (0.08, 0.0)) == pytest.approx([0.08, 0.0], abs=1e-5)


def test_what_the_camera_would_go_into_stops_it_sooner_than_what_it_passes() -> None:
    here = [[0.0, 0.0, 0.0, 0.2]]
    longer = BODY._replace(ahead=0.04)
    for distance, sooner in ((0.1, True), (0.16, False)):
        frames = shown(wall(distance), here)
        asked = frames.poses[:, -1] + torch.tensor([0.06, 0.0, 0.0, 0.0])
        assert torch.equal(stop(BODY, SETTINGS, frames, asked), asked)
        assert torch.equal(stop(longer, SETTINGS, frames, asked), asked) != sooner
    along = shown(wall(0.06), [[0.0, 0.0, 0.0, 0.2]])  # beside the wall, nearer to it than one comes by going at it
    asked = along.poses[:, -1] + torch.tensor([0.0, 0.06, 0.0, 0.0])
    torch.testing.assert_close(stop(longer, SETTINGS, along, asked), asked)
    away = along.poses[:, -1] - torch.tensor([0.06, 0.0, 0.0, 0.0])
    assert torch.equal(stop(longer, SETTINGS, along, away), away)


def test_sessions_that_step_together_are_stopped_each_by_its_own_walls() -> None:
    one, two = shown(wall(0.1), [[0.0, 0.0, 0.0, 0.0]]), shown(wall(3.0), [[4.0, 1.0, 2.0, 0.0]])
    both = Shown(*(torch.cat(pair) for pair in zip(one, two, strict=True)))
    asked = both.poses[:, -1] + torch.tensor([0.08, 0.0, 0.0, 0.0])
    found = stop(BODY, SETTINGS, both, asked)
    alone = torch.cat([stop(BODY, SETTINGS, frames, asked[i : i + 1]) for i, frames in enumerate((one, two))])
    torch.testing.assert_close(found, alone)
    assert not torch.equal(found[0], asked[0]) and torch.equal(found[1], asked[1])


def test_a_world_says_what_stops_its_camera() -> None:
    doom = world.load("doom").camera
    assert doom.body == (8 / 256, 14 / 256, 15 / 256, 8 / 256)
    assert replace(doom, radius=0.0).body is None
