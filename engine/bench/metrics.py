"""How like two pictures are, and what one picture is like: the figures that every bench prints.

Frames are uint8 RGB [..., height, width, 3], as numpy arrays or torch tensors; results are float64 [...],
one number per frame, so that the caller decides what to average.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, FrameError

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5  # pixels
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
FLIP_PIXELS_PER_DEGREE = 67.0  # the published default: a 0.7 m wide 4K display seen from 0.7 m
CHUNK = 8  # frames held in float64 at once, by each thread
MAX_THREADS = 16


def psnr(frames: Any, truth: Any, ceiling: float = math.inf) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, float64 [...]: 10 log10(255^2 / mean squared error over a frame).

    Equal frames score `ceiling`, and none scores more; give a finite one before averaging.
    """
    return np.minimum(_per_frame(_psnr, frames, truth), ceiling)


def ssim(frames: Any, truth: Any) -> np.ndarray:
    """Structural similarity of the luminance, float64 [...], 1 for equal frames.

    Gaussian window of 11 pixels and sigma 1.5, K1 = .01, K2 = .03, population covariance, averaged over
    the windows that lie inside the frame (Wang et al. 2004, eq. 13). Raises FrameError for frames
    smaller than the window.
    """
    return _per_frame(_ssim, frames, truth)


def flip(frames: Any, truth: Any) -> np.ndarray:
    """Mean LDR-FLIP error (Andersson et al. 2020), float64 [...]: 0 for equal frames, at most 1.

    Raises EngineError unless the package flip-evaluator is installed.
    """
    return _per_frame(_flip, frames, truth)


METRICS: dict[str, Callable[[Any, Any], np.ndarray]] = {"psnr": psnr, "ssim": ssim, "flip": flip}
LOWER_IS_BETTER = {"flip"}


def match(frames: Any, truth: Any, by: str = "psnr") -> np.ndarray:
    """For each of `frames` [num_frames, ...] the index of the most like of `truth` [num_true, ...]: int64 [num_frames].

    The matching of MAG-Bench (arXiv 2512.18741), many to one: a frozen picture scores well under it, so it
    stands beside frame-aligned figures and never in their place.
    """
    if by not in METRICS:
        raise EngineError(f"there is no metric {by!r} (metrics: {', '.join(METRICS)})")
    generated, true = _pixels(frames), _pixels(truth)
    if generated.ndim != 4 or true.ndim != 4 or not len(true):
        raise FrameError(f"matching takes two lists of frames, not {list(generated.shape)} and {list(true.shape)}")
    sign = -1.0 if by in LOWER_IS_BETTER else 1.0
    best = [np.argmax(sign * METRICS[by](np.broadcast_to(frame, true.shape), true)) for frame in generated]
    return np.array(best, dtype=np.int64)


@dataclass(frozen=True)
class Statistics:
    """What frames [...] look like, to set beside real footage; all on the scale 0 to 255."""

    mean: np.ndarray  # float64 [..., 3]: of each colour channel
    std: np.ndarray  # float64 [..., 3]: of each colour channel, over the pixels of a frame
    sharpness: np.ndarray  # float64 [...]: mean absolute Laplacian (4 neighbours) of the luminance


def statistics(frames: Any) -> Statistics:
    """Colour moments and sharpness of each frame: drift shows as their slope over a rollout."""
    pixels = _pixels(frames)
    leading = pixels.shape[:-3]
    if not pixels.size:
        raise FrameError(f"there are no pixels in frames of shape {list(pixels.shape)}")
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for part in _chunks(pixels):
        values = part.astype(np.float64)
        light = values @ LUMA
        inner = light[:, 1:-1, 1:-1]
        around = light[:, :-2, 1:-1] + light[:, 2:, 1:-1] + light[:, 1:-1, :-2] + light[:, 1:-1, 2:]
        rows.append((values.mean((1, 2)), values.std((1, 2)), np.abs(around - 4 * inner).mean((1, 2))))
    mean, std, sharpness = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Statistics(mean.reshape(*leading, 3), std.reshape(*leading, 3), sharpness.reshape(leading))


def _psnr(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    error = (frames.astype(np.int32) - truth) ** 2
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error.mean((1, 2, 3)))


def _ssim(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    if min(frames.shape[1:3]) < SSIM_WINDOW:
        raise FrameError(f"SSIM needs frames of at least {SSIM_WINDOW} pixels a side, not {frames.shape[1:3]}")
    x, y = frames @ LUMA, truth @ LUMA
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    cov = _blur(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + SSIM_C1) * (2 * cov + SSIM_C2)
    return (likeness / ((mean_x**2 + mean_y**2 + SSIM_C1) * (var_x + var_y + SSIM_C2))).mean((1, 2))


def _blur(image: np.ndarray) -> np.ndarray:
    """[n, height, width] -> [n, height - 10, width - 10]: the Gaussian window wherever it fits."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        image = np.lib.stride_tricks.sliding_window_view(image, SSIM_WINDOW, axis) @ weights
    return image


def _flip(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    try:
        import flip_evaluator
    except ImportError as error:
        raise EngineError("FLIP is not installed: pip install flip-evaluator") from error
    setting = {"ppd": FLIP_PIXELS_PER_DEGREE}
    pairs = zip(truth.astype(np.float32) / 255, frames.astype(np.float32) / 255, strict=True)
    found = [flip_evaluator.evaluate(true, frame, "LDR", applyMagma=False, parameters=setting) for true, frame in pairs]
    return np.array([mean for _, mean, _ in found], dtype=np.float64)


def _per_frame(metric: Callable[[np.ndarray, np.ndarray], np.ndarray], frames: Any, truth: Any) -> np.ndarray:
    a, b = _pixels(frames), _pixels(truth)
    if a.shape != b.shape:
        raise FrameError(f"frames to compare must have one shape, not {list(a.shape)} and {list(b.shape)}")
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:  # numpy lets others run as it computes
        scores = list(pool.map(metric, _chunks(a), _chunks(b)))
    return np.concatenate(scores).reshape(a.shape[:-3]) if scores else np.zeros(a.shape[:-3])


def _pixels(frames: Any) -> np.ndarray:
    """The frames as a numpy array, from any device. Raises FrameError unless uint8 [..., height, width, 3]."""
    array = np.asarray(frames.cpu() if hasattr(frames, "cpu") else frames)
    if array.dtype != np.uint8 or array.ndim < 3 or array.shape[-1] != 3:
        raise FrameError(f"frames are uint8 [..., height, width, 3], not {array.dtype} {list(array.shape)}")
    return array


def _chunks(frames: np.ndarray) -> Iterator[np.ndarray]:
    flat = frames.reshape(-1, *frames.shape[-3:])
    for start in range(0, len(flat), CHUNK):
        yield flat[start : start + CHUNK]
