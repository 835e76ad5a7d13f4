"""The menu over the frame: all that the window's keys do, and what each of them is for."""

from __future__ import annotations

from enum import Enum

import pygame

from engine.play.bindings import WINDOW_KEYS, short
from engine.play.menu import Item, Menu

ELSEWHERE = ("return", "backspace", "escape", "p")  # keys that the menu itself stands for, or that are held
SAYS = {
    "r": "each frame and key, to play again or to show as a video",
    "f5": "over the last quick save; play also saves itself",
    "f9": "goes back to the last quick save",
    "f11": "a place of its own, on the title screen",
    "b": "a branch: to come back to it with G, or from the title screen",
    "g": "plays on from there, another way if you like",
    "n": "another place of this world; what was seen here is forgotten",
    "m": "without it the network forgets what is out of sight: turn around and see",
    "tab": "plays the game that the network learned from, from this moment on",
    "f7": "the game that the network learned from beside what it draws",
    "f12": "the picture alone, without panels",
    "f1": "and those of the world and of a gamepad",
    "f2": "frames a second, time of a frame, memory held",
    "f3": "where you have been, and what is remembered",
    "f4": "how long each frame took to draw",
    "f6": "the pictures that this frame is drawn from; click to pin, right click to forget",
    "f8": "smooth, sharp, or whole pixels",
    "f10": "device, denoise steps, mouse, scaling, keys",
}


class Leave(Enum):
    """Where the menu leads to but back to play."""

    TITLE = "to the title screen"
    QUIT = "quit"


Chosen = int | Leave  # one of the window's keys, by pygame's code, or the way out


class PlayMenu(Menu):
    """Two columns of things to do; the first one is to play on, which chooses nothing."""

    def __init__(self, has_title: bool):
        """`has_title`: there is a title screen to go to."""
        items = [Item("play on", None, "Esc", "hold Backspace in play to go back in time")]
        for name, what in WINDOW_KEYS:
            if name not in ELSEWHERE:
                items.append(Item(what, pygame.key.key_code(name), short(name), SAYS.get(name, "")))
        ways = [way for way in Leave if has_title or way is not Leave.TITLE]
        items += [Item(way.value, way, says="this session is saved as 'autosave' first") for way in ways]
        super().__init__(items, columns=2)
