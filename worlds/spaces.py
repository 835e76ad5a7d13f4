"""The Gymnasium spaces of a world, the same for the real game and for the generated one."""

from __future__ import annotations

import gymnasium
import numpy as np

from engine.action import ActionSpec
from engine.world import World


def action_space(spec: ActionSpec) -> gymnasium.spaces.Dict:
    """{"keys": MultiBinary [num_keys], "mouse": Box [num_axes], degrees per frame}; without keys, an empty Box."""
    limits = np.array(spec.mouse_limits, dtype=np.float32)
    keys = gymnasium.spaces.MultiBinary(len(spec.keys)) if spec.keys else gymnasium.spaces.Box(0, 1, (0,), np.int8)
    return gymnasium.spaces.Dict(
        {
            "keys": keys,
            "mouse": gymnasium.spaces.Box(-limits, limits, dtype=np.float32),
        }
    )


def observation_space(world: World) -> gymnasium.spaces.Box:
    """One RGB frame, uint8 [height, width, 3]."""
    return gymnasium.spaces.Box(0, 255, world.frame_shape, dtype=np.uint8)
