"""A world to turn in whose pictures are known: a panorama far away, seen through a pinhole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.bench.matching import Lens


def panorama(seed: int, columns: int = 720) -> np.ndarray:
    """float [120, columns, 3], 0..255: smooth blobs all around; rows are heights of -1.2..1.2 of the distance."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.fft2(random.standard_normal((120, columns, 3)), axes=(0, 1))
    low = np.hypot(np.fft.fftfreq(120)[:, None] * 120, np.fft.fftfreq(columns)[None] * columns / 3) < 14
    smooth = np.fft.ifft2(spectrum * low[..., None], axes=(0, 1)).real
    return 127.5 + 127.5 * np.tanh(smooth / smooth.std())


def seen(scene: np.ndarray, headings: Sequence[float], lens: Lens, height: int, width: int) -> np.ndarray:
    """uint8 [n, height, width, 3]: what a camera sees of it that looks to each heading, degrees to the right."""
    x = ((np.arange(width) + 0.5) * 2 / width - 1) * lens.half
    y = ((np.arange(height) + 0.5) * 2 / height - 1) * lens.tall
    rows = (y[:, None] / np.sqrt(1 + x**2) / 1.2 + 1) / 2 * len(scene) - 0.5
    up = np.clip(rows.round().astype(int), 0, len(scene) - 1)
    frames = []
    for heading in headings:
        around = (np.arctan(x) + np.deg2rad(heading)) / (2 * np.pi) * scene.shape[1]
        left, share = np.floor(around).astype(int), (around % 1)[None, :, None]
        one, other = (scene[up, (left + step)[None] % scene.shape[1]] for step in (0, 1))
        frames.append(np.clip(one * (1 - share) + other * share, 0, 255).astype(np.uint8))
    return np.stack(frames)
