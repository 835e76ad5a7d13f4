"""Events in, Actions out: nothing pressed is missed, no motion is lost, nothing outlives the window's focus."""

import dataclasses

import pygame
import pytest

from engine import world as worlds
from engine.action import Action
from engine.errors import WorldError
from engine.play.bindings import WINDOW_KEYS
from engine.play.keymap import Keymap
from engine.world import FrameSize, Key, MouseAxis, World

WORLD = World(
    name="toy",
    frame=FrameSize(48, 80),
    rate=20.0,
    keys=[Key("forward", ["w", "up"]), Key("use", ["e"]), Key("attack", ["mouse1", "left ctrl"])],
    mouse={"yaw": MouseAxis(30.0), "pitch": MouseAxis(10.0)},
)


@pytest.fixture
def keymap():
    pygame.display.init()
    yield Keymap(WORLD, degrees_per_pixel=0.5)
    pygame.display.quit()


def down(key):
    return pygame.event.Event(pygame.KEYDOWN, key=key)


def up(key):
    return pygame.event.Event(pygame.KEYUP, key=key)


def moved(x, y):
    return pygame.event.Event(pygame.MOUSEMOTION, rel=(x, y), pos=(0, 0), buttons=(0, 0, 0))


def test_a_held_key_is_in_every_action_until_it_is_released(keymap):
    keymap.handle(down(pygame.K_w))
    assert [keymap.take().keys for _ in range(3)] == [("forward",)] * 3
    keymap.handle(up(pygame.K_w))
    assert keymap.take() == Action()


def test_a_tap_between_two_frames_counts_for_one_frame(keymap):
    for event in (down(pygame.K_e), up(pygame.K_e)):
        keymap.handle(event)
    assert keymap.take().keys == ("use",)
    assert keymap.take().keys == ()


def test_two_buttons_of_one_key_hold_it_until_both_are_released(keymap):
    for event in (down(pygame.K_w), down(pygame.K_UP)):
        keymap.handle(event)
    keymap.take()
    keymap.handle(up(pygame.K_w))
    assert keymap.take().keys == ("forward",)
    keymap.handle(up(pygame.K_UP))
    assert keymap.take().keys == ()


def test_mouse_buttons_are_keys_too_and_keys_come_in_the_worlds_order(keymap):
    keymap.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1))
    keymap.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=3))
    keymap.handle(down(pygame.K_w))
    keymap.handle(down(pygame.K_x))
    assert keymap.take().keys == ("forward", "attack")
    keymap.handle(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1))
    assert keymap.take().keys == ("forward",)


def test_motion_is_summed_scaled_and_taken_once(keymap):
    for event in (moved(4, 2), moved(6, -8)):
        keymap.handle(event)
    assert keymap.take().mouse == (5.0, 3.0)  # half a degree a pixel; up the screen is up
    assert keymap.take().mouse == (0.0, 0.0)


def test_motion_beyond_the_limit_is_carried_over_and_none_of_it_lost(keymap):
    keymap.handle(moved(-150, 0))  # 75 degrees at a limit of 30
    yaws = [keymap.take().mouse[0] for _ in range(4)]
    assert yaws == [-30.0, -30.0, -15.0, 0.0]


def test_the_carry_is_bounded(keymap):
    keymap.handle(moved(10_000, 0))
    assert sum(keymap.take().mouse[0] for _ in range(50)) == 30 * 3
    keymap.handle(moved(10_000, 0))
    keymap.take()
    keymap.handle(moved(-120, 0))  # turning back takes back what is carried
    assert keymap.take().mouse[0] == 0


def test_a_world_without_an_axis_never_gets_it():
    pygame.display.init()
    flat = Keymap(dataclasses.replace(WORLD, mouse={"yaw": MouseAxis(30.0)}), 0.5)
    flat.handle(moved(2, 50))
    assert flat.take().mouse == (1.0, 0.0)
    assert flat.take().mouse == (0.0, 0.0)


def test_losing_the_focus_releases_everything(keymap):
    for event in (down(pygame.K_w), moved(500, 0), pygame.event.Event(pygame.WINDOWFOCUSLOST)):
        keymap.handle(event)
    assert keymap.take() == Action()


def test_forgetting_keeps_what_is_still_held(keymap):
    for event in (down(pygame.K_w), down(pygame.K_e), up(pygame.K_e), moved(9, 9)):
        keymap.handle(event)
    keymap.forget()
    assert keymap.take() == Action(("forward",))


@pytest.mark.parametrize(("bind", "words"), [("warp key", "no keyboard has"), ("e", "taken"), ("r", "taken")])
def test_a_bind_that_cannot_be_is_one_sentence(bind, words):
    pygame.display.init()
    world = dataclasses.replace(WORLD, keys=[Key("use", ["e"]), Key("run", [bind])])
    with pytest.raises(WorldError, match=words):
        Keymap(world, 0.1, reserved=["r"])


def test_every_bind_of_every_shipped_world_can_be_pressed():
    pygame.display.init()
    for name in worlds.names():
        world = worlds.load(name)
        keymap = Keymap(world, 0.1, reserved=[key for key, _ in WINDOW_KEYS])
        for key in world.keys:
            for bind in key.bind:
                mouse = bind.startswith("mouse")
                kind = pygame.MOUSEBUTTONDOWN if mouse else pygame.KEYDOWN
                code = {"button": int(bind[5:])} if mouse else {"key": pygame.key.key_code(bind)}
                keymap.handle(pygame.event.Event(kind, code))
                assert keymap.take().keys == (key.name,), bind
                keymap.handle(pygame.event.Event(pygame.WINDOWFOCUSLOST))


def test_a_gamepad_holds_keys_beside_the_keyboard(keymap):
    keymap.hold("forward", ("axis", 1), True)
    keymap.hold("forward", ("button", 11), True)
    keymap.hold("fly", ("button", 3), True)
    keymap.hold("forward", ("axis", 1), False)
    assert [keymap.take().keys for _ in range(2)] == [("forward",)] * 2
    keymap.hold("forward", ("button", 11), False)
    assert keymap.take() == Action()


def test_a_stick_turns_until_it_is_let_go(keymap):
    keymap.look(0, 100.0)
    keymap.handle(moved(4, 0))
    assert [keymap.take().mouse[0] for _ in range(2)] == [7.0, 5.0]
    keymap.look(0, 2000.0)
    assert keymap.take().mouse[0] == 30.0
    keymap.let_go()
    keymap.forget()
    assert keymap.take() == Action()
