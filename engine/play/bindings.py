"""Which key means what: the window's own keys, and a world's as the player wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pygame

from engine.errors import WorldError
from engine.play.keymap import Keymap
from engine.play.panel import BETWEEN
from engine.world import World

WINDOW_KEYS = (
    ("return", "menu"),
    ("r", "record on, off"),
    ("f5", "save"),
    ("f9", "load what was saved"),
    ("f11", "save under a name"),
    ("b", "keep this moment"),
    ("g", "go to the moment kept last"),
    ("backspace", "hold: rewind"),
    ("n", "next start scene"),
    ("p", "pause"),
    ("m", "memory off, on"),
    ("tab", "real game, generated world"),
    ("f7", "both side by side, or one"),
    ("f", "fullscreen"),
    ("f12", "screenshot"),
    ("f1", "these keys"),
    ("f2", "figures on, off"),
    ("f3", "map on, off"),
    ("f4", "latency graph on, off"),
    ("f6", "memory panel on, off"),
    ("f8", "way of scaling"),
    ("f10", "settings"),
    ("escape", "free the mouse; again: quit"),
)
SHORT = {
    "escape": "Esc",
    "backspace": "Backspace",
    "return": "Enter",
    "tab": "Tab",
    "space": "Space",
    "mouse1": "left button",
    "mouse2": "middle button",
    "mouse3": "right button",
    "mouse4": "wheel up",
    "mouse5": "wheel down",
}


def short(bind: str) -> str:
    """A key as a person reads it."""
    return SHORT.get(bind, bind.upper() if len(bind) == 1 or bind[1:].isdigit() else bind)


def key_line(world: World) -> str:
    """What one plays a world with, in a line whose end may be left out."""
    keys = [f"{short(key.bind[0])} {key.name}" for key in world.keys if key.bind]
    return BETWEEN.join(["in play: F1 all keys", "Enter menu", *["mouse looks"] * bool(world.mouse), *keys])


def keymap(world: World, degrees_per_pixel: float) -> Keymap:
    """A keymap beside the window's own keys. Raises WorldError as Keymap does."""
    return Keymap(world, degrees_per_pixel, reserved=[key for key, _ in WINDOW_KEYS])


def bound(world: World, binds: Mapping[str, Sequence[str]]) -> tuple[World, str]:
    """The world with a player's binds in place of its own; if they cannot be, with its own and a sentence."""
    names = [key.name for key in world.keys]
    unknown = next((name for name in binds if name not in names), None)
    if unknown is not None:
        return world, f"your keys are not used: world {world.name} has no key {unknown!r} (it has {', '.join(names)})"
    own = replace(world, keys=[replace(key, bind=list(binds.get(key.name, key.bind))) for key in world.keys])
    try:
        keymap(own, 1.0)
    except WorldError as error:
        return world, f"your keys are not used: {error}"
    return own, ""


def changed(world: World, own: World) -> dict[str, list[str]]:
    """What `bound` makes `own` of the world by: the binds that differ."""
    pairs = zip(world.keys, own.keys, strict=True)
    return {mine.name: list(mine.bind) for usual, mine in pairs if mine.bind != usual.bind}


def rebind(world: World, name: str, place: int, bind: str) -> tuple[World, str]:
    """The world with a bind for the key `name` at a place among its binds, and a sentence about it.

    What the window answers stays the window's. What another key of the world had is taken from it; if that was all it
    had, it gets what was at the place before.
    """
    taken = dict(WINDOW_KEYS)
    if bind in taken:
        return world, f"{short(bind)} is the window's ({taken[bind]}): press another key"
    table = {key.name: list(key.bind) for key in world.keys}
    holder = next((other for other, held in table.items() if bind in held), None)
    mine = table[name]
    before = mine[place] if place < len(mine) else None
    if before == bind:
        return world, f"{short(bind)} is for {name} already"
    says = f"{short(bind)} is for {name} now"
    if holder == name:
        mine.remove(bind)
        place = min(place, len(mine))
    elif holder:
        table[holder].remove(bind)
        if table[holder]:
            says += f", no longer for {holder}"
        elif before:
            table[holder].append(before)
            says += f", and {short(before)} for {holder}"
        else:
            says += f"; {holder} has no key left: choose one"
    mine[place : place + 1] = [bind]
    return replace(world, keys=[replace(key, bind=table[key.name]) for key in world.keys]), says


def unbind(world: World, name: str, place: int) -> tuple[World, str]:
    """The world without the bind at a place of the key `name`, and a sentence about it."""
    mine = next(list(key.bind) for key in world.keys if key.name == name)
    if place >= len(mine):
        return world, ""
    gone = mine.pop(place)
    says = f"{short(gone)} is for nothing now" + ("" if mine else f"; {name} has no key left: choose one")
    keys = [replace(key, bind=mine) if key.name == name else key for key in world.keys]
    return replace(world, keys=keys), says


def pressed(event: pygame.event.Event) -> str | None:
    """The bind that an event of the keyboard or the mouse presses, None if it presses nothing that has a name."""
    if event.type == pygame.MOUSEBUTTONDOWN:
        return f"mouse{event.button}"
    name = pygame.key.name(event.key)
    try:
        return name if name and pygame.key.key_code(name) == event.key else None
    except ValueError:
        return None
