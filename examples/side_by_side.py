"""One policy in the real game and in the generated world: the same history, the same actions, side by side.

    python -m examples.side_by_side

Needs the real Doom: pip install vizdoom. The generated world is told the first frames of the real one, then both go on.
After that the policy plays each world by itself, and is paid in both by the same reward.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import imageio.v3 as imageio
import numpy as np

import worlds
from engine import Action, Engine, EngineError

try:
    from engine.env import Explore, GeneratedEnv
except ModuleNotFoundError as error:
    sys.exit(f"this example needs what is not installed: pip install {str(error.name).replace('_', '-')}")

HISTORY = 12  # real frames that the generated world is told
Policy = Callable[[np.ndarray], Action]


def wander(frame: np.ndarray) -> Action:
    """Walk on, and turn towards the brighter half of the picture."""
    left, right = np.split(frame.astype(np.float64), 2, axis=1)
    yaw = float(np.clip((right.mean() - left.mean()) / 4, -6.0, 6.0))
    return Action(("forward",), (yaw, 0.0))


def compare(real: Any, engine: Engine, policy: Policy, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Both worlds' frames, uint8 [steps, height, 2 * width, 3], and how far apart their pictures are, dB [steps].

    The policy looks at the real frame, and both worlds take its action.
    """
    frame, info = real.reset(seed=0)
    frames, actions, poses = [frame], [Action()], [info["pose"]]
    while len(frames) < HISTORY:
        actions.append(policy(frame))
        frame, _, _, _, info = real.step(actions[-1])
        frames.append(frame)
        poses.append(info["pose"])
    engine.reset(history=(np.stack(frames), actions, np.array(poses)), seed=0)
    pairs, apart = [], []
    for _ in range(steps):
        action = policy(frame)
        frame = real.step(action)[0]
        dreamt = engine.step(action).frame
        pairs.append(np.concatenate([frame, dreamt], axis=1))
        error = np.square(frame.astype(np.float64) - dreamt).mean()
        apart.append(10 * np.log10(255**2 / max(error, 1e-6)))
    return np.stack(pairs), np.array(apart)


def evaluate(env: Any, policy: Policy, steps: int, reward: Any, start: Any = None) -> float:
    """What the policy earns in `steps` of an environment, real or generated, by a reward of (frame, pose, info)."""
    frame, info = env.reset(seed=0, options=None if start is None else {"start": start})
    reward.reset(info["pose"])
    total = 0.0
    for _ in range(steps):
        frame, _, ended, _, info = env.step(policy(frame))
        total += reward(frame, info["pose"], info)
        if ended:
            break
    return total


def main(steps: int = 100, video: str = "side_by_side.mp4", world: str = "doom") -> np.ndarray:
    """Compare, write both to `video`, evaluate; how far apart the pictures are, dB [steps]."""
    real = worlds.make_env(world, seed=worlds.first_seed("test"))
    with Engine.load(world) as engine:
        pairs, apart = compare(real, engine, wander, steps)
        imageio.imwrite(video, pairs, fps=engine.world.rate)
        first, _ = real.reset(seed=0)
        found = evaluate(real, wander, steps, Explore())
        dreamt = evaluate(GeneratedEnv(engine=engine), wander, steps, Explore(), start=first)
        print(f"new places in {steps} steps: {found:.0f} in the real world, {dreamt:.0f} in the generated one")
    real.close()
    return apart


if __name__ == "__main__":
    try:
        found = main()
        print(f"first frame {found[0]:.1f} dB, mean {found.mean():.1f} dB, last {found[-1]:.1f} dB")
    except EngineError as error:
        sys.exit(str(error))
