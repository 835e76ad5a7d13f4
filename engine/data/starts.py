"""Where play begins: a few real frames and what led from one to the next, shipped in assets/<world>/starts."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np

from engine import world as definitions
from engine.action import Action, ActionSpec
from engine.data import command
from engine.errors import WorldError
from engine.world import World

ASSETS = Path(__file__).resolve().parent.parent.parent / "assets"
NUM_FRAMES = 15  # as many as it takes to look around once, and then to stand still for a block
TURNS = 12  # frames in which a player looks around once, before a scene begins: so memory knows the place

ABOUT = """Make the start scenes of a world again from its real game.

  python -m engine.data.starts world=doom"""


@dataclass(frozen=True)
class Start:
    """A short true history, oldest first; play goes on from the last frame."""

    frames: np.ndarray  # uint8 RGB [n, height, width, 3]
    actions: np.ndarray  # float32 [n, action size], encoded; actions[i] was held between frames i-1 and i
    poses: np.ndarray  # float32 [n, 4]: x, y, z, angle in degrees
    name: str


@dataclass(frozen=True)
class StartsConfig:
    """Settings of `python -m engine.data.starts`."""

    world: str = "doom"
    out: str = ""  # where to write; assets/<world>/starts by default


def look_around(choose: Callable[[Any], Action], last: int, spec: ActionSpec) -> Callable[[Any], Action]:
    """Chooses as `choose` up to frame `last`, then looks around, as far as the mouse lets it, then stands still."""
    farthest = spec.mouse_limits[0] if spec.mouse_limits else 0.0
    calls, turn = itertools.count(1), Action(mouse=(min(360.0 / TURNS, farthest), 0.0))

    def choose_next(pose: Any) -> Action:
        number = next(calls)
        if number <= last:
            return choose(pose)
        return turn if number <= last + TURNS else Action()

    return choose_next


def starts_folder(world: World | str) -> Path:
    """Where a world's start scenes are: beside its definition, or in assets; by its name, those in assets."""
    if isinstance(world, str):
        return ASSETS / world / "starts"
    beside = Path(world.folder) / "starts"
    return beside if world.folder and beside.is_dir() else ASSETS / world.name / "starts"


def num_starts(world: World | str) -> int:
    """How many start scenes are shipped for a world; 0 if none."""
    return len(_folders(world))


def load_start(world: World | str, index: int) -> Start:
    """One shipped start scene. Raises WorldError if there is no such scene or its files are not whole."""
    folders = _folders(world)
    if not 0 <= index < len(folders):
        name = world if isinstance(world, str) else world.name
        raise WorldError(f"world {name!r} has {len(folders)} starts, numbered from 0: there is no {index}")
    folder = folders[index]
    try:
        notes = json.loads((folder / "start.json").read_text())
        frames = np.stack(
            [imageio.imread(path, plugin="pillow")[..., :3] for path in sorted(folder.glob("frame_*.png"))]
        )
        actions = np.array(notes["actions"], dtype=np.float32)
        poses = np.array(notes["poses"], dtype=np.float32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorldError(f"the start scene {folder} cannot be read: {error}") from error
    if not len(frames) == len(actions) == len(poses):
        raise WorldError(f"the start scene {folder} is not whole: frames, actions and poses differ in number")
    return Start(frames, actions, poses, folder.name)


def start_source(world_name: str, index: int) -> dict[str, Any]:
    """How the real game leads to a start scene: "game" (settings of worlds.make_env), "tour", "last_frame" of the tour,
    and "looks_around", how many frames come after that (see `look_around`); 0, where it does not say.

    Raises WorldError if there is no such scene or it does not say.
    """
    load_start(world_name, index)
    folder = _folders(world_name)[index]
    source = json.loads((folder / "start.json").read_text()).get("source")
    if not isinstance(source, dict) or not {"game", "tour", "last_frame"} <= source.keys():
        raise WorldError(f"start scene {index} of world {world_name!r} does not say which real game leads to it")
    return source


def write_start(folder: Path, start: Start, source: dict[str, Any]) -> None:
    """Write a start scene to `folder`. source: where it came from, kept in start.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(start.frames):
        imageio.imwrite(folder / f"frame_{i:02d}.png", frame, optimize=True)
    lines = [f'"actions": {_rows(start.actions)}', f'"poses": {_rows(start.poses)}', f'"source": {json.dumps(source)}']
    (folder / "start.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def make_starts(settings: StartsConfig) -> int:
    """Play the scenes that a world asks for in the real game and write them; returns how many.

    Raises WorldError if the world names no scenes or its game is not installed.
    """
    import worlds
    from engine.data.footage_episode import play

    spec = definitions.load(settings.world).action_spec
    out = Path(settings.out) if settings.out else starts_folder(settings.world)
    scenes = worlds.start_scenes(settings.world)
    for index, (game, tour, last) in enumerate(scenes):
        env = worlds.make_env(settings.world, **game)
        try:
            player = worlds.make_player(settings.world, env, game["seed"], tour)
            choose, count = look_around(player.act, last, spec), last + 1 + NUM_FRAMES
            played = play(env, spec, choose, count, seed=game["seed"])
        finally:
            env.close()
        kept = slice(last + 1, count)
        frames = played.frames[kept] if played.palette is None else played.palette[played.frames[kept]]
        folder = out / f"{index:02d}"
        shutil.rmtree(folder, ignore_errors=True)
        source = {"world": settings.world, "game": game, "tour": tour, "last_frame": last, "looks_around": NUM_FRAMES}
        write_start(folder, Start(frames, played.actions[kept], played.poses[kept], folder.name), source)
    return len(scenes)


def ship_world(world: World, folder: Path) -> None:
    """Have a checkpoint in `folder` bring along a world that is defined elsewhere than in worlds/, with its starts."""
    home = Path(world.folder).resolve()
    if home.parent == definitions.WORLDS.resolve() or home == folder.resolve():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home / "world.yaml", folder / "world.yaml")
        if (home / "starts").is_dir():
            shutil.copytree(home / "starts", folder / "starts", dirs_exist_ok=True)
    except OSError as error:
        raise WorldError(f"cannot copy the world {world.name!r} to {folder}: {error.strerror or error}") from error


def _folders(world: World | str) -> list[Path]:
    return sorted(path.parent for path in starts_folder(world).glob("*/start.json"))


def _rows(values: np.ndarray) -> str:
    """JSON with a line for each frame, whose numbers read back as the same float32."""
    rows = [[float(str(value)) for value in row] for row in np.asarray(values, dtype=np.float32)]
    return "[\n " + ",\n ".join(json.dumps(row) for row in rows) + "\n]"


def _run(settings: StartsConfig) -> str:
    return f"{make_starts(settings)} starts made"


def main() -> int:
    """Read the command line, make the scenes, and say how many."""
    return command.run(StartsConfig, ABOUT, _run)


if __name__ == "__main__":
    raise SystemExit(main())
