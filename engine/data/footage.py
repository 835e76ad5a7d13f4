"""Records episodes of a game in many processes, one folder an episode: python -m engine.data.footage --help."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import worlds
from engine import world as definitions
from engine.data import command
from engine.data.footage_crew import Crew, Task
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


@dataclass(frozen=True)
class Recording:
    """The task of recording the episode of one seed."""

    out: Path
    seed: int
    settings: FootageConfig

    @property
    def name(self) -> str:
        return self.out.name

    @property
    def game(self) -> dict[str, Any]:
        """Settings of worlds.make_env."""
        settings = self.settings
        game: dict[str, Any] = {"seed": self.seed, "flavour": settings.flavour}
        if settings.calm:
            game["calm"] = True
        if not settings.wad and not settings.map:
            return game
        maps = worlds.map_names(settings.world, settings.wad or None, settings.map)
        return game | {"wad": settings.wad or None, "map": maps[self.seed % len(maps)]}

    def run(self) -> None:
        settings, rng = self.settings, random.Random(f"footage/{self.seed}")
        tour = rng.choices(list(settings.tours), list(settings.tours.values()))[0]
        fitting = [gap for gap in GAPS if 1.5 * gap + 300 < settings.frames] or [GAPS[0]]
        gap = settings.gap or rng.choice(fitting)
        with Unfinished(self.out) as part:
            record(part, settings.world, self.game, settings.frames, tour, gap, settings.with_frames)

    def is_done(self) -> bool:
        return (self.out / "episode.json").exists() or (self.out / SCRIPT).exists()


@dataclass(frozen=True)
class Rendering:
    """The task of rendering one episode again from its seed and actions."""

    out: Path
    source: Path

    @property
    def name(self) -> str:
        return self.out.name

    def run(self) -> None:
        with Unfinished(self.out) as part:
            render_again(self.source, part)

    def is_done(self) -> bool:
        return (self.out / "episode.json").exists()


class Unfinished:
    """A folder beside the wanted one, which takes its name only when whole."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.part = out.with_name(f".{out.name}.part")

    def __enter__(self) -> Path:
        shutil.rmtree(self.part, ignore_errors=True)
        return self.part

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            shutil.rmtree(self.out, ignore_errors=True)
            self.part.rename(self.out)
        else:
            shutil.rmtree(self.part, ignore_errors=True)


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
    tasks: list[Recording] | list[Rendering] = _renderings(settings) if settings.again else _recordings(settings)
    spare: Iterator[Recording] = iter(()) if settings.again else _spare(settings)
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


def _recordings(settings: FootageConfig) -> list[Recording]:
    first = settings.seed_start if settings.seed_start >= 0 else worlds.first_seed(settings.split)
    seeds = range(first, first + settings.episodes)
    for seed in (seeds[0], seeds[-1]):
        worlds.check_split(seed, settings.split)
    return [Recording(Path(settings.out) / f"{seed:07d}", seed, settings) for seed in seeds]


def _spare(settings: FootageConfig) -> Iterator[Recording]:
    """Episodes of the seeds that follow, while they belong to the split, to stand in for crashed ones."""
    after = _recordings(settings)[-1].seed + 1
    for seed in itertools.count(after):
        if worlds.split_of(seed) != settings.split:
            return
        task = Recording(Path(settings.out) / f"{seed:07d}", seed, settings)
        if not task.is_done():
            yield task


def _renderings(settings: FootageConfig) -> list[Rendering]:
    root = Path(settings.again)
    found = sorted({path.parent for name in (SCRIPT, "episode.json") for path in root.glob(f"**/{name}")})
    if not found:
        raise RecordingError(f"{root} holds no episodes to render again")
    return [Rendering(Path(settings.out) / path.name, path) for path in found]


def _run(settings: FootageConfig) -> str:
    return f"{record_all(settings)} episodes made in {settings.out}"


def main() -> int:
    """Read the command line, record, and say what was made."""
    return command.run(FootageConfig, ABOUT, _run)


if __name__ == "__main__":
    raise SystemExit(main())
