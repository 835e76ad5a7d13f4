"""Errors a user can mend: each message says what was wrong, the value, and the way out."""

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


class EngineError(Exception):
    """Anything a user of the engine did or met that stops the work; `str(error)` is one clear sentence."""


class ConfigError(EngineError):
    """A setting is unknown, of the wrong type, or out of range."""


class ActionError(EngineError):
    """An action names an unknown key, or its mouse motion is not a number within the world's range."""


class FrameError(EngineError):
    """A frame has the wrong size, type or value range."""


class WorldError(EngineError):
    """A world's definition cannot be found or read, or its game is not installed."""


class CheckpointError(EngineError):
    """A checkpoint is missing, truncated, of another world or of another shape."""


class RecordingError(EngineError):
    """A recording or an episode of footage cannot be written or read."""


class SessionError(EngineError):
    """A call came in the wrong order, such as `step` before `reset`."""


class SaveError(EngineError):
    """A saved session cannot be written or read, or belongs to another world or checkpoint."""


class TrainingError(EngineError):
    """A training that cannot come to anything as it is."""


def shown(value: Any) -> str:
    """A value found in a file, for a sentence about it: on one line, and short however long the value is."""
    return _SHORT.repr(value)


def one_line(error: Exception) -> str:
    """The text of another library's error, for a sentence that ends with it: on one line, and not long."""
    text = " ".join(str(error).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 300 else f"{text[:297]}..."
