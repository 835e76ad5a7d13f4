"""Record and look: keep a session on disk, read it back, and execute it again to see that it is the truth.

    python -m examples.record [world]

What was recorded is footage: the same folder can be trained on.
"""

from __future__ import annotations

import sys

import numpy as np

from engine import Action, Engine, EngineError
from engine.data.recording import Recorder, open_recording
from engine.data.replay import replay


def record(engine: Engine, folder: str, steps: int, seed: int = 0) -> None:
    """Play `steps` random actions from the first start, and record them to the new folder `folder`."""
    random = np.random.default_rng(seed)
    frame = engine.reset(start=0, seed=seed)
    circumstances = {"device": engine.device, "denoise_steps": engine.denoise_steps}
    recorder = Recorder(
        folder, engine.world, seed=seed, start=0, checkpoint_hash=engine.checkpoint_hash, **circumstances
    )
    recorder.add(frame)
    for _ in range(steps):
        keys = tuple(key for key in engine.action_spec.keys if random.random() < 0.3)
        action = Action(keys, (float(random.uniform(-8, 8)), 0.0))
        step = engine.step(action)
        recorder.add(step.frame, engine.action_spec.encode(action), step.latency_ms, step.info["pose"])
    recorder.close()


def main(world: str = "doom", folder: str = "recording", steps: int = 100) -> str:
    """Record, look and replay; what the replay found, as a sentence."""
    with Engine.load(world) as engine:
        record(engine, folder, steps)
        tape = open_recording(folder)
        held = tape.actions[:, : len(engine.action_spec.keys)].mean(axis=0)
        for key, share in zip(engine.action_spec.keys, held, strict=True):
            print(f"{key} was held in {share:.0%} of {len(tape)} frames")
        print(f"a frame is {tape.frames(0, 1).shape[1:]}, latency p50 {np.median(tape.latencies_ms):.0f} ms")
        return str(replay(tape, engine))


if __name__ == "__main__":
    try:
        print(main(sys.argv[1] if len(sys.argv) > 1 else "doom"))
    except EngineError as error:
        sys.exit(str(error))
