"""Your own game, from any Gymnasium environment that draws: recorded here, then trained, then played.

  python -m engine.data.own_game env=CartPole-v1 out=games/pole
  python -m engine.train games/pole/train.yaml
  python play.py world=games/pole

The first makes the folder games/pole: world.yaml (its actions as keys and mouse axes), footage to train on and to
validate with, start scenes, and train.yaml to change as you like. env=module:Name-v0 imports a module of yours first.
policy=module:function plays in place of chance: a function of (observation, info) that gives an action of the game."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import worlds
from engine import world as definitions
from engine.data import command
from engine.data.episode import find_episodes, open_episode, write_episode
from engine.data.footage import make_all
from engine.data.footage_crew import EpisodeTask
from engine.data.footage_episode import play
from engine.data.footage_game import MULTIPLE, Game, find_policy, game_of
from engine.data.reckoning import fill_poses
from engine.data.starts import NUM_FRAMES, Start, write_start
from engine.errors import ConfigError, RecordingError
from engine.world import Camera, FrameSize, World

NUM_STARTS = 8
FEWEST_FRAMES = 32
TRAIN = """\
# How this world's checkpoint is trained; `python -m engine.train --help` lists what can be set.
#   python -m engine.train {out}/train.yaml
# A small network for a CPU. With a GPU, leave out `compile` and all of `model` but `trusts_memory`, and give it more
# minutes.
world: {out}
stage: all
footage: {out}/train
validation: {out}/validate
out: {out}/checkpoint
compile: false
model:
  trusts_memory: {told}
  dim: 128
  layers: 6
  codec:
    latent_channels: 24
    encoder_widths: [32, 64, 96]
    encoder_depths: [1, 1, 1]
    decoder_widths: [96, 64, 32, 16]
    decoder_depths: [1, 1, 1, 0]
codec:
  schedule: {{steps: 1000000, minutes: 15, batch: 16}}
  frames: 10000
generator:
  schedule: {{steps: 1000000, minutes: 45, batch: 4}}
stream:
  schedule: {{steps: 1000000, minutes: 20, batch: 4, rate: 3.0e-4, matrix_rate: 5.0e-4}}
"""


@dataclass(frozen=True)
class OwnGameConfig:
    """Settings of one recording run."""

    env: str = ""  # a Gymnasium environment whose render() gives RGB pictures
    game: dict[str, Any] = field(default_factory=dict)  # what gymnasium.make is given besides, as in game.lap=3
    out: str = ""  # the game's folder; games/<name> by default
    policy: str = "random"  # who plays: random, or module:function
    episodes: int = 32  # to train on; an eighth as many come on top to validate with
    frames: int = 300  # per episode; a game that ends begins again within it
    height: int = 0  # of frames, pixels, a multiple of 32; 0: as the game draws, shrunk to at most 192x320
    width: int = 0
    rate: float = 0.0  # frames per second in play; 0: what the game says, else 30
    names: list[str] = field(default_factory=list)  # of the keys, in the order of world.yaml
    rest: int = 0  # of a Discrete action space: what is done while no key is held
    fov: float = 90.0  # degrees, of games with a camera
    pose_unit: float = 1.0  # length in the game that counts as 1, of games that tell poses in info["pose"]
    workers: int = 0  # processes at once; 0: one per core
    timeout_s: float = 900.0  # an episode that takes longer counts as crashed


def record_game(settings: OwnGameConfig) -> Path:
    """Make the game's folder, or what it lacks; returns it.

    Raises ConfigError for settings that do not fit, WorldError for a game that cannot be recorded, RecordingError for
    a folder that cannot be written, or one of another game.
    """
    _check(settings)
    name = _name(settings.env)
    out = Path(settings.out or f"games/{name}")
    game = _open(settings, (settings.height, settings.width) if settings.height else None)
    try:
        world = _define(settings, name, game)
        told = _try(settings, game)
    finally:
        game.close()
    try:
        _write_definition(out, world, told)
    except OSError as error:
        raise RecordingError(f"cannot write a game to {out}: {error.strerror or error}") from error
    tasks = [
        EpisodeTask(out / split / f"{seed:07d}", partial(_record, seed=seed, world=world, settings=settings))
        for split, count in (("train", settings.episodes), ("validate", max(1, settings.episodes // 8)))
        for seed in range(worlds.first_seed(split), worlds.first_seed(split) + count)
    ]
    make_all(tasks, iter(()), settings.workers, settings.timeout_s, [__name__], settings.frames)
    _write_starts(out)
    return out


def _record(out: Path, seed: int, world: World, settings: OwnGameConfig) -> None:
    """Have the policy play one episode."""
    spec = world.action_spec
    game = _open(settings, (world.frame.height, world.frame.width))
    try:
        policy = find_policy(settings.policy, game.env, seed)
        played = play(
            game,
            spec,
            lambda _: game.actions.to_action(policy(game.observation, game.info)),
            settings.frames,
            seed=seed,
        )
    finally:
        game.close()
    poses = fill_poses(played.poses, played.actions, spec)
    meta = {"world": world.name, "split": worlds.split_of(seed), "seed": seed}
    meta |= {"env": settings.env, "game": dict(settings.game), "policy": settings.policy}
    write_episode(out, played.frames, played.actions, poses, meta, played.palette)


def _check(settings: OwnGameConfig) -> None:
    if not settings.env:
        raise ConfigError("env is needed: a Gymnasium environment, as in env=CartPole-v1")
    for name, least in (("episodes", 1), ("frames", FEWEST_FRAMES)):
        if getattr(settings, name) < least:
            raise ConfigError(f"{name} is at least {least}, not {getattr(settings, name)}")
    size = settings.height, settings.width
    if min(size) < 0 or (size[0] == 0) != (size[1] == 0) or size[0] % MULTIPLE or size[1] % MULTIPLE:
        raise ConfigError(f"height and width are multiples of {MULTIPLE}, or both 0, not {size[0]} and {size[1]}")


def _open(settings: OwnGameConfig, size: tuple[int, int] | None) -> Game:
    return game_of(settings.env, dict(settings.game), settings.names, settings.rest, size)


def _define(settings: OwnGameConfig, name: str, game: Game) -> World:
    told = game.env.metadata.get("render_fps") or 30
    return World(
        name=name,
        title=name.replace("_", " ").capitalize(),
        frame=FrameSize(*game.size),
        rate=float(settings.rate or told),
        camera=Camera(settings.fov, pose_unit=settings.pose_unit),
        keys=game.actions.keys,
        mouse=game.actions.mouse,
    )


def _try(settings: OwnGameConfig, game: Game) -> bool:
    """Play a moment here, where a mistake is one sentence and not a crash of every process; whether it tells poses."""
    policy = find_policy(settings.policy, game.env, 0)
    try:
        game.reset(seed=0)
        action = policy(game.observation, game.info)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise ConfigError(f"the game or the policy {settings.policy!r} fails at once: {error}") from error
    game.step(game.actions.to_action(action))
    return "pose" in game.info


def _name(env: str) -> str:
    """The world's name: the environment's, without module, namespace and version."""
    last = re.sub(r"-v\d+$", "", re.split(r"[:/]", env)[-1])
    return re.sub(r"\W+", "_", last).strip("_").lower() or "game"


def _write_definition(out: Path, world: World, told: bool) -> None:
    """world.yaml and train.yaml, where they are not there yet; told: whether the game tells poses.

    Raises RecordingError if `out` holds another game.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "world.yaml"
    if not path.exists():
        path.write_text(world.to_yaml(), encoding="utf-8")
    there = definitions.read(path)
    if (there.name, there.action_spec, there.frame) != (world.name, world.action_spec, world.frame):
        raise RecordingError(f"{out} holds {there.name} with other actions or frames than now: choose another folder")
    if not (out / "train.yaml").exists():
        (out / "train.yaml").write_text(TRAIN.format(out=out.as_posix(), told=str(told).lower()), encoding="utf-8")


def _write_starts(out: Path) -> None:
    """A start scene from the middle of each of the first episodes."""
    for index, path in enumerate(find_episodes(out / "validate")[:NUM_STARTS]):
        if (out / "starts" / f"{index:02d}" / "start.json").exists():
            continue
        episode = open_episode(path)
        middle = len(episode) // 2
        part = slice(middle, middle + NUM_FRAMES)
        scene = Start(episode.frames(part.start, part.stop), episode.actions[part], episode.poses[part], f"{index:02d}")
        write_start(out / "starts" / scene.name, scene, {"episode": path.name, "first_frame": middle})


def _run(settings: OwnGameConfig) -> str:
    out = record_game(settings)
    return f"{len(find_episodes(out))} episodes in {out}; now: python -m engine.train {out}/train.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, record, and say what comes next."""
    return command.run(OwnGameConfig, __doc__ or "", _run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
