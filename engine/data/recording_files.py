"""The files of a recording, as they are found: whole, cut short by a kill, damaged, or made by somebody else."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from engine.errors import RecordingError, one_line, shown

FORMAT = 1
META = "recording.json"
# What no recording comes near, so that a file from elsewhere cannot ask for all of the memory or all of the day.
MOST_META_BYTES = 1 << 20
MOST_LINE_BYTES = 1 << 20
MOST_PIXELS = 8192  # on a side
RATES = (1e-2, 1e3)  # frames per second
MOST_DENOISE_STEPS = 1000
MOST_THREADS = 1 << 16


def find_file(folder: Path, name: str) -> Path | None:
    """The file `name` of the recording in `folder`, None if it has none.

    Raises RecordingError for what is not a plain file of that folder: a link to elsewhere, a pipe, a device.
    """
    path = folder / name
    try:
        if not path.is_symlink() and not path.exists():
            return None
        at_home = path.resolve(strict=True).parent == folder.resolve(strict=True)
        is_plain = stat.S_ISREG(path.stat().st_mode)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise RecordingError(f"cannot read {path}: {one_line(error)}") from error
    if not at_home or not is_plain:
        raise RecordingError(f"{path} is not a file of the recording's own; the recording is damaged")
    return path


def read_meta(folder: Path) -> dict[str, Any]:
    """What the recording in `folder` says of itself. Raises RecordingError."""
    path = find_file(folder, META)
    if path is None:
        raise RecordingError(f"there is no recording in {folder}")
    try:
        with path.open("rb") as file:
            blob = file.read(MOST_META_BYTES + 1)
        meta = json.loads(blob.decode()) if len(blob) <= MOST_META_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path} cannot be read: {one_line(error)}") from error
    found = meta.get("format") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or found != FORMAT:
        later = "; update the engine" if type(found) is int and found > FORMAT else ""
        raise RecordingError(f"{folder}: recording format {shown(found)} is not {FORMAT}{later}")
    for name, is_fine in FIELDS.items():
        if not is_fine(meta.get(name)):
            raise RecordingError(f"{path} is damaged: {name} is {shown(meta.get(name))}")
    return meta


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value <= MOST_PIXELS


FIELDS = {
    "keys": lambda value: isinstance(value, list) and all(isinstance(key, str) for key in value),
    "mouse_limits": lambda value: isinstance(value, list) and all(map(_is_number, value)),
    "height": _is_size,
    "width": _is_size,
    "rate": lambda value: _is_number(value) and RATES[0] <= value <= RATES[1],
    "denoise_steps": lambda value: value is None or (type(value) is int and 1 <= value <= MOST_DENOISE_STEPS),
    "threads": lambda value: value is None or (type(value) is int and 1 <= value <= MOST_THREADS),
}


def read_lines(path: Path, size: int) -> list[dict[str, Any]]:
    """The lines up to the first that is torn or out of order. Raises RecordingError if the file cannot be read."""
    lines: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            while row := file.readline(MOST_LINE_BYTES):
                try:
                    line = json.loads(row)
                except (ValueError, RecursionError):
                    break
                if not _is_whole(line, len(lines), size):
                    break
                lines.append(line)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    return lines


def _is_whole(line: Any, index: int, size: int) -> bool:
    def numbers(value: Any, count: int) -> bool:
        listed = isinstance(value, list) and len(value) == count
        return listed and all(_is_number(x) and not abs(x) > 3.4e38 for x in value)  # NaN may be

    return (
        isinstance(line, dict)
        and line.get("frame") == index
        and numbers(line.get("action"), size)
        and (line.get("pose", ()) is None or numbers(line.get("pose"), 4))
        and numbers([line.get("time_ms"), line.get("latency_ms")], 2)
        and isinstance(line.get("digest"), str)
        and isinstance(line.get("recall", {}), dict)
    )
