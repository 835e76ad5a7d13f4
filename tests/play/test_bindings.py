"""A player's keys in place of a world's: none twice, none of the window's."""

import pygame
import pytest

from engine.play.bindings import bound, changed, pressed, rebind, unbind
from tests.play.fake_engine import WORLD


@pytest.fixture(autouse=True)
def keyboard():
    pygame.display.init()
    yield
    pygame.display.quit()


def table(world):
    return {key.name: list(key.bind) for key in world.keys}


def test_own_keys_take_the_place_of_the_worlds():
    own, fault = bound(WORLD, {"left": ["q", "mouse3"], "attack": ["x"]})
    assert not fault and table(own) == table(WORLD) | {"left": ["q", "mouse3"], "attack": ["x"]}
    assert changed(WORLD, own) == {"left": ["q", "mouse3"], "attack": ["x"]} and changed(WORLD, WORLD) == {}


@pytest.mark.parametrize(
    ("binds", "says"),
    [
        ({"fly": ["q"]}, "world toy has no key 'fly'"),
        ({"left": ["w"]}, "'w', bound to 'left', is taken"),
        ({"left": ["r"]}, "'r', bound to 'left', is taken"),
        ({"left": ["warp"]}, "which no keyboard has"),
    ],
)
def test_keys_that_cannot_be_leave_the_worlds_own_and_a_sentence(binds, says):
    own, fault = bound(WORLD, binds)
    assert own is WORLD and says in fault and fault.startswith("your keys are not used: ") and "\n" not in fault


def test_a_free_key_replaces_the_one_at_its_place_or_is_added():
    own, says = rebind(WORLD, "forward", 1, "i")
    assert table(own)["forward"] == ["w", "i"] and says == "I is for forward now"
    own, says = rebind(WORLD, "left", 1, "mouse3")
    assert table(own)["left"] == ["a", "mouse3"] and says == "right button is for left now"
    assert rebind(WORLD, "left", 0, "a") == (WORLD, "A is for left already")


def test_another_keys_key_is_taken_from_it_and_what_it_would_lack_is_given():
    own, says = rebind(WORLD, "use", 0, "up")
    assert (table(own)["use"], table(own)["forward"]) == (
        ["up"],
        ["w"],
    ) and says == "up is for use now, no longer for forward"
    own, says = rebind(WORLD, "use", 0, "a")  # the only one that `left` has
    assert (table(own)["use"], table(own)["left"]) == (["a"], ["e"]) and says == "A is for use now, and E for left"
    own, says = rebind(WORLD, "use", 1, "a")  # there is nothing to give
    assert (table(own)["use"], table(own)["left"]) == (["e", "a"], []) and "left has no key left" in says
    own, says = rebind(WORLD, "forward", 0, "up")
    assert table(own)["forward"] == ["up"]
    for made in (own, rebind(WORLD, "use", 0, "a")[0]):
        assert not bound(WORLD, changed(WORLD, made))[1]


def test_the_windows_keys_stay_the_windows():
    assert rebind(WORLD, "use", 0, "r") == (WORLD, "R is the window's (record on, off): press another key")


def test_a_key_can_be_taken_away():
    own, says = unbind(WORLD, "forward", 0)
    assert table(own)["forward"] == ["up"] and says == "W is for nothing now"
    own, says = unbind(WORLD, "use", 0)
    assert table(own)["use"] == [] and "use has no key left" in says
    assert unbind(WORLD, "use", 1) == (WORLD, "")


def test_what_is_pressed_has_a_name_that_binds_it():
    assert pressed(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_LSHIFT)) == "left shift"
    assert pressed(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=3)) == "mouse3"
    assert pressed(pygame.event.Event(pygame.KEYDOWN, key=0)) is None
