"""What the settings screen lets one choose from, setting by setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.play.view import SCALINGS


@dataclass(frozen=True)
class Choice:
    """One setting, and the values that are offered for it: from few to many where they are numbers."""

    name: str  # in Preferences
    label: str
    values: tuple[Any, ...]
    says: Callable[[Any], str]  # a value, as a person reads it
    hint: Callable[[Any], str]
    waits: bool = False  # while one plays, until the next start

    def beside(self, value: Any, by: int, wraps: bool) -> Any:
        """The value offered `by` places further, 1 or -1; `wraps`: the first comes after the last.

        From a value that is not offered it is the nearest in that direction.
        """
        if value in self.values:
            index = self.values.index(value) + by
        elif isinstance(value, (int, float)):
            below = sum(one is None or one < value for one in self.values)
            index = below if by > 0 else below - 1
        else:
            index = 0
        last = len(self.values) - 1
        return self.values[index % (last + 1) if wraps else max(0, min(last, index))]


CHOICES = (
    Choice(
        "device", "Device", ("auto", "cpu", "cuda"), str,
        lambda _: "what the network runs on; auto: a GPU where there is one", waits=True,
    ),
    Choice(
        "denoise_steps", "Denoise steps", (None, 1, 2, 3, 4),
        lambda value: "the checkpoint's own" if value is None else f"{value} a frame",
        lambda _: "how often the network goes over each frame; fewer are faster", waits=True,
    ),
    Choice(
        "sensitivity", "Mouse sensitivity", (0.03, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
        lambda value: f"{value:g}° a pixel", lambda _: "how far the view turns for each pixel of the mouse's way",
    ),
    Choice("scaling", "Scaling", tuple(SCALINGS), str, lambda value: SCALINGS[value]),
    Choice(
        "fullscreen", "Fullscreen", (False, True), lambda value: "on" if value else "off",
        lambda _: "F turns it on and off as well, in play and on the title screen",
    ),
    Choice(
        "autosave_seconds", "Autosave", (0.0, 30.0, 60.0, 120.0, 300.0),
        lambda value: f"every {value:g} s" if value else "when you quit",
        lambda _: "play is saved by itself, in one slot of each world",
    ),
)  # fmt: skip
