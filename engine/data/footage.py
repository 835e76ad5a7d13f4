"""Records episodes of a game in many processes, one folder an episode: python -m engine.data.footage --help."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import worlds
from engine import world as definitions
from engine.data import command
from engine.data.footage_crew import Crew, EpisodeTask, Task
from engine.data.footage_episode import SCRIPT, record, render_again
from engine.errors import ConfigError, RecordingError

ABOUT = """Record episodes of a real game with scripted players, for training and for measuring.

  python -m engine.data.footage world=doom out=footage split=train episodes=64 frames=2000
  python -m engine.data.footage world=doom wad=freedoom2 map=MAP01 out=footage split=test episodes=4
  python -m engine.data.footage again=scripts out=footage     renders episodes kept without frames

For any other Gymnasium environment: python -m engine.data.own_game"""

GAPS = (16, 64, 256, 1024, 4096)  # of the revisit bench, frames


@dataclass(frozen=True)
class FootageConfig:
    """Settings of one recording run."""

    world: str = "doom"
    out: str = "footage"
    split: str = "train"  # train, validate or test: the seeds that may be used
    episodes: int = 8
    frames: int = 1000  # per episode
    flavour: str = "static"
    wad: str = ""  # a file of hand-made maps, or the name of one that comes with the game; none: generated maps
    map: str = ""  # of the WAD, or several with commas between; none: all of them, one after the other
    calm: bool = False  # monsters stand still and never attack
    tours: dict[str, float] = field(default_factory=lambda: {"homes": 0.55, "explore": 0.15, "revisit": 0.3})  # weights
    gap: int = 0  # of revisit tours, frames; 0: drawn from those that fit
    seed_start: int = -1  # seed of the first episode; -1: the split's first
    workers: int = 0  # processes at once; 0: one per core
    with_frames: bool = True  # false: keep seed and actions alone
    timeout_s: float = 900.0  # an episode that takes longer counts as crashed
    again: str = ""  # a folder of episodes to render again from their actions


def record_all(settings: FootageConfig) -> int:
    """Make every episode that `settings` ask for and `out` lacks; returns how many were made.

    Raises ConfigError, WorldError (seeds outside the split, an unknown world) or RecordingError.
    """
    for name in ("episodes", "frames"):
        if getattr(settings, name) < 1:
            raise ConfigError(f"{name} is at least 1, not {getattr(settings, name)}")
    if not settings.tours or min(settings.tours.values()) < 0 or sum(settings.tours.values()) <= 0:
        raise ConfigError(f"tours needs a weight above 0, not {settings.tours}")
    definitions.load(settings.world)
    if settings.wad or settings.map:
        worlds.map_names(settings.world, settings.wad or None, settings.map)
    out = Path(settings.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"cannot write footage to {out}: {error.strerror}") from error
    tasks = _renderings(settings) if settings.again else _recordings(settings)
    spare = iter(()) if settings.again else _spare(settings)
    preload = [__name__, f"worlds.{settings.world}"]
    return make_all(tasks, spare, settings.workers, settings.timeout_s, preload, settings.frames)


def make_all(
    tasks: Sequence[Task], spare: Iterator[Task], workers: int, timeout_s: float, preload: list[str], num_frames: int
) -> int:
    """Run those of `tasks` that are not done, in processes, with a line of progress; returns how many they were.

    The next of `spare` stands in for a task that crashes. workers: 0 for one per core. num_frames: of one episode.
    """
    missing = [task for task in tasks if not task.is_done()]
    crew = Crew(workers or os.cpu_count() or 1, timeout_s, preload)
    progress = command.Progress(len(missing), num_frames)
    for _ in crew.work(itertools.chain(missing, spare), len(missing)):
        progress.advance()
    progress.close()
    return len(missing)


def _recordings(settings: FootageConfig) -> list[EpisodeTask]:
    seeds = _seeds(settings)
    for seed in (seeds[0], seeds[-1]):
        worlds.check_split(seed, settings.split)
    return [_recording(seed, settings) for seed in seeds]


def _spare(settings: FootageConfig) -> Iterator[EpisodeTask]:
    """Episodes of the seeds that follow, while they belong to the split, to stand in for crashed ones."""
    for seed in itertools.count(_seeds(settings).stop):
        if worlds.split_of(seed) != settings.split:
            return
        task = _recording(seed, settings)
        if not task.is_done():
            yield task


def _seeds(settings: FootageConfig) -> range:
    first = settings.seed_start if settings.seed_start >= 0 else worlds.first_seed(settings.split)
    return range(first, first + settings.episodes)


def _recording(seed: int, settings: FootageConfig) -> EpisodeTask:
    out = Path(settings.out) / f"{seed:07d}"
    return EpisodeTask(out, partial(_record, seed=seed, settings=settings), ("episode.json", SCRIPT))


def _record(out: Path, seed: int, settings: FootageConfig) -> None:
    """Have a scripted player, drawn by the seed, walk the map of the seed."""
    rng = random.Random(f"footage/{seed}")
    tour = rng.choices(list(settings.tours), list(settings.tours.values()))[0]
    fitting = [gap for gap in GAPS if 1.5 * gap + 300 < settings.frames] or [GAPS[0]]
    gap = settings.gap or rng.choice(fitting)
    record(out, settings.world, _game(seed, settings), settings.frames, tour, gap, settings.with_frames)


def _game(seed: int, settings: FootageConfig) -> dict[str, Any]:
    """Settings of worlds.make_env."""
    game: dict[str, Any] = {"seed": seed, "flavour": settings.flavour}
    if settings.calm:
        game["calm"] = True
    if not settings.wad and not settings.map:
        return game
    maps = worlds.map_names(settings.world, settings.wad or None, settings.map)
    return game | {"wad": settings.wad or None, "map": maps[seed % len(maps)]}


def _renderings(settings: FootageConfig) -> list[EpisodeTask]:
    root = Path(settings.again)
    found = sorted({path.parent for name in (SCRIPT, "episode.json") for path in root.glob(f"**/{name}")})
    if not found:
        raise RecordingError(f"{root} holds no episodes to render again")
    return [EpisodeTask(Path(settings.out) / path.name, partial(render_again, path)) for path in found]


def _run(settings: FootageConfig) -> str:
    return f"{record_all(settings)} episodes made in {settings.out}"


def main() -> int:
    """Read the command line, record, and say what was made."""
    return command.run(FootageConfig, ABOUT, _run)


if __name__ == "__main__":
    raise SystemExit(main())
