"""What the generating thread tells the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.model.recall import Recall

if TYPE_CHECKING:
    from engine.core import Engine
    from engine.session import Attended


NOTE_S, LETTERS_PER_S = 4.0, 12.0  # how long a sentence is shown: this long, or longer where there is more to read
GENERATED, REAL, BOTH = "generated", "real", "both"  # what a view shows
# Ways in which it is brought to the window's size.
SCALINGS = {
    "smooth": "as large as the window, blended",
    "sharp": "as large as the window, square pixels",
    "whole": "a whole multiple of the frame, every pixel of one size",
}


@dataclass(frozen=True)
class MemoryView:
    """The memory that a frame was drawn from."""

    attended: tuple[Attended, ...]
    places: np.ndarray  # float32 [entries, 3]: x, y, angle in degrees that each entry was seen from
    recall: Recall
    num_slots: int  # for entries to be attended to


def memory_view(engine: Engine, weigh: bool) -> MemoryView:
    """The memory that an engine's present frame was drawn from. weigh: have the next one measure its attention."""
    return MemoryView(tuple(engine.attended(weigh)), engine.places, engine.recall, engine.memory_slots)


@dataclass(frozen=True)
class View:
    """A frame, and all that the window shows about it."""

    frame: np.ndarray  # uint8 [height, width, 3]
    number: int = 0  # frames since the start scene
    session: int = 0  # another one after each new start or loaded save
    start: int = 0
    latency_ms: float = 0.0
    frames_per_s: float = 0.0
    is_slow: bool = False
    recording: Path | None = None
    info: Mapping[str, Any] = field(default_factory=dict)  # the step's
    consistency: float | None = None  # how like a place looks to when it was seen before, 0..1; None if it was not
    memory: MemoryView | None = None  # None while nothing shows it
    shows: str = GENERATED
    real: np.ndarray | None = None  # the real game's frame at the same moment; None while it is not shown or on its way

    @property
    def picture(self) -> np.ndarray:
        """What is to be seen: one frame, uint8 [height, width, 3], or both side by side, [height, 2 width, 3]."""
        if self.real is None or self.shows == GENERATED:
            return self.frame
        return self.real if self.shows == REAL else np.concatenate([self.frame, self.real], axis=1)


@dataclass(frozen=True)
class Note:
    """A sentence for the player, and when it was said (time.monotonic)."""

    text: str = ""
    said: float = float("-inf")

    @property
    def gone(self) -> float:
        """When it has been shown long enough to be read."""
        return self.said + max(NOTE_S, len(self.text) / LETTERS_PER_S)
