"""Window events into Actions: the only place that knows which key of the keyboard is which key of the world."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pygame

from engine.action import Action
from engine.errors import WorldError
from engine.world import World

# Motion beyond the world's limit is not lost but carried over, at most for so many frames: a wild flick
# must not turn the view for seconds.
MAX_CARRY_FRAMES = 2

Button = tuple[str, int]  # ("key", pygame's code) or ("mouse", number)


class Keymap:
    """Keys held, short taps and mouse motion since the last frame.

    `handle` is called by the window's thread, `take` by the generating one, just before each step.
    """

    def __init__(self, world: World, degrees_per_pixel: float, reserved: Collection[str] = ()):
        """`reserved`: pygame names of keys that the window itself answers.

        Raises WorldError for a bind that pygame does not know or that is reserved or given twice.
        """
        self._spec = world.action_spec
        self._degrees_per_pixel = degrees_per_pixel
        self._key_of: dict[Button, str] = {}
        for key in world.keys:
            for bind in key.bind:
                button = _button(bind, world.name, key.name)
                if bind in reserved or button in self._key_of:
                    raise WorldError(f"world {world.name}: {bind!r}, bound to {key.name!r}, is taken; bind another")
                self._key_of[button] = key.name
        self._lock = threading.Lock()
        self._held: set[Button] = set()
        self._tapped: set[str] = set()  # pressed since the last frame, perhaps released again
        self._motion = [0.0, 0.0]  # degrees not yet taken: yaw, pitch
        self._pad: set[tuple[tuple[str, int], str]] = set()  # what a gamepad holds: by which part, which key
        self._turning = [0.0, 0.0]  # degrees per frame that a stick turns: yaw, pitch
        self._rate = world.rate

    def hold(self, name: str, part: tuple[str, int], pressed: bool) -> None:
        """A gamepad's part presses or lets go of a key of the world; names that the world lacks are ignored."""
        with self._lock:
            if pressed and name in self._spec.keys:
                self._pad.add((part, name))
                self._tapped.add(name)
            else:
                self._pad.discard((part, name))

    def look(self, axis: int, degrees_per_s: float) -> None:
        """A gamepad's stick turns the view about an axis, 0 yaw or 1 pitch, from now on."""
        with self._lock:
            self._turning[axis] = degrees_per_s / self._rate

    def let_go(self) -> None:
        """The gamepad is gone, and what it held with it."""
        with self._lock:
            self._pad.clear()
            self._turning = [0.0, 0.0]

    def handle(self, event: pygame.event.Event) -> None:
        """Take note of an event; those that mean nothing to the world are ignored."""
        with self._lock:
            if event.type == pygame.KEYDOWN:
                self._press(("key", event.key))
            elif event.type == pygame.KEYUP:
                self._held.discard(("key", event.key))
            elif event.type == pygame.MOUSEBUTTONDOWN:
                self._press(("mouse", event.button))
            elif event.type == pygame.MOUSEBUTTONUP:
                self._held.discard(("mouse", event.button))
            elif event.type == pygame.MOUSEMOTION:
                self._motion[0] += event.rel[0] * self._degrees_per_pixel
                self._motion[1] -= event.rel[1] * self._degrees_per_pixel  # pixels count downwards, pitch up
            elif event.type == pygame.WINDOWFOCUSLOST:
                self._held.clear()  # their release will go to another window
                self._forget()

    def release(self) -> None:
        """Let go of everything that is held, and forget what was not taken: keys mean something else for a while."""
        self.let_go()
        with self._lock:
            self._held.clear()
            self._forget()

    def take(self) -> Action:
        """The action of the frame that is about to be made; what it takes is gone from here."""
        with self._lock:
            pressed = {self._key_of[button] for button in self._held} | self._tapped
            pressed |= {name for _, name in self._pad}
            keys = tuple(name for name in self._spec.keys if name in pressed)
            motion = [moved + turned for moved, turned in zip(self._motion, self._turning, strict=True)]
            action = self._spec.clip(Action(keys, (motion[0], motion[1])))
            self._tapped.clear()
            limits = [*self._spec.mouse_limits, 0.0, 0.0]
            for axis, (taken, limit) in enumerate(zip(action.mouse, limits, strict=False)):
                most = MAX_CARRY_FRAMES * limit
                self._motion[axis] = max(-most, min(most, motion[axis] - taken))
        return action

    def forget(self) -> None:
        """Drop taps and motion not yet taken, as after a pause; keys still held stay held."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._tapped.clear()
        self._motion = [0.0, 0.0]

    def _press(self, button: Button) -> None:
        name = self._key_of.get(button)
        if name is not None:
            self._held.add(button)
            self._tapped.add(name)


def _button(bind: str, world: str, key: str) -> Button:
    if bind.startswith("mouse") and bind[5:].isdigit():
        return "mouse", int(bind[5:])
    try:
        return "key", pygame.key.key_code(bind)
    except ValueError as error:
        raise WorldError(f"world {world}: key {key!r} is bound to {bind!r}, which no keyboard has") from error
