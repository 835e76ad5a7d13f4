"""Learn in a generated world: PPO of Stable-Baselines3, unchanged, is paid for seeing new places.

    python -m examples.ppo [world]

Needs Stable-Baselines3: pip install stable-baselines3. A step costs a generated frame, so think in thousands of steps.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from engine import Action, EngineError

try:
    import gymnasium
    from stable_baselines3 import PPO  # pyright: ignore[reportMissingImports]

    import engine.env  # makes the worlds known to Gymnasium
except ModuleNotFoundError as error:
    sys.exit(f"this example needs what is not installed: pip install {str(error.name).replace('_', '-')}")

WALK = [Action(("forward",)), Action((), (-15.0, 0.0)), Action((), (15.0, 0.0)), Action(("forward", "run"))]


def train(world: str = "doom", actions: Sequence[Action] = WALK, steps: int = 4096, **settings: Any) -> PPO:
    """PPO after `steps` steps in episodes of at most 300 frames; settings: PPO's own."""
    reward = engine.env.Explore(cell=128.0)
    env = gymnasium.make("mag/Doom-v0", world=world, actions=actions, reward=reward, max_frames=300)
    model = PPO("CnnPolicy", env, seed=0, **{"n_steps": 256, "batch_size": 64, "device": "cpu", **settings})
    model.learn(steps, progress_bar=False)
    env.close()
    return model


if __name__ == "__main__":
    try:
        train(sys.argv[1] if len(sys.argv) > 1 else "doom", verbose=1).save("ppo")
    except EngineError as error:
        sys.exit(str(error))
