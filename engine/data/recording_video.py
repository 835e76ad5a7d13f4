"""The video of a recording: read as the one kind of file that a recorder writes, whatever it may claim to be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from engine.errors import RecordingError

START_S, FRAME_S = 60.0, 0.25  # how long ffmpeg may take before a video counts as damaged
MARGIN = 64  # pixels that an encoder may add to a side


def source(path: Path, height: int, width: int) -> list[str]:
    """ffmpeg's options to read the video file `path` of frames of that size.

    ffmpeg would take a list of other files or addresses for a video too, and frames as large as it says.
    """
    most_pixels = (height + MARGIN) * (width + MARGIN)
    return [
        *("-protocol_whitelist", "file", "-f", "mov", "-max_pixels", str(most_pixels)),
        *("-i", f"file:{path}"),
    ]


def count_frames(path: Path, height: int, width: int, most: int) -> int:
    """How many frames of the video can be decoded, up to `most`."""
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-progress", "pipe:1"),
        *source(path, height, width),
        *("-map", "0:v:0", "-fps_mode", "passthrough", "-frames:v", str(most), "-f", "null", "-"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=START_S + FRAME_S * most)
    except (OSError, RuntimeError, subprocess.TimeoutExpired):
        return 0
    counts = re.findall(rb"^frame=\s*(\d+)$", done.stdout, re.MULTILINE)
    return min(int(counts[-1]), most) if counts else 0  # none: killed before the first fragment was whole, or no video


def read(path: Path, height: int, width: int, seconds: float) -> Iterator[np.ndarray]:
    """The frames from a time on, uint8 RGB [height, width, 3]. Raises RecordingError if they cannot be decoded."""
    before, (option, file) = source(path, height, width)[:-2], source(path, height, width)[-2:]
    assert option == "-i"
    reader = imageio_ffmpeg.read_frames(
        file, input_params=["-ss", f"{seconds:.6f}", *before], output_params=["-fps_mode", "passthrough"]
    )
    try:
        size = next(reader)["size"]
        if tuple(size) != (width, height):
            raise RecordingError(f"{path.parent}: the video is not {width}x{height}; the recording is damaged")
        for blob in reader:
            yield np.frombuffer(blob, dtype=np.uint8).reshape(height, width, 3)
    except (OSError, RuntimeError, StopIteration, ValueError, IndexError, KeyError, AssertionError) as error:
        raise RecordingError(f"{path.parent}: the video cannot be decoded; the recording is damaged") from error
    finally:
        reader.close()
