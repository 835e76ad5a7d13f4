"""The height of the camera where it was before."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.ground import LONGEST, NARROW, SETTLED, level


def path(*places: tuple[float, float, float]) -> tuple[Tensor, Tensor, Tensor]:
    """Entries at these places (x, y, height), and enough newer ones for all to count: poses, numbers, newest."""
    seen_from = torch.tensor([[[x, y, 0.0, height] for x, y, height in places]])
    return seen_from, torch.arange(len(places))[None], torch.tensor([[len(places) + SETTLED]])


def at(x: float, y: float, height: float = 0.0) -> Tensor:
    return torch.tensor([[x, y, 0.7, height]])


def test_between_two_entries_the_ground_rises_evenly() -> None:
    found = level(at(0.25, 0.0), *path((0.0, 0.0, 1.0), (0.5, 0.0, 2.0)))
    torch.testing.assert_close(found, at(0.25, 0.0, 1.5))


def test_beside_the_path_its_height_counts_for_less_and_far_from_it_for_nothing() -> None:
    told = path((0.0, 0.0, 1.0), (0.5, 0.0, 1.0))
    torch.testing.assert_close(level(at(0.25, NARROW), *told)[0, 3], torch.tensor(-0.5).exp())
    torch.testing.assert_close(level(at(0.25, 10 * NARROW, 0.3), *told), at(0.25, 10 * NARROW, 0.3))


def test_of_two_visits_the_newer_one_counts() -> None:
    """A lift has gone down since."""
    found = level(at(0.0, 0.0), *path((0.0, 0.0, 3.0), (0.4, 0.0, 3.0), (0.4, 0.0, 1.0), (0.0, 0.0, 1.0)))
    torch.testing.assert_close(found, at(0.0, 0.0, 1.0))


def test_entries_that_do_not_follow_one_another_are_no_path() -> None:
    seen_from, numbers, newest = path((0.0, 0.0, 1.0), (0.5, 0.0, 2.0))
    apart = torch.tensor([[0, 2]])
    for told in ((seen_from, apart, newest), (seen_from, torch.full_like(numbers, -1), newest)):
        torch.testing.assert_close(level(at(0.25, 0.0, 0.4), *told), at(0.25, 0.0, 0.4))
    far = path((0.0, 0.0, 1.0), (2 * LONGEST, 0.0, 2.0))
    torch.testing.assert_close(level(at(LONGEST, 0.0, 0.4), *far), at(LONGEST, 0.0, 0.4))
    torch.testing.assert_close(level(at(0.0, 0.0, 0.4), *path((0.0, 0.0, 1.0))), at(0.0, 0.0, 0.4))


def test_the_newest_entries_say_nothing() -> None:
    seen_from, numbers, _ = path((0.0, 0.0, 1.0), (0.5, 0.0, 2.0))
    newest = torch.tensor([[SETTLED]])  # the second one is too new by one
    torch.testing.assert_close(level(at(0.25, 0.0, 0.4), seen_from, numbers, newest), at(0.25, 0.0, 0.4))
    older = torch.tensor([[SETTLED + 1]])
    torch.testing.assert_close(level(at(0.25, 0.0, 0.4), seen_from, numbers, older), at(0.25, 0.0, 1.5))
