"""Contact sheets: rows of frames in one picture, to look at what a model draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as imageio
import numpy as np


def write_sheet(path: Path, rows: Sequence[np.ndarray], scale: int = 2) -> None:
    """Write rows of frames, uint8 [n, H, W, 3] each, one row above the other; every `scale`-th pixel is kept."""
    gap = 2
    lines = []
    for row in rows:
        small = row[:, ::scale, ::scale]
        framed = np.pad(small, ((0, 0), (0, gap), (0, gap), (0, 0)))
        lines.append(np.concatenate(list(framed), axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    imageio.imwrite(path, np.concatenate(lines, axis=0))
