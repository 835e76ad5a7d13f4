"""A world: a game's definition (actions, frame size, rate, camera), read from worlds/<name>/world.yaml."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine import config
from engine.action import MOUSE_AXES, ActionSpec
from engine.errors import ConfigError, WorldError, shown

WORLDS = Path(__file__).resolve().parent.parent / "worlds"


@dataclass(frozen=True)
class FrameSize:
    height: int = 0  # pixels
    width: int = 0  # pixels


@dataclass(frozen=True)
class Camera:
    """How poses relate to pictures; worlds without poses keep the defaults."""

    fov: float = 90.0  # horizontal field of view, degrees
    pixel_aspect: float = 1.0  # width of a pixel over its height: the vertical over the horizontal focal length
    pose_unit: float = 1.0  # length in the game that counts as 1 in the network
    # What goes through the world behind it, in the game's lengths: how near to it nothing can be along each axis of the
    # ground, of what is this far below to this far above it. 0: nothing stops it.
    radius: float = 0.0
    below: float = 0.0
    above: float = 0.0
    ahead: float = 0.0  # how much further on its way than that nothing can be
    # What moves it up and down, in the game's lengths, two ticks a frame. 0: it neither falls nor climbs.
    gravity: float = 0.0  # by how much a fall is faster in each tick
    climb: float = 0.0  # the highest step that is climbed at once
    behind: float = 0.0  # how far the eyes stay behind a step at most, while they catch up with it

    @property
    def body(self) -> tuple[float, float, float, float] | None:
        """Its body in the network's lengths; None if nothing stops it."""
        radius, below, above, ahead = (
            size / self.pose_unit for size in (self.radius, self.below, self.above, self.ahead)
        )
        return (radius, below, above, ahead) if self.radius else None

    @property
    def falls(self) -> tuple[float, float, float] | None:
        """These in the network's lengths; None if nothing falls."""
        gravity, climb, behind = (size / self.pose_unit for size in (self.gravity, self.climb, self.behind))
        return (gravity, climb, behind) if self.gravity else None


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
    folder: str = ""  # where it was read from; no setting of world.yaml

    @property
    def action_spec(self) -> ActionSpec:
        axes = [axis for axis in MOUSE_AXES if axis in self.mouse]
        return ActionSpec(
            keys=tuple(key.name for key in self.keys),
            mouse_limits=tuple(self.mouse[axis].limit for axis in axes),
        )

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(height, width, 3): the shape of one RGB uint8 frame."""
        return self.frame.height, self.frame.width, 3

    def to_yaml(self) -> str:
        """The text of a world.yaml that defines this world."""
        tree = config.to_dict(self)
        del tree["folder"]
        return config.to_yaml(tree)


def names() -> list[str]:
    """Names of all worlds that have a world.yaml."""
    return sorted(path.parent.name for path in WORLDS.glob("*/world.yaml"))


def load(name: str | Path) -> World:
    """Read the world called `name`, or the one defined in the folder of that path.

    Raises WorldError naming the nearest world if there is none, or saying what is wrong with its definition.
    """
    if name in names():
        return read(WORLDS / name / "world.yaml")
    folder = Path(str(name))
    if str(name) and os.path.isfile(folder / "world.yaml"):  # not Path's: a name may be too long for any file
        return read(folder / "world.yaml")
    near = difflib.get_close_matches(str(name), names(), n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise WorldError(f"there is no world {shown(str(name))}{hint} (worlds here: {', '.join(names())})")


def read(path: Path) -> World:
    """Read the world defined in the file `path`. Raises WorldError saying what is wrong with it."""
    try:
        world = config.load(World, [path])
    except ConfigError as error:
        raise WorldError(str(error)) from error
    for fault in _faults(world):
        raise WorldError(f"{path}: {fault}")
    return replace(world, folder=str(path.parent))


def _faults(world: World) -> Iterator[str]:
    """What a definition of the right types still may not say, one sentence each."""
    if not world.name:
        yield "a world needs a name"
    if world.frame.height <= 0 or world.frame.width <= 0:
        yield f"frame needs a height and a width above 0 pixels, not {world.frame.height} and {world.frame.width}"
    if not 0 < world.rate < math.inf:
        yield f"rate must be above 0 frames per second, not {world.rate:g}"
    if not world.camera.pixel_aspect > 0:
        yield f"camera.pixel_aspect must be above 0, not {world.camera.pixel_aspect:g}"
    if not 0 < world.camera.fov < 180:
        yield f"camera.fov must lie between 0 and 180 degrees, not {world.camera.fov:g}"
    if not 0 < world.camera.pose_unit < math.inf:
        yield f"camera.pose_unit must be above 0, not {world.camera.pose_unit:g}"
    for name in ("radius", "below", "above", "ahead", "gravity", "climb", "behind"):
        if not 0 <= getattr(world.camera, name) < math.inf:
            yield f"camera.{name} must be at least 0, not {getattr(world.camera, name):g}"
    key_names = [key.name for key in world.keys]
    for index, name in enumerate(key_names):
        if not name:
            yield f"keys[{index}] needs a name"
        if name in key_names[:index]:
            yield f"two keys are called {name!r}"
    bound = [button for key in world.keys for button in key.bind]
    for index, button in enumerate(bound):
        if button in bound[:index]:
            yield f"{button!r} is bound to two keys"
    for axis, setting in world.mouse.items():
        if axis not in MOUSE_AXES:
            yield f"unknown mouse axis {axis!r} (axes: {', '.join(MOUSE_AXES)})"
        if not 0 < setting.limit < math.inf:
            yield f"mouse.{axis}.limit must be above 0 degrees per frame, not {setting.limit:g}"
    if "pitch" in world.mouse and "yaw" not in world.mouse:
        yield "mouse has pitch, so it needs yaw as well: an action's encoding begins with yaw"
