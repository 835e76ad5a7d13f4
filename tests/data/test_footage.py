"""Footage: exact palettes, any environment, many processes of which some crash, and the same episode rendered again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from engine import config
from engine.action import Action, ActionSpec
from engine.data import footage
from engine.data.episode import find_episodes, open_episode
from engine.data.footage import FootageConfig, record_all
from engine.data.footage_crew import Crew, EpisodeTask
from engine.data.footage_episode import play, render_again
from engine.data.footage_palette import PaletteFrames
from engine.errors import ConfigError, RecordingError, WorldError

SPEC = ActionSpec(("go",), (30.0,))


class Dial(gymnasium.Env):
    """A toy game of exact frames: a pointer that the mouse turns; it ends after `life` steps."""

    observation_space = gymnasium.spaces.Box(0, 255, (4, 6, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(1)

    def __init__(self, life: int = 1000, has_pose: bool = True) -> None:
        self.life, self.has_pose = life, has_pose

    def _see(self) -> tuple[np.ndarray, dict]:
        frame = np.full((4, 6, 3), round(self.angle) % 256, dtype=np.uint8)
        frame[0, 0] = (255, self.time % 2, 0)
        return frame, {"pose": (0.0, 0.0, 0.0, self.angle)} if self.has_pose else {}

    def reset(self, *, seed=None, options=None):
        self.angle, self.time = 0.0, 0
        return self._see()

    def step(self, action: Action):
        self.time += 1
        self.angle += action.mouse[0]
        frame, info = self._see()
        return frame, 0.0, self.time >= self.life, False, info


def steps_of(yaw: float):
    return lambda pose: Action(("go",), (yaw, 0.0))


def test_palette_frames_are_exact() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    frames = colours[rng.integers(0, 256, (5, 4, 6))]
    kept = PaletteFrames(8, 4, 6)
    for frame in frames:
        kept.append(frame)
    indices, palette = kept.arrays()
    assert palette is not None and indices.dtype == np.uint8 and len(kept) == 5
    assert np.array_equal(palette[indices], frames)


def test_more_colours_than_a_palette_holds_are_kept_as_rgb() -> None:
    frames = np.arange(6 * 4 * 25 * 3, dtype=np.uint32).reshape(6, 4, 25, 3).astype(np.uint8)
    frames[..., 0] = np.arange(6 * 4 * 25).reshape(6, 4, 25) // 4
    kept = PaletteFrames(6, 4, 25)
    for frame in frames:
        kept.append(frame)
    rgb, palette = kept.arrays()
    assert palette is None
    assert np.array_equal(rgb, frames)


def test_any_environment_can_be_played() -> None:
    played = play(Dial(), SPEC, steps_of(2.5), 9)
    assert played.palette is not None
    assert played.frames.shape == (9, 4, 6) and played.palette[played.frames][4, 1, 1].tolist() == [10, 10, 10]
    assert played.actions[0].tolist() == [0.0, 0.0] and played.actions[1].tolist() == [1.0, 2.5]
    assert played.poses[:, 3].tolist() == [2.5 * i for i in range(9)]


def test_an_episode_that_ends_early_is_shorter_and_one_without_poses_says_so() -> None:
    played = play(Dial(life=5, has_pose=False), SPEC, steps_of(1.0), 9)
    assert len(played.frames) == len(played.actions) == len(played.poses) == 5
    assert np.isnan(played.poses).all()


@dataclass(frozen=True)
class Chore:
    """A task for the crew: writes a file, or crashes, hangs or reports an error, by its name."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def run(self) -> None:
        if "crash" in self.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in self.name:
            time.sleep(60)
        if "wrong" in self.name:
            raise WorldError("this cannot be mended by trying again")
        self.path.write_text("done")

    def is_done(self) -> bool:
        return self.path.exists()


def chores(folder: Path, *names: str):
    return iter([Chore(folder / name) for name in names])


def test_the_crew_outlives_crashes_and_hangs(tmp_path: Path) -> None:
    crew = Crew(2, timeout_s=5.0, preload=[__name__])
    names = ("a", "crash-1", "hang", "b", "crash-2", "c", "d", "not-needed")
    done = sorted(task.name for task in crew.work(chores(tmp_path, *names), wanted=4))
    assert done == ["a", "b", "c", "d"]
    assert not (tmp_path / "not-needed").exists()


def test_the_crew_stops_at_what_cannot_be_mended(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be mended"):
        list(Crew(1, 30.0, [__name__]).work(chores(tmp_path, "a", "wrong", "b"), wanted=3))
    with pytest.raises(RecordingError, match="1 of 2"):
        list(Crew(1, 30.0, [__name__]).work(chores(tmp_path, "a", "crash"), wanted=2))


def test_an_episode_takes_its_name_only_when_whole(tmp_path: Path) -> None:
    def make(part: Path, fails: bool) -> None:
        part.mkdir()
        (part / "frames.npy").write_text("x")
        if fails:
            raise WorldError("the game is over")
        (part / "episode.json").write_text("{}")

    with pytest.raises(WorldError):
        EpisodeTask(tmp_path / "a", partial(make, fails=True)).run()
    assert not list(tmp_path.iterdir())
    task = EpisodeTask(tmp_path / "a", partial(make, fails=False))
    (tmp_path / ".a.part").mkdir()  # what a kill left
    assert not task.is_done()
    task.run()
    assert task.is_done() and [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vizdoom")
    out = tmp_path_factory.mktemp("footage")
    settings = config.load(FootageConfig, [], [f"out={out}", "episodes=2", "frames=50", "workers=2", "split=validate"])
    assert record_all(settings) == 2
    return out


def test_recorded_episodes_are_whole(recorded: Path) -> None:
    episodes = [open_episode(path) for path in find_episodes(recorded)]
    assert [episode.meta["seed"] for episode in episodes] == [1_000_000, 1_000_001]
    for episode in episodes:
        assert episode.frames(0, 2).shape == (2, 192, 320, 3) and episode.palette is None
        assert len(episode) == 50 and np.isfinite(episode.poses).all()
        assert episode.meta["world"] == "doom" and episode.meta["split"] == "validate"
        assert episode.meta["tour"] in ("homes", "explore", "revisit")
        assert not episode.actions[0].any() and episode.actions[1:].any()
        turned = np.diff(episode.poses[:, 3].astype(np.float64))
        assert np.abs((turned + episode.actions[1:, -1] + 180.0) % 360.0 - 180.0).max() < 0.01
    assert not list(recorded.glob(".*")), "unfinished folders are left"


def test_what_is_there_is_not_recorded_again(recorded: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in recorded.glob("*/frames.npy")}
    settings = FootageConfig(out=str(recorded), episodes=2, frames=50, split="validate")
    assert record_all(settings) == 0
    assert before == {path: path.stat().st_mtime_ns for path in recorded.glob("*/frames.npy")}


def test_an_episode_rendered_again_is_the_same(recorded: Path, tmp_path: Path) -> None:
    path = find_episodes(recorded)[0]
    render_again(path, tmp_path / "again")
    first, second = open_episode(path), open_episode(tmp_path / "again")
    assert np.array_equal(first.frames(), second.frames())
    assert np.array_equal(first.actions, second.actions) and np.array_equal(first.poses, second.poses)
    assert first.meta == second.meta


@pytest.mark.parametrize("flavour", ["static", "monsters"])
def test_scripts_alone_render_to_the_same_frames(tmp_path: Path, flavour: str) -> None:
    pytest.importorskip("vizdoom")
    common = ["episodes=1", "frames=60", f"flavour={flavour}", "workers=1", "seed_start=77"]
    record_all(config.load(FootageConfig, [], [f"out={tmp_path / 'scripts'}", "with_frames=false", *common]))
    record_all(config.load(FootageConfig, [], [f"out={tmp_path / 'whole'}", *common]))
    assert not list((tmp_path / "scripts").glob("**/frames.npy"))
    again = ["episodes=1", f"again={tmp_path / 'scripts'}", f"out={tmp_path / 'again'}"]
    assert record_all(config.load(FootageConfig, [], again)) == 1
    first, second = (open_episode(tmp_path / name / "0000077") for name in ("whole", "again"))
    assert np.array_equal(first.frames(), second.frames())
    assert first.meta == second.meta


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["split=test", "seed_start=5"], WorldError, "seed 5 belongs to train"),
        (["seed_start=999999", "episodes=2"], WorldError, "seed 1000000 belongs to validate"),
        (["split=tset"], WorldError, "no split 'tset'"),
        (["world=dom"], WorldError, "did you mean 'doom'"),
        (["episodes=0"], ConfigError, "episodes"),
        (["tours={homes: 0}", "tours.explore=0", "tours.revisit=0"], ConfigError, "weight"),
        (["again=/no/such/folder"], RecordingError, "no episodes"),
        (["out=/proc/none"], RecordingError, "/proc/none"),
    ],
)
def test_bad_settings_are_answered(tmp_path: Path, overrides, error, message) -> None:
    settings = config.load(FootageConfig, [], [f"out={tmp_path}", *overrides])
    with pytest.raises(error, match=message):
        record_all(settings)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["footage", "episods=3"])
    assert footage.main() == 2
    assert "episodes" in capsys.readouterr().err


def test_hand_made_maps_are_walked_too(tmp_path: Path) -> None:
    pytest.importorskip("vizdoom")
    words = ["wad=freedoom2", "map=MAP02,MAP07", "split=test", "episodes=2", "frames=40", "workers=2"]
    assert record_all(config.load(FootageConfig, [], [f"out={tmp_path}", *words])) == 2
    found = [open_episode(path) for path in find_episodes(tmp_path)]
    assert [episode.meta["game"]["map"] for episode in found] == ["MAP02", "MAP07"]
    assert not np.array_equal(found[0].frames(30, 31), found[1].frames(30, 31))
    with pytest.raises(WorldError, match="MAP77"):
        record_all(config.load(FootageConfig, [], [f"out={tmp_path / 'none'}", "map=MAP77"]))
