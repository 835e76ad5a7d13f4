"""Going back in time, faster and faster while a key is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from engine.core import Engine

# Frames back for each step of rewinding: one more after every so many steps, so that a minute goes by in seconds.
FRAMES, MOST, FASTER_AFTER = 2, 16, 8


class Rewind:
    """One time of going back, and how far it went."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._steps = self._frames = 0

    def __str__(self) -> str:
        return f"{self._frames / self._engine.world.rate:.1f} s back"

    def step(self) -> tuple[int, np.ndarray | None]:
        """Go back further: by how many frames, and the frame that is present then; 0 and None where it ends."""
        self._steps += 1
        frames = min(MOST, FRAMES + self._steps // FASTER_AFTER, self._engine.rewindable_frames)
        self._frames += frames
        return frames, self._engine.rewind(frames=frames) if frames else None
