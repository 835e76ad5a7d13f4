"""Views are carried over to where geometry says: turned, approached, and not beyond what was seen."""

from __future__ import annotations

import dataclasses
import math

import torch

from engine.model.reprojection import GEOMETRY, Found, Moved, Shown, find_cells, leave_to_memory, pick_views
from engine.model.settings import CodecSettings, ModelSettings

SETTINGS = ModelSettings(height=64, width=96, codec=CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1]), patch=2, dim=64)
ROWS, COLUMNS = SETTINGS.latent_shape[:2]


def find(nearness: float, there: list[float], now: list[float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    near = torch.full((1, 1, ROWS, COLUMNS), nearness)
    filled = torch.ones(1, 1, dtype=torch.bool)
    index, geometry, seen, *_ = find_cells(SETTINGS, near, torch.tensor([[there]]), filled, torch.tensor([now]))
    assert geometry.shape == (1, 1, ROWS * COLUMNS, GEOMETRY)
    shape = (ROWS, COLUMNS)
    return index.view(shape), geometry.view(*shape, GEOMETRY), seen.view(shape)


def test_a_view_from_the_same_pose_is_itself() -> None:
    index, geometry, seen = find(0.7, [1.0, 2.0, 0.3, 0.1], [1.0, 2.0, 0.3, 0.1])
    assert seen.all()
    assert torch.equal(index.flatten(), torch.arange(ROWS * COLUMNS))
    torch.testing.assert_close(geometry[..., :3], torch.zeros(ROWS, COLUMNS, 3), rtol=0, atol=1e-3)  # as large, as near


def test_turning_right_finds_the_right_half_whatever_its_distance() -> None:
    # At 45 degrees to the right, the middle of the coming frame lay on the right edge of a view 90 degrees wide.
    for nearness in (0.1, 3.0):
        index, _, seen = find(nearness, [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, math.radians(45), 0.0])
        middle = ROWS // 2
        assert not seen[:, COLUMNS // 2 + 2 :].any()
        assert seen[middle, : COLUMNS // 2 - 1].all()
        expected = math.tan(math.radians(45) + math.atan(2 * 0.5 / COLUMNS - 1))  # the leftmost cell's ray
        assert abs(int(index[middle, 0]) % COLUMNS - ((expected + 1) / 2 * COLUMNS - 0.5)) <= 1


def test_walking_on_magnifies_the_middle() -> None:
    # Half way to a wall, everything is twice as large: the corner of the frame lay half way to the middle.
    index, _, seen = find(1.0, [0.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0])
    assert seen.all()
    corner = int(index[0, 0])
    assert abs(corner % COLUMNS - (COLUMNS / 4)) <= 1 and abs(corner // COLUMNS - ROWS / 4) <= 1


def test_what_is_behind_is_not_seen() -> None:
    assert not find(1.0, [0.0, 0.0, math.pi, 0.0], [0.0, 0.0, 0.0, 0.0])[2].any()
    assert not find(1.0, [0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0])[2].any()


def test_climbing_moves_what_is_near_down() -> None:
    # Higher by half of its distance, everything lies half of the focal length lower.
    index, _, seen = find(1.0, [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5])
    fallen = COLUMNS // 2 // 2
    assert seen[fallen:].all() and not seen[: fallen - 1].any()
    assert int(index[ROWS - 1, 0]) // COLUMNS == ROWS - 1 - fallen


def test_a_frame_just_drawn_shows_what_memory_does_not_know_as_well() -> None:
    grid = 1, 3, ROWS * COLUMNS
    seen, geometry = torch.ones(grid, dtype=torch.bool), torch.zeros(*grid, GEOMETRY)
    seen[0, 1:, 0] = False  # only the last frame shows this cell
    geometry[0, 1:, 1, 0] = -0.6  # what memory has of this one is from nearly twice as far away
    geometry[0, 1, 2, 0] = -0.6  # one of two entries has
    nothing = torch.zeros(())
    found = Found(nothing, geometry, seen, nothing, Moved(*[nothing] * 5))
    assert leave_to_memory(found, torch.tensor([False])).seen.equal(seen)
    left = leave_to_memory(found, torch.tensor([True])).seen
    assert left[0, 0, :2].all() and not left[0, 0, 2:].any()
    assert left[0, 1:].equal(seen[0, 1:])


def picked(asked: list[float]) -> list[int]:
    """Which frames are carried into one seen from there: of two memories, the first the last frame's own."""
    poses = torch.tensor([[[0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    there, empty = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3, 0)
    settings = dataclasses.replace(SETTINGS, memory_entries=2, references=1)
    shown = Shown(empty, empty, poses, there, torch.zeros_like(there))
    found = pick_views(settings, shown, torch.tensor([[2]]), torch.tensor([[asked]]))
    assert found.there.all()
    return found.index[0].tolist()


def test_no_view_is_spent_on_the_last_frame_itself() -> None:
    assert picked([0.2, 0.0, 0.0, 0.0]) == picked([0.0, 0.0, 0.1, 0.0]) == [2, 1]


def test_who_stands_still_may_look_at_what_was_seen_from_there() -> None:
    assert picked([0.0, 0.0, 0.0, 0.0]) == [2, 0]
