"""Screenshots: the frame as the network drew it, without anything over it, in a PNG."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pygame

from engine.errors import RecordingError


def write(frame: np.ndarray, folder: Path, world: str) -> Path:
    """Write a frame, uint8 [height, width, 3], to a new file in `folder`. Raises RecordingError if it cannot be."""
    height, width = frame.shape[:2]
    picture = pygame.image.frombuffer(np.ascontiguousarray(frame).data, (width, height), "RGB")
    name = time.strftime(f"{world}-%Y%m%d-%H%M%S")
    path, number = folder / f"{name}.png", 2
    while path.exists():
        path = folder / f"{name}-{number}.png"
        number += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pygame.image.save(picture, str(path))
    except (OSError, pygame.error) as error:
        raise RecordingError(f"no picture can be written to {folder}: {error}") from error
    return path
