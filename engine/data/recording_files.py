"""The files of a recording, as they are found: whole, cut short by a kill, or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from engine.errors import RecordingError

FORMAT = 1


def read_meta(path: Path) -> dict[str, Any]:
    """What the recording in the folder `path` says of itself. Raises RecordingError."""
    try:
        meta = json.loads((path / "recording.json").read_text())
    except FileNotFoundError as error:
        raise RecordingError(f"there is no recording in {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path}/recording.json cannot be read: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else meta
        raise RecordingError(f"{path}: recording format {found!r} is not {FORMAT}")
    for name, kind in {"keys": list, "mouse_limits": list, "height": int, "width": int, "rate": (int, float)}.items():
        value = meta.get(name)
        if not isinstance(value, kind) or (kind is not list and not value > 0):  # type: ignore[operator]
            raise RecordingError(f"{path}/recording.json is damaged: {name} is {value!r}")
    return meta


def read_lines(path: Path, size: int) -> list[dict[str, Any]]:
    """The lines up to the first that is torn or out of order. Raises RecordingError if the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    lines: list[dict[str, Any]] = []
    for row in text.split("\n"):
        try:
            line = json.loads(row)
        except (ValueError, RecursionError):
            break
        if not _is_whole(line, len(lines), size):
            break
        lines.append(line)
    return lines


def _is_whole(line: Any, index: int, size: int) -> bool:
    def numbers(value: Any, count: int) -> bool:
        listed = isinstance(value, list) and len(value) == count
        return listed and all(isinstance(x, (int, float)) and not abs(x) > 3.4e38 for x in value)  # NaN may be

    return (
        isinstance(line, dict)
        and line.get("frame") == index
        and numbers(line.get("action"), size)
        and (line.get("pose", ()) is None or numbers(line.get("pose"), 4))
        and numbers([line.get("time_ms"), line.get("latency_ms")], 2)
        and isinstance(line.get("digest"), str)
        and isinstance(line.get("recall", {}), dict)
    )


def count_video_frames(path: Path) -> int:
    """How many frames of a video file are whole."""
    try:
        return imageio_ffmpeg.count_frames_and_secs(str(path))[0] or 0
    except (OSError, RuntimeError):
        return 0  # killed before the first fragment was whole, or not a video
