"""What a player does in one frame, and its encoding: the one place that knows an action's layout."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import ActionError

MOUSE_AXES = ("yaw", "pitch")


@dataclass(frozen=True)
class Action:
    """Keys held during one frame and how far the mouse turned the view in it.

    keys: names from the world's table, in any order.
    mouse: (yaw, pitch) in degrees per frame; right and up are positive.
    """

    keys: tuple[str, ...] = ()
    mouse: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class ActionSpec:
    """The actions of one world: its key names, and the largest mouse motion of each axis it has.

    keys: names, in the order of the encoding.
    mouse_limits: degrees per frame for each mouse axis the world has: (yaw,) or (yaw, pitch).
    """

    keys: tuple[str, ...]
    mouse_limits: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Length of an encoded action: one number per key, then one per mouse axis."""
        return len(self.keys) + len(self.mouse_limits)

    @property
    def scale(self) -> np.ndarray:
        """float32 [size]: divides an encoded action into numbers of magnitude at most 1."""
        return np.array([1.0] * len(self.keys) + list(self.mouse_limits), dtype=np.float32)

    def encode(self, action: Action) -> np.ndarray:
        """float32 [size]: 1 for a held key, 0 otherwise; then the mouse motion in degrees.

        Raises ActionError for an unknown key, a mouse motion that is not finite, beyond the
        world's limit, or on an axis that the world does not have.
        """
        self.validate(action)
        held = set(action.keys)
        keys = [float(name in held) for name in self.keys]
        return np.array(keys + list(action.mouse[: len(self.mouse_limits)]), dtype=np.float32)

    def decode(self, vector: Sequence[float] | np.ndarray) -> Action:
        """The action whose encoding is `vector` [size]; a key counts as held from 0.5."""
        try:
            values = np.asarray(vector, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ActionError(f"an encoded action is {self.size} numbers, not {vector!r}") from error
        if values.shape != (self.size,):
            raise ActionError(f"an encoded action has shape ({self.size},), not {values.shape}")
        num_keys = len(self.keys)
        if not np.isfinite(values[:num_keys]).all():
            raise ActionError(f"the keys of an encoded action are 0 or 1, not {values[:num_keys].tolist()}")
        keys = tuple(name for name, value in zip(self.keys, values, strict=False) if value >= 0.5)
        mouse = [float(value) for value in values[num_keys:]] + [0.0, 0.0]
        action = Action(keys, (mouse[0], mouse[1]))
        self.validate(action)
        return action

    def encoded(self, vectors: np.ndarray) -> np.ndarray:
        """Encoded actions [n, size] as `encode` gives them; a key counts as held from 0.5. Raises ActionError."""
        values = np.array(vectors, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self.size:
            raise ActionError(f"encoded actions have shape (n, {self.size}), not {values.shape}")
        keys, mouse = values[:, : len(self.keys)], values[:, len(self.keys) :]
        within = np.abs(mouse) <= self.scale[len(self.keys) :] * (1 + 1e-6)
        fine = np.isfinite(values).all(axis=1) & within.all(axis=1)
        if not fine.all():
            self.decode(values[fine.argmin()])  # says what is wrong with it
        keys[:] = keys >= 0.5
        return values

    def clip(self, action: Action) -> Action:
        """The nearest action that the world can take: mouse motion within its limits, absent axes still.

        Raises ActionError where there is none: a mouse motion that is not two finite numbers.
        """
        self._validate_mouse(action.mouse, [math.inf, math.inf])
        limits = list(self.mouse_limits) + [0.0, 0.0]
        yaw, pitch = (max(-limit, min(limit, m)) for limit, m in zip(limits, action.mouse, strict=False))
        return Action(action.keys, (yaw, pitch))

    def from_space(self, sample: dict[str, Any]) -> Action:
        """The action of a Gymnasium sample {"keys": [num_keys] of 0/1, "mouse": [num_axes] degrees}."""
        try:
            parts = [np.ravel(np.asarray(sample[name], dtype=np.float32)) for name in ("keys", "mouse")]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ActionError(f'an action is an Action or a dict with "keys" and "mouse", not {sample!r}') from error
        for name, part, size in zip(("keys", "mouse"), parts, (len(self.keys), len(self.mouse_limits)), strict=True):
            if len(part) != size:
                raise ActionError(f'an action\'s "{name}" has {size} numbers in this world, not {len(part)}')
        return self.decode(np.concatenate(parts))

    def validate(self, action: Action) -> None:
        """Raise ActionError if the world cannot take this action."""
        if not isinstance(action, Action):
            raise ActionError(f"an action is an engine.Action, not {type(action).__name__}")
        if isinstance(action.keys, str):
            raise ActionError(f"keys is a tuple of names: write ({action.keys!r},), not {action.keys!r}")
        if not isinstance(action.keys, Iterable):
            raise ActionError(f"keys is a tuple of names, not {action.keys!r}")
        for key in action.keys:
            if key not in self.keys:
                near = difflib.get_close_matches(str(key), self.keys, n=1, cutoff=0.4)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ActionError(f"unknown key {key!r}{hint} (this world's keys: {', '.join(self.keys)})")
        self._validate_mouse(action.mouse, list(self.mouse_limits) + [0.0, 0.0])

    @staticmethod
    def _validate_mouse(mouse: tuple[float, float], limits: list[float]) -> None:
        """Raise ActionError unless `mouse` is two finite numbers of magnitude at most the limits."""
        try:
            yaw, pitch = (float(motion + 0) for motion in mouse)  # + 0: text is no number, though float() reads it
        except (TypeError, ValueError) as error:
            raise ActionError(f"mouse is (yaw, pitch) in degrees, not {mouse!r}") from error
        for axis, limit, motion in zip(MOUSE_AXES, limits, (yaw, pitch), strict=False):
            if not math.isfinite(motion):
                raise ActionError(f"mouse {axis} must be a finite number of degrees, not {motion!r}")
            # Slack for a limit that went through float32.
            if abs(motion) > limit * (1 + 1e-6):
                say = f"at most {limit:g} degrees a frame" if limit else "not an axis of this world: give 0"
                raise ActionError(f"mouse {axis} {motion:g} is out of range: {say}")
