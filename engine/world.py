"""A world: a game's definition (actions, frame size, rate, camera), read from worlds/<name>/world.yaml."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from engine import config
from engine.action import ActionSpec
from engine.errors import WorldError

WORLDS = Path(__file__).resolve().parent.parent / "worlds"


@dataclass(frozen=True)
class FrameSize:
    height: int = 0  # pixels
    width: int = 0  # pixels


@dataclass(frozen=True)
class Camera:
    """How poses relate to pictures; worlds without poses keep the defaults."""

    fov: float = 90.0  # horizontal field of view, degrees
    pose_unit: float = 1.0  # length in the game that counts as 1 in the network


@dataclass(frozen=True)
class Key:
    name: str = ""
    bind: list[str] = field(default_factory=list)  # keyboard and mouse buttons that press it, pygame's names
    button: str = ""  # the game's own name for it


@dataclass(frozen=True)
class MouseAxis:
    limit: float = 0.0  # degrees per frame
    button: str = ""


@dataclass(frozen=True)
class World:
    """One game's definition. Weights that imagine it are a checkpoint, not a world."""

    name: str = ""
    title: str = ""
    frame: FrameSize = field(default_factory=FrameSize)
    rate: float = 0.0  # frames per second
    camera: Camera = field(default_factory=Camera)
    keys: list[Key] = field(default_factory=list)
    mouse: dict[str, MouseAxis] = field(default_factory=dict)

    @property
    def action_spec(self) -> ActionSpec:
        axes = [axis for axis in ("yaw", "pitch") if axis in self.mouse]
        return ActionSpec(
            keys=tuple(key.name for key in self.keys),
            mouse_limits=tuple(self.mouse[axis].limit for axis in axes),
        )

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(height, width, 3): the shape of one RGB uint8 frame."""
        return self.frame.height, self.frame.width, 3


def names() -> list[str]:
    """Names of all worlds that have a world.yaml."""
    return sorted(path.parent.name for path in WORLDS.glob("*/world.yaml"))


def load(name: str) -> World:
    """Read the world called `name`. Raises WorldError naming the nearest world if there is none."""
    path = WORLDS / name / "world.yaml"
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise WorldError(f"there is no world {name!r}{hint} (worlds here: {', '.join(names())})")
    return config.load(World, [path])
