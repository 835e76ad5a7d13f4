"""The networks that score a student's frames: where a teacher and an imitator come from."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

from engine import checkpoint, world
from engine.errors import ConfigError
from engine.model.network import WorldModel
from engine.train.distil import Distiller
from engine.train.loop import wait_for_all
from engine.train.settings import GeneratorStage, TrainSettings
from engine.train.state import state_file

# Sizes in which they may differ from the student.
FREE = (
    "patch", "dim", "layers", "mlp_ratio", "registers", "encoder_layers", "memory_layers", "memory_dim",
    "reference_dim",
)  # fmt: skip


def load_scorer(role: str, folder: Path, student: WorldModel, name: str) -> WorldModel:
    """A network of any width and depth that reads the student's chunks. Raises ConfigError where it cannot.

    role: teacher or imitator, the setting that names the folder. name: the world's.
    """
    if not (folder / checkpoint.MANIFEST).exists():
        raise ConfigError(f"distil needs a {role}, and {folder} holds none: {role}=FOLDER names a checkpoint's")
    found = checkpoint.load(folder, world.load(name).name)[0].to(student.device)
    free = {name: getattr(student.settings, name) for name in FREE}
    if dataclasses.replace(found.settings, **free) != student.settings:
        raise ConfigError(f"the {role} in {folder} and its student differ in more than {', '.join(FREE)}")
    return found


def load_teacher(student: WorldModel, settings: TrainSettings, stage: str, rank: int) -> WorldModel:
    """The network that a student learns from: what `teacher` names, or what the student begins as."""
    folder = Path(settings.teacher or settings.init or keep_as_teacher(student, settings, stage, rank))
    return load_scorer("teacher", folder, student, settings.world)


def load_distiller(
    student: WorldModel, stage: GeneratorStage, settings: TrainSettings, name: str, rank: int
) -> Distiller:  # fmt: skip
    """Teacher and imitator of a stage of this name."""
    teacher = load_teacher(student, settings, name, rank)
    named = Path(settings.imitator) if settings.imitator else None
    imitator = load_scorer("imitator", named, student, settings.world) if named else copy.deepcopy(teacher)
    return Distiller(teacher, imitator, stage.imitator_rate, 2 * stage.imitator_rate, stage.imitator_turns)


def keep_as_teacher(student: WorldModel, settings: TrainSettings, stage: str, rank: int) -> Path:
    """What the stage begins with, kept beside it: the checkpoint in `out` is soon the student's."""
    out = Path(settings.out)
    folder = out / "teacher"
    resumes = settings.resume and state_file(out, stage).exists()
    if not resumes and not (out / checkpoint.MANIFEST).exists():
        return out
    if not resumes and rank == 0:
        checkpoint.save(folder, student, world.load(settings.world).name, {"teaches": stage}, weights="float32")
    wait_for_all()
    return folder
