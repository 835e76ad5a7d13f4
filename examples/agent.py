"""An agent in 20 lines: walk on, and turn away when the picture stops changing.

    python -m examples.agent [world]
"""

import sys

import numpy as np

from engine import Action, EngineError

try:
    import gymnasium

    import engine.env  # makes the worlds known to Gymnasium
except ModuleNotFoundError as error:
    sys.exit(f"this example needs what is not installed: pip install {str(error.name).replace('_', '-')}")


def play(world: str = "doom", steps: int = 200) -> float:
    """Play one episode of `steps`; the sum of the rewards, one for every new place of 128 units."""
    reward = engine.env.Explore(cell=128.0)
    env = gymnasium.make("mag/Doom-v0", world=world, reward=reward, max_frames=steps, disable_env_checker=True)
    frame, _ = env.reset(seed=0)
    total, turning, ended = 0.0, 0, False
    while not ended:
        turning -= 1
        action = Action((), (15.0, 0.0)) if turning > 0 else Action(("forward",))
        before = frame
        frame, gained, terminated, truncated, _ = env.step(action)  # type: ignore[arg-type]
        if turning <= 0 and np.abs(frame.astype(int) - before).mean() < 3.0:
            turning = 6
        total, ended = total + float(gained), terminated or truncated
    env.close()
    return total


if __name__ == "__main__":
    try:
        print(play(sys.argv[1] if len(sys.argv) > 1 else "doom"), "new places")
    except EngineError as error:
        sys.exit(str(error))
