"""A scripted tour: walk through a generated world, and keep the pictures of it as one sheet.

    python -m examples.tour [world]
"""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np

from engine import Action, Engine, EngineError

# What is held, degrees turned in each frame, and for how many frames.
SCRIPT = [(("forward",), 0.0, 24), (("forward",), 3.0, 20), ((), -6.0, 30), (("forward",), 0.0, 30), ((), 6.0, 60)]


def tour(world: str = "doom", frames: int = 160, sheet: str = "tour.png") -> np.ndarray:
    """Walk `frames` steps of the script, write every eighth picture to `sheet`; all, uint8 [n, height, width, 3]."""
    actions = [Action(keys, (yaw, 0.0)) for keys, yaw, count in SCRIPT for _ in range(count)]
    with Engine.load(world) as engine:
        seen = [engine.reset(start=0)]
        for index in range(frames):
            seen.append(engine.step(actions[index % len(actions)]).frame)
        info = engine.info
        print(f"{info['memory_entries']} memories, {info['memory_bytes'] / 1e6:.2f} MB, at {info['pose']}")
    shown = seen[::8]
    columns = 5
    shown += [np.zeros_like(shown[0])] * (-len(shown) % columns)
    rows = [np.concatenate(shown[index : index + columns], axis=1) for index in range(0, len(shown), columns)]
    imageio.imwrite(sheet, np.concatenate(rows))
    return np.stack(seen)


if __name__ == "__main__":
    try:
        tour(sys.argv[1] if len(sys.argv) > 1 else "doom")
    except EngineError as error:
        sys.exit(str(error))
