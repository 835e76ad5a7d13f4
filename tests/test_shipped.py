"""The world that is shipped, played: what nobody would notice on random weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine import Action, Engine


@pytest.fixture(scope="module")
def doom() -> Engine:
    return Engine.load("doom", device="cpu", seed=0)


def test_walls_that_the_network_draws_are_solid(doom: Engine) -> None:
    """Ahead, 300 map units from where this scene begins, is a wall; one walks 16 units a frame."""
    doom.reset(start=3)
    places = [doom.step(Action(("forward",))).info["pose"][:2] for _ in range(48)]
    ways = [math.dist(*pair) for pair in zip(places, places[1:], strict=False)]
    assert max(ways[:12]) > 12
    assert np.mean(ways[-12:]) < 4
    assert math.dist(places[0], places[-1]) < 450


def test_who_turns_round_once_sees_what_was_there(doom: Engine) -> None:
    first = doom.reset(start=2).astype(float)
    around = [doom.step(Action(mouse=(12.0, 0.0))).frame.astype(float) for _ in range(30)]
    off = [np.abs(frame - first).mean() for frame in around]
    assert off[-1] < 12 and off[14] > 2 * off[-1]
