"""Record and fine-tune: go on training a checkpoint on play that was recorded, and load what came of it.

    python -m examples.finetune [world]

Recordings of the window serve as well: it takes every one below the folder. A few steps change little; give it minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine import Engine, EngineError
from engine.checkpoint import find
from engine.train.__main__ import main as train


def finetune(recordings: str, world: str = "doom", out: str = "runs/finetuned", *settings: str) -> Path:
    """Train the generator of a world's checkpoint on the recordings below a folder; the new checkpoint's folder.

    settings: of `python -m engine.train`, such as "generator.schedule.minutes=30".
    """
    folder = find(world)
    with Engine.load(world) as engine:
        home = engine.world.folder
    common = [f"world={home}", f"init={folder}", f"footage={recordings}", f"out={out}", "compile=false"]
    for stage in ("latents", "generator"):
        if train([*common, f"stage={stage}", *settings]):
            raise EngineError(f"stage {stage} of the training failed: it said above why")
    return Path(out)


def main(world: str = "doom", recordings: str = "recordings", out: str = "runs/finetuned", *settings: str) -> Path:
    """Fine-tune on what lies in `recordings`, and draw a frame with the result."""
    made = finetune(recordings, world, out, *settings)
    with Engine.load(str(made)) as engine:
        engine.reset(start=0)
        print(f"{made} draws {engine.step(engine.action_spec.decode([0.0] * engine.action_spec.size)).frame.shape}")
    return made


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EngineError as error:
        sys.exit(str(error))
