"""The consistency meter: what counts as a revisit, and how like a place looks to then."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.core import Engine
from engine.data.thumbnails import shrink
from engine.play.hud import Hud
from engine.play.revisit import consistency, likeness, seen_before
from engine.world import Camera
from tests.play.test_hud import WORLD, view
from tests.test_core import frames_of
from tests.toy import play

PANORAMA = np.repeat(np.random.default_rng(3).integers(0, 256, (24, 90, 3), dtype=np.uint8), 4, axis=1)


def test_one_must_have_been_away_for_it_to_be_a_revisit():
    turning = np.array([[0.0, 0.0, angle] for angle in (0, 0, 30, 60, 90, 60, 30)], np.float32)
    assert seen_before(turning[:2], (0.0, 0.0, 0.0, 0.0), 1.0) is None, "it was never out of view"
    assert seen_before(turning, (0.0, 0.0, 0.0, 2.0), 1.0) == 0
    assert seen_before(turning, (0.0, 0.0, 0.0, 362.0), 1.0) == 0
    assert seen_before(turning, (0.0, 0.0, 0.0, 14.0), 1.0) is None, "nothing was seen from so near"
    assert seen_before(turning, (0.0, 5.0, 0.0, 0.0), 1.0) is None
    walking = np.array([[x, 0.0, 0.0] for x in (0, 0, 50, 120, 50)], np.float32)
    assert seen_before(walking, (3.0, 0.0, 0.0, 0.0), 100.0) == 0
    assert seen_before(walking, (120.0, 0.0, 0.0, 0.0), 100.0) is None, "the last view of it is no revisit"
    assert seen_before(np.zeros((0, 3), np.float32), (0.0, 0.0, 0.0, 0.0), 1.0) is None


def test_likeness_is_one_for_the_same_and_low_for_another_place():
    one, other = PANORAMA[:, :40], PANORAMA[:, 160:200]
    assert likeness(one, one) == pytest.approx(1.0)
    assert likeness(one, other) < 0.3
    assert likeness(one, 255 - one) == 0.0
    assert likeness(one, np.full_like(one, 127)) < 0.2, "a plain picture is like nothing"
    plain = np.full_like(one, 90)
    assert likeness(plain, plain) == pytest.approx(1.0)
    for shift in (3, -3):
        turned = PANORAMA[:, 40 - shift : 80 - shift]
        assert likeness(PANORAMA[:, 40:80], turned, shift) == pytest.approx(1.0)
        assert likeness(PANORAMA[:, 40:80], turned) < 0.9


def test_a_small_turn_is_allowed_for():
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 120.0], [0.0, 0.0, 120.0]], np.float32)
    engine = SimpleNamespace(
        world=SimpleNamespace(camera=Camera(fov=40.0)), places=places, thumbnail=lambda entry: PANORAMA[:, 40:80]
    )
    left = np.repeat(np.repeat(PANORAMA[:, 34:74], 8, axis=0), 8, axis=1)  # by six of its forty columns
    assert consistency(engine, left, (0.0, 0.0, 0.0, 6.0)) == pytest.approx(1.0)  # type: ignore[arg-type]
    assert consistency(engine, left, (0.0, 0.0, 0.0, 0.0)) < 0.9  # type: ignore[arg-type,operator]
    assert consistency(engine, left, None) is None  # type: ignore[arg-type]


def test_the_engine_tells_what_was_seen(toy_engine: Engine):
    toy_engine.reset(0, seed=5)
    frames = [play(0, 7)[0][-1], *frames_of(toy_engine, 5)]
    assert toy_engine.info["frame_index"] == 11 and toy_engine.info["memory_entries"] == 4
    np.testing.assert_array_equal(toy_engine.thumbnail(3), shrink(frames[-1]))
    np.testing.assert_array_equal(toy_engine.thumbnail(2), shrink(frames[2]))


def test_the_figures_say_it():
    def says(**changes) -> str:
        return "".join(text.words for text in Hud(WORLD)._current_figures(view(**changes), 0.0)[0])

    assert "as before" not in says()
    assert says(info={"memory_entries": 20, "memory_bytes": 712_000}).endswith("20 memories    0.7 MB")
    assert says(consistency=0.824).endswith("82% as before")
