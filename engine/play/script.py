"""Scripts: actions written down in advance, to play without hands."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.action import Action, ActionSpec
from engine.errors import ActionError, ConfigError

MOST_FRAMES = 10**9
ENTRY_KEYS = ("keys", "mouse", "frames")


@dataclass(frozen=True)
class Entry:
    """One action held for some frames."""

    action: Action
    frames: int = 1


# Walks on, looks both ways, steps aside and turns about: a world with only some of these keys gets that part.
TOUR = (
    Entry(Action(("forward",), (0.0, 0.0)), 30),
    Entry(Action(("forward",), (3.0, 0.0)), 20),
    Entry(Action((), (-4.0, 0.0)), 25),
    Entry(Action(("forward",), (1.0, 0.0)), 30),
    Entry(Action(("right",), (-2.0, 0.0)), 15),
    Entry(Action(("forward", "run"), (0.0, 0.0)), 20),
    Entry(Action((), (6.0, 0.0)), 30),
    Entry(Action(("forward",), (-2.0, 0.0)), 30),
)


def read(path: Path | str) -> list[Entry]:
    """The entries of a script file, YAML or JSON: [{keys: [forward], mouse: [6, 0], frames: 20}, ...].

    Every part of an entry may be left out: no keys, a still mouse, one frame. Mouse motion is
    degrees per frame, (yaw) or (yaw, pitch). Raises ConfigError, and ActionError for its actions.
    """
    try:
        rows = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the script {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"the script {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"the script {path} must be a list of entries such as {{keys: [forward], frames: 20}}")
    return [_entry(row, f"{path}, entry {number}") for number, row in enumerate(rows, 1)]


def actions(entries: list[Entry] | None, spec: ActionSpec) -> Iterator[Action]:
    """The actions of a script, one per frame, repeated without end; the tour if it is None.

    Raises ActionError at once if the world cannot take one of a script's actions.
    """
    if entries is None:
        entries = [Entry(_fitted(entry.action, spec), entry.frames) for entry in TOUR]
    for entry in entries:
        spec.validate(entry.action)
    held = (itertools.repeat(entry.action, entry.frames) for entry in itertools.cycle(entries))
    return itertools.chain.from_iterable(held)


def _fitted(action: Action, spec: ActionSpec) -> Action:
    return spec.clip(Action(tuple(key for key in action.keys if key in spec.keys), action.mouse))


def _entry(row: Any, where: str) -> Entry:
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: an entry is a mapping with {', '.join(ENTRY_KEYS)}, not {row!r}")
    for name in row:
        if name not in ENTRY_KEYS:
            raise ConfigError(f"{where}: unknown word {name!r} (an entry has {', '.join(ENTRY_KEYS)})")
    frames = row.get("frames", 1)
    if not isinstance(frames, int) or isinstance(frames, bool) or not 1 <= frames <= MOST_FRAMES:
        raise ConfigError(f"{where}: frames must be a whole number from 1 to {MOST_FRAMES}, not {frames!r}")
    keys = row.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ActionError(f"{where}: keys must be a list of names, not {keys!r}")
    return Entry(Action(tuple(keys), _mouse(row.get("mouse", [0, 0]), where)), frames)


def _mouse(value: Any, where: str) -> tuple[float, float]:
    numbers = value if isinstance(value, list) else None
    if numbers is None or not 1 <= len(numbers) <= 2:
        raise ActionError(f"{where}: mouse must be [yaw] or [yaw, pitch] in degrees per frame, not {value!r}")
    if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers):
        raise ActionError(f"{where}: mouse must be numbers of degrees per frame, not {value!r}")
    return float(numbers[0]), float(numbers[1]) if len(numbers) == 2 else 0.0
