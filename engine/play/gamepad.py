"""Gamepads: sticks to walk and look, buttons as keys of the world or of the window. SDL knows each make's layout."""

from __future__ import annotations

import math

import pygame
from pygame._sdl2 import controller

from engine.play.keymap import Keymap

FULL = 32767  # an axis at its end
DEAD_ZONE, PRESSED, LET_GO = 0.18, 0.5, 0.35  # shares of an axis
LOOK_DEGREES_PER_S = 220.0  # with the stick at its end; half of the way gives a quarter

# Which keys of a world, if it has them, a pad presses.
BUTTON_NAMES = {
    pygame.CONTROLLER_BUTTON_A: "use",
    pygame.CONTROLLER_BUTTON_B: "run",
    pygame.CONTROLLER_BUTTON_LEFTSTICK: "run",
    pygame.CONTROLLER_BUTTON_RIGHTSHOULDER: "attack",
    pygame.CONTROLLER_BUTTON_DPAD_UP: "forward",
    pygame.CONTROLLER_BUTTON_DPAD_DOWN: "back",
    pygame.CONTROLLER_BUTTON_DPAD_LEFT: "left",
    pygame.CONTROLLER_BUTTON_DPAD_RIGHT: "right",
}
AXIS_NAMES = {
    pygame.CONTROLLER_AXIS_LEFTX: ("left", "right"),
    pygame.CONTROLLER_AXIS_LEFTY: ("forward", "back"),
    pygame.CONTROLLER_AXIS_TRIGGERRIGHT: ("", "attack"),
}
# Which of the window's keys they stand for: while one plays, and in whatever one chooses from.
PLAY_KEYS = {
    pygame.CONTROLLER_BUTTON_START: pygame.K_RETURN,
    pygame.CONTROLLER_BUTTON_BACK: pygame.K_F1,
    pygame.CONTROLLER_BUTTON_X: pygame.K_F5,
    pygame.CONTROLLER_BUTTON_Y: pygame.K_F9,
    pygame.CONTROLLER_BUTTON_LEFTSHOULDER: pygame.K_b,
    pygame.CONTROLLER_BUTTON_RIGHTSTICK: pygame.K_F10,
}
TITLE_KEYS = {
    pygame.CONTROLLER_BUTTON_X: pygame.K_DELETE,
    pygame.CONTROLLER_BUTTON_Y: pygame.K_F10,
    pygame.CONTROLLER_BUTTON_RIGHTSHOULDER: pygame.K_TAB,
    pygame.CONTROLLER_BUTTON_A: pygame.K_RETURN,
    pygame.CONTROLLER_BUTTON_START: pygame.K_RETURN,
    pygame.CONTROLLER_BUTTON_B: pygame.K_ESCAPE,
    pygame.CONTROLLER_BUTTON_DPAD_UP: pygame.K_UP,
    pygame.CONTROLLER_BUTTON_DPAD_DOWN: pygame.K_DOWN,
    pygame.CONTROLLER_BUTTON_DPAD_LEFT: pygame.K_LEFT,
    pygame.CONTROLLER_BUTTON_DPAD_RIGHT: pygame.K_RIGHT,
}
TITLE_AXES = {
    pygame.CONTROLLER_AXIS_LEFTX: (pygame.K_LEFT, pygame.K_RIGHT),
    pygame.CONTROLLER_AXIS_LEFTY: (pygame.K_UP, pygame.K_DOWN),
    pygame.CONTROLLER_AXIS_TRIGGERLEFT: (None, pygame.K_PAGEUP),
    pygame.CONTROLLER_AXIS_TRIGGERRIGHT: (None, pygame.K_PAGEDOWN),
}
HELP = (
    ("walk, look", "sticks"),
    ("attack, use, run", "R1, A, B"),
    ("rewind, keep moment", "hold L2, L1"),
    ("save, load", "X, Y"),
    ("menu, these keys", "Start, Back"),
    ("settings", "press right stick"),
)


class Gamepad:
    """Every pad that is plugged in, as one."""

    def __init__(self) -> None:
        controller.init()
        self._open: dict[int, controller.Controller] = {}
        self._rewinds = False
        self._pushed: dict[int, int] = {}  # axes that stand for a key in a menu, and for which

    def as_key(self, event: pygame.event.Event, in_menu: bool) -> pygame.event.Event:
        """The key event that a pad's event stands for, marked as a `pad`'s, or the event itself if it stands for none.

        `in_menu`: it chooses from something, and does not play.
        """
        if not in_menu:
            self._pushed.clear()
        if event.type == pygame.CONTROLLERDEVICEADDED and controller.is_controller(event.device_index):
            self._open[event.device_index] = controller.Controller(event.device_index)
        elif event.type in (pygame.CONTROLLERBUTTONDOWN, pygame.CONTROLLERBUTTONUP):
            is_down = event.type == pygame.CONTROLLERBUTTONDOWN
            key = TITLE_KEYS.get(event.button) if in_menu else PLAY_KEYS.get(event.button) if is_down else None
            return event if key is None else _key(is_down, key)
        elif event.type == pygame.CONTROLLERAXISMOTION and in_menu:
            return self._push(event)
        elif event.type == pygame.CONTROLLERAXISMOTION and event.axis == pygame.CONTROLLER_AXIS_TRIGGERLEFT:
            held = event.value > PRESSED * FULL
            if held != self._rewinds:
                self._rewinds = held
                return pygame.event.Event(pygame.KEYDOWN if held else pygame.KEYUP, key=pygame.K_BACKSPACE)
        return event

    def _push(self, event: pygame.event.Event) -> pygame.event.Event:
        """A stick or a trigger in a menu: as a key, once for each time that it is pushed."""
        share, pushed = event.value / FULL, self._pushed.get(event.axis)
        if event.axis == pygame.CONTROLLER_AXIS_TRIGGERLEFT:
            self._rewinds = share > PRESSED  # so that it does not begin when the menu closes
        key = TITLE_AXES.get(event.axis, (None, None))[share > 0] if abs(share) > PRESSED else None
        if key is not None and key != pushed:
            self._pushed[event.axis] = key
            return _key(True, key)
        if pushed is not None and abs(share) < LET_GO:
            del self._pushed[event.axis]
            return _key(False, pushed)
        return event

    def play(self, event: pygame.event.Event, keymap: Keymap) -> None:
        """Let the keymap know what a pad's event presses or turns in the world."""
        if event.type == pygame.CONTROLLERAXISMOTION:
            share = event.value / FULL
            for name, pressed in zip(AXIS_NAMES.get(event.axis, ()), (share < -PRESSED, share > PRESSED), strict=False):
                keymap.hold(name, ("axis", event.axis), pressed)
            if event.axis == pygame.CONTROLLER_AXIS_RIGHTX:
                keymap.look(0, _look(share))
            elif event.axis == pygame.CONTROLLER_AXIS_RIGHTY:
                keymap.look(1, -_look(share))
        elif event.type in (pygame.CONTROLLERBUTTONDOWN, pygame.CONTROLLERBUTTONUP):
            pressed = event.type == pygame.CONTROLLERBUTTONDOWN
            keymap.hold(BUTTON_NAMES.get(event.button, ""), ("button", event.button), pressed)
        elif event.type == pygame.CONTROLLERDEVICEREMOVED:
            keymap.let_go()


def _key(is_down: bool, key: int) -> pygame.event.Event:
    return pygame.event.Event(pygame.KEYDOWN if is_down else pygame.KEYUP, key=key, pad=True)


def _look(share: float) -> float:
    """Degrees per second."""
    beyond = max(0.0, min(1.0, (abs(share) - DEAD_ZONE) / (1 - DEAD_ZONE)))
    return math.copysign(LOOK_DEGREES_PER_S * beyond**2, share)
