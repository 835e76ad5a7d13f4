"""What a player does in one frame, and its encoding: the one place that knows an action's layout."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
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
        values = np.asarray(vector, dtype=np.float32)
        if values.shape != (self.size,):
            raise ActionError(f"an encoded action has shape ({self.size},), not {values.shape}")
        num_keys = len(self.keys)
        keys = tuple(name for name, value in zip(self.keys, values, strict=False) if value >= 0.5)
        mouse = [float(value) for value in values[num_keys:]] + [0.0, 0.0]
        action = Action(keys, (mouse[0], mouse[1]))
        self.validate(action)
        return action

    def clip(self, action: Action) -> Action:
        """The nearest action that the world can take: mouse motion within its limits, absent axes still."""
        limits = list(self.mouse_limits) + [0.0, 0.0]
        yaw, pitch = (max(-limit, min(limit, m)) for limit, m in zip(limits, action.mouse, strict=False))
        return Action(action.keys, (yaw, pitch))

    def from_space(self, sample: dict[str, Any]) -> Action:
        """The action of a Gymnasium sample {"keys": [num_keys] of 0/1, "mouse": [num_axes] degrees}."""
        try:
            vector = np.concatenate([np.ravel(sample["keys"]), np.ravel(sample["mouse"])])
        except (KeyError, TypeError) as error:
            raise ActionError(f'an action is an Action or a dict with "keys" and "mouse", not {sample!r}') from error
        return self.decode(vector.astype(np.float32))

    def validate(self, action: Action) -> None:
        """Raise ActionError if the world cannot take this action."""
        if not isinstance(action, Action):
            raise ActionError(f"an action is an engine.Action, not {type(action).__name__}")
        for key in action.keys:
            if key not in self.keys:
                near = difflib.get_close_matches(str(key), self.keys, n=1, cutoff=0.4)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ActionError(f"unknown key {key!r}{hint} (this world's keys: {', '.join(self.keys)})")
        if len(action.mouse) != len(MOUSE_AXES):
            raise ActionError(f"mouse is (yaw, pitch) in degrees, not {action.mouse!r}")
        limits = list(self.mouse_limits) + [0.0, 0.0]
        for axis, limit, motion in zip(MOUSE_AXES, limits, action.mouse, strict=False):
            if not math.isfinite(motion):
                raise ActionError(f"mouse {axis} must be a finite number of degrees, not {motion!r}")
            if abs(motion) > limit * (1 + 1e-6):
                say = f"at most {limit:g} degrees a frame" if limit else "not an axis of this world: give 0"
                raise ActionError(f"mouse {axis} {motion:g} is out of range: {say}")
