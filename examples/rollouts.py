"""Batch rollouts: several sessions of one world on one network in memory, and what a random policy finds in each.

    python -m examples.rollouts [world]
"""

from __future__ import annotations

import sys

import numpy as np

from engine import EngineError

try:
    from engine.env import Explore, GeneratedVectorEnv
except ModuleNotFoundError as error:
    sys.exit(f"this example needs what is not installed: pip install {str(error.name).replace('_', '-')}")


def rollouts(world: str = "doom", sessions: int = 4, steps: int = 50) -> np.ndarray:
    """Sum of rewards of each session, float64 [sessions]."""
    envs = GeneratedVectorEnv(sessions, world, make_reward=Explore)
    envs.action_space.seed(0)
    envs.reset(seed=0)  # session i gets the seed 0 + i
    totals = np.zeros(sessions)
    for _ in range(steps):
        frames, rewards, ended, truncated, infos = envs.step(envs.action_space.sample())
        totals += rewards
    print(f"frames {frames.shape}, {infos['memory_entries'].tolist()} memories held")
    envs.close()
    return totals


if __name__ == "__main__":
    try:
        print("new places:", rollouts(sys.argv[1] if len(sys.argv) > 1 else "doom"))
    except EngineError as error:
        sys.exit(str(error))
