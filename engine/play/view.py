"""What the generating thread tells the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


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


@dataclass(frozen=True)
class Note:
    """A sentence for the player, and when it was said (time.monotonic)."""

    text: str = ""
    said: float = float("-inf")
