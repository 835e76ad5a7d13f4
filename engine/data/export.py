"""A recording as something to show: an mp4 that plays everywhere, a GIF, or a PNG for each frame."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from dataclasses import dataclass
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
    check_kind(kind, every)
    recording = open_recording(path)
    shot = Shot(recording.path / VIDEO_FILE, *recording.frame_size, len(recording), recording.meta["rate"])
    return write(shot, kind, every, Path(out) if out else default_out(recording.path, "export", kind))


@dataclass(frozen=True)
class Shot:
    """A video to show elsewhere."""

    video: Path
    height: int
    width: int
    num_frames: int
    rate: float  # frames per second


def check_kind(kind: str, every: int) -> None:
    """Raise ConfigError for a kind of file that is not made, or for no number of frames."""
    if kind not in MAKERS:
        raise ConfigError(f"a recording is exported as {', '.join(MAKERS)}, not {kind!r}")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ConfigError(f"one frame of at least 1 is exported, not of {every!r}")


def default_out(folder: Path, name: str, kind: str) -> Path:
    """Where an export goes if nothing else is said: into the recording's folder; PNGs into a folder of their own."""
    return folder / (name if kind == "png" else f"{name}.{kind}")


def write(shot: Shot, kind: str, every: int, out: Path) -> Path:
    """Write a shot to `out`, whole or not at all, and return that. Raises RecordingError."""
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        if kind == "png":
            part.mkdir()
        _convert(shot, kind, every, part)
        _remove(out)
        os.replace(part, out)
    except OSError as error:
        raise RecordingError(f"cannot export to {out}: {error.strerror or error}") from error
    return out


def _convert(shot: Shot, kind: str, every: int, part: Path) -> None:
    """Have ffmpeg write one of `every` frames to `part`."""
    filters, options = MAKERS[kind]
    count, rate = math.ceil(shot.num_frames / every), shot.rate / every
    chosen = f"select=not(mod(n\\,{every})),setpts=N/({rate:g}*TB)"
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-nostdin"),
        *recording_video.source(shot.video, shot.height, shot.width),
        *("-vf", chosen + filters, "-r", f"{rate:g}", "-frames:v", str(count), "-an", *options),
        *(("-start_number", "0", str(part / "frame_%05d.png")) if kind == "png" else (str(part),)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        _remove(part)
        reason = (done.stderr.strip().splitlines() or ["ffmpeg gave no reason"])[-1]
        raise RecordingError(f"{shot.video.parent} cannot be exported as {kind}: {reason}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
