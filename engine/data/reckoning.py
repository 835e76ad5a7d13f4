"""Poses where a game tells none: the mouse turns the view, and what else moved it is not known."""

from __future__ import annotations

import numpy as np

from engine.action import ActionSpec


def fill_poses(poses: np.ndarray, actions: np.ndarray, spec: ActionSpec) -> np.ndarray:
    """float32 [n, 4] without NaN: an unknown pose is its neighbour's, turned by the mouse between the two.

    poses: float [n, 4], x, y, z, angle in degrees anticlockwise; NaN where unknown. actions: [n, size], encoded;
    actions[i] was held between frames i-1 and i. Without any known pose the first one is all zeros. A session that
    is told no poses believes the same, so a network trained on these sees in play what it saw in training.
    """
    filled = np.array(poses, dtype=np.float64)
    yaw = actions[:, len(spec.keys)] if spec.mouse_limits else np.zeros(len(actions))
    known = np.array(np.isfinite(filled).all(axis=1))
    if not known.any():
        filled[0], known[0] = 0.0, True
    first = int(known.argmax())
    for i in range(first - 1, -1, -1):
        filled[i] = filled[i + 1] + (0, 0, 0, yaw[i + 1])
    for i in range(first + 1, len(filled)):
        if not known[i]:
            filled[i] = filled[i - 1] - (0, 0, 0, yaw[i])
    return filled.astype(np.float32)
