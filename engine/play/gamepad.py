"""Gamepads: sticks to walk and look, buttons as keys of the world or of the window. SDL knows each make's layout."""

from __future__ import annotations

import math

import pygame
from pygame._sdl2 import controller

from engine.play.keymap import Keymap

FULL = 32767  # an axis at its end
DEAD_ZONE, PRESSED = 0.18, 0.5  # shares of an axis
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
# Which of the window's keys they stand for: while one plays, and on the title screen and the settings.
PLAY_KEYS = {
    pygame.CONTROLLER_BUTTON_START: pygame.K_p,
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
HELP = (
    ("walk, look", "sticks"),
    ("attack, use, run", "R, A, B"),
    ("rewind, keep moment", "hold L2, L1"),
    ("save, load", "X, Y"),
    ("pause, these keys", "Start, Back"),
    ("settings", "press right stick"),
)


class Gamepad:
    """Every pad that is plugged in, as one."""

    def __init__(self) -> None:
        controller.init()
        self._open: dict[int, controller.Controller] = {}
        self._rewinds = False

    def as_key(self, event: pygame.event.Event, in_menu: bool) -> pygame.event.Event:
        """The key event that a pad's event stands for, marked as a `pad`'s, or the event itself if it stands for none.

        `in_menu`: it chooses from something, and does not play.
        """
        if event.type == pygame.CONTROLLERDEVICEADDED and controller.is_controller(event.device_index):
            self._open[event.device_index] = controller.Controller(event.device_index)
        elif event.type == pygame.CONTROLLERBUTTONDOWN:
            key = (TITLE_KEYS if in_menu else PLAY_KEYS).get(event.button)
            if key is not None:
                return pygame.event.Event(pygame.KEYDOWN, key=key, pad=True)
        elif event.type == pygame.CONTROLLERAXISMOTION and event.axis == pygame.CONTROLLER_AXIS_TRIGGERLEFT:
            held = event.value > PRESSED * FULL
            if held != self._rewinds:
                self._rewinds = held
                if in_menu:
                    return event
                return pygame.event.Event(pygame.KEYDOWN if held else pygame.KEYUP, key=pygame.K_BACKSPACE)
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


def _look(share: float) -> float:
    """Degrees per second."""
    beyond = max(0.0, min(1.0, (abs(share) - DEAD_ZONE) / (1 - DEAD_ZONE)))
    return math.copysign(LOOK_DEGREES_PER_S * beyond**2, share)
