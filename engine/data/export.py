"""A recording as something to show: an mp4 that plays everywhere, a GIF, or a PNG for each frame."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

from engine.data import recording_video
from engine.data.recording import VIDEO_FILE, open_recording
from engine.errors import ConfigError, RecordingError

# What comes after the frames have been chosen. A GIF has 256 colours, which are chosen for all of its frames; an mp4 in
# 4:2:0 is what phones and browsers expect, and has sides of even length.
MAKERS: dict[str, tuple[str, list[str]]] = {
    "gif": (",split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=4", ["-f", "gif"]),
    "mp4": (
        ",pad=ceil(iw/2)*2:ceil(ih/2)*2",
        ["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"],
    ),
    "png": ("", ["-f", "image2"]),
}


def export(path: Path | str, kind: str, every: int = 1, out: Path | str | None = None) -> Path:
    """Write the recording in the folder `path` as "mp4", "gif" or "png", one of `every` frames; returns where.

    By default that is export.mp4 or export.gif in the recording's folder, and for "png" the folder export, of
    frame_00000.png and so on, numbered as shown. It plays as fast as it was played. Raises ConfigError for
    another kind, RecordingError for what cannot be read or written.
    """
    if kind not in MAKERS:
        raise ConfigError(f"a recording is exported as {', '.join(MAKERS)}, not {kind!r}")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ConfigError(f"one frame of at least 1 is exported, not of {every!r}")
    recording = open_recording(path)
    default = recording.path / ("export" if kind == "png" else f"export.{kind}")
    out = Path(out) if out else default
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        if kind == "png":
            part.mkdir()
        count = math.ceil(len(recording) / every)
        size = recording.meta["height"], recording.meta["width"]
        _convert(recording.path / VIDEO_FILE, size, kind, every, count, recording.meta["rate"] / every, part)
        _remove(out)
        os.replace(part, out)
    except OSError as error:
        raise RecordingError(f"cannot export to {out}: {error.strerror or error}") from error
    return out


def _convert(video: Path, size: tuple[int, int], kind: str, every: int, count: int, rate: float, part: Path) -> None:
    """Have ffmpeg write `count` frames of size (height, width) to `part`, shown at `rate` frames per second."""
    filters, options = MAKERS[kind]
    chosen = f"select=not(mod(n\\,{every})),setpts=N/({rate:g}*TB)"
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-nostdin"),
        *recording_video.source(video, *size),
        *("-vf", chosen + filters, "-r", f"{rate:g}", "-frames:v", str(count), "-an", *options),
        *(("-start_number", "0", str(part / "frame_%05d.png")) if kind == "png" else (str(part),)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        _remove(part)
        reason = (done.stderr.strip().splitlines() or ["ffmpeg gave no reason"])[-1]
        raise RecordingError(f"{video.parent} cannot be exported as {kind}: {reason}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
