"""A recording beside the real game: left what was recorded, right the game's frames after the same actions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import imageio.v3 as imageio
import imageio_ffmpeg
import numpy as np
import pytest

from engine import Engine
from engine import world as worlds
from engine.action import Action
from engine.data import side_by_side
from engine.data.real_game import GameOver, RealGame
from engine.data.recording import BEGINNING, Recorder, open_recording
from engine.data.side_by_side import export_side_by_side
from engine.data.starts import load_start
from engine.errors import ConfigError, EngineError, RecordingError, WorldError
from tests.test_core import WALK
from tests.toy import play

HEIGHT, WIDTH, GAP = 64, 96, 1


class FakeGame:
    """Frames that tell how many actions led to them, and the last of these."""

    ends_after = 10**6
    failure: Exception | None = None

    def __init__(self, world_name: str, start: int) -> None:
        self.is_open, self.start = True, start
        FakeGame.last = self

    def begin(self) -> np.ndarray:
        self.done: list[Action] = []
        return self.draw()

    def step(self, action: Action) -> np.ndarray:
        if self.failure:
            raise self.failure
        self.done.append(action)
        if len(self.done) > self.ends_after:
            raise GameOver("the real game is over here")
        return self.draw()

    def draw(self) -> np.ndarray:
        turned = round(self.done[-1].mouse[0]) if self.done else 0
        return np.full((HEIGHT, WIDTH, 3), (10 * len(self.done), 100 + turned, 90), dtype=np.uint8)

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def game(monkeypatch: pytest.MonkeyPatch) -> type[FakeGame]:
    monkeypatch.setattr(side_by_side, "RealGame", FakeGame)
    monkeypatch.setattr(FakeGame, "ends_after", 10**6)
    monkeypatch.setattr(FakeGame, "failure", None)
    return FakeGame


def record(engine: Engine, folder: Path, first_frame: int = 0) -> Path:
    """Seven frames of the toy; those from the middle of a session come with it."""
    frame = engine.reset(1, seed=6)
    for index in range(first_frame):
        frame = engine.step(WALK[index]).frame
    told = {"seed": 6, "start": 1, "checkpoint_hash": engine.checkpoint_hash, "first_frame": first_frame}
    recorder = Recorder(folder, engine.world, **told)
    if first_frame:
        engine.save(folder / BEGINNING)
    recorder.add(frame)
    for action in WALK + WALK[:2]:
        recorder.add(engine.step(action).frame, engine.action_spec.encode(action))
    recorder.close()
    return folder


def pictures(folder: Path) -> np.ndarray:
    return np.stack([imageio.imread(path) for path in sorted(folder.glob("frame_*.png"))])


@pytest.mark.parametrize("first_frame", [0, 3])
def test_generated_is_left_and_real_is_right_after_the_same_actions(
    toy_engine: Engine, tmp_path: Path, game: type[FakeGame], first_frame: int
) -> None:
    folder = record(toy_engine, tmp_path / "r", first_frame)
    made = export_side_by_side(folder, "png")
    assert str(made) == f"exported 7 frames to {folder / 'beside'}: generated left, real right"
    shown = pictures(folder / "beside")
    assert shown.shape == (7, HEIGHT, 2 * WIDTH + GAP, 3)
    np.testing.assert_array_equal(shown[:, :, :WIDTH], open_recording(folder).frames())
    assert not shown[:, :, WIDTH : WIDTH + GAP].any()
    done = WALK[:first_frame] + WALK + WALK[:2]
    assert game.last.done == done and game.last.start == 1 and not game.last.is_open
    reference = FakeGame("toy", 1)
    expected = [reference.begin(), *(reference.step(action) for action in done)][first_frame:]
    np.testing.assert_array_equal(shown[:, :, WIDTH + GAP :], expected)


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_videos_play_as_fast_as_it_was_played(
    toy_engine: Engine, tmp_path: Path, game: type[FakeGame], kind: str
) -> None:
    out = export_side_by_side(record(toy_engine, tmp_path / "r"), kind, 2).path
    assert out == tmp_path / "r" / f"beside.{kind}"
    if kind == "gif":
        frames = list(imageio.imiter(out))
        assert imageio.immeta(out)["duration"] == pytest.approx(200, abs=10)
    else:
        reader = imageio_ffmpeg.read_frames(str(out))
        meta = next(reader)
        assert meta["fps"] == 5 and tuple(meta["size"]) == (2 * WIDTH + GAP + 1, HEIGHT)
        frames = list(reader)
    assert len(frames) == 4


def test_a_game_that_ends_is_said_and_darkened(toy_engine: Engine, tmp_path: Path, game: type[FakeGame]) -> None:
    game.ends_after = 2
    folder = record(toy_engine, tmp_path / "r")
    made = export_side_by_side(folder, "png")
    assert made.over_at == 3 and "the real game is over at frame 3, and dark from there" in str(made)
    real = pictures(folder / "beside")[:, :, WIDTH + GAP :]
    assert all((frame == real[2] // 3).all() for frame in real[3:]) and (real[2] > real[3]).any()


def test_what_stands_in_the_way_is_one_sentence(toy_engine: Engine, tmp_path: Path, game: type[FakeGame]) -> None:
    folder = record(toy_engine, tmp_path / "r")
    meta = json.loads((folder / "recording.json").read_text())

    def refused(kind: type, words: str, **change: object) -> None:
        (folder / "recording.json").write_text(json.dumps(meta | change))
        with pytest.raises(kind, match=words) as caught:
            export_side_by_side(folder, "gif")
        assert str(caught.value).isprintable()

    refused(WorldError, "world 'nowhere', whose real game is not known here", world="nowhere")
    refused(WorldError, r"whose real game is not known here", world=f"../{tmp_path}\n")
    refused(RecordingError, "does not say where its session began", start=None)
    refused(RecordingError, "begins at frame 3", first_frame=3)
    game.failure = RuntimeError("boom\nbang")
    refused(WorldError, "a fault of its own, RuntimeError: boom bang")
    with pytest.raises(ConfigError, match="'avi'"):
        export_side_by_side(folder, "avi")
    pixels, actions, _ = play(0, 7)
    toy_engine.reset(history=(pixels, actions))
    toy_engine.save(folder / BEGINNING)
    with pytest.raises(RecordingError, match="did not begin in a start scene"):
        export_side_by_side(folder, "gif")
    assert {path.name for path in folder.iterdir()} == {"recording.json", "actions.jsonl", "video.mp4", BEGINNING}


def test_a_world_without_a_game_says_so(
    toy_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = record(toy_engine, tmp_path / "r")
    monkeypatch.setattr(sys, "argv", ["side_by_side", f"recording={folder}"])
    assert side_by_side.main() == 2
    assert "start scene 1 of world 'toy' does not say which real game leads to it" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["side_by_side"])
    assert side_by_side.main() == 2
    assert "'recording' must be given" in capsys.readouterr().err


def record_doom(folder: Path) -> list[Action]:
    """A recording of Doom that shows its start scene all the time; what was done in it."""
    world, scene = worlds.load("doom"), load_start("doom", 8)
    recorder = Recorder(folder, world, seed=0, start=8, checkpoint_hash="none")
    done = [Action(("forward",), (9.0, 0.0)) for _ in range(6)]
    recorder.add(scene.frames[-1])
    for action in done:
        recorder.add(scene.frames[-1], world.action_spec.encode(action))
    recorder.close()
    return done


def test_doom_is_shown_from_the_start_scene_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vizdoom")
    done = record_doom(tmp_path / "r")
    monkeypatch.setattr(sys, "argv", ["side_by_side", f"recording={tmp_path / 'r'}", "format=png"])
    assert side_by_side.main() == 0
    assert "generated left, real right" in capsys.readouterr().out
    shown = pictures(tmp_path / "r" / "beside")
    game = RealGame("doom", 8)
    try:
        expected = [game.begin(), *(game.step(action) for action in done)]
    finally:
        game.close()
    np.testing.assert_array_equal(shown[:, :, -320:], expected)
    assert np.abs(shown[0, :, :320].astype(int) - expected[0]).mean() < 4
    assert not np.array_equal(expected[-2], expected[-1])


def test_doom_that_is_not_installed_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    record_doom(tmp_path / "r")
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    with pytest.raises(EngineError, match="the real Doom needs ViZDoom: pip install"):
        export_side_by_side(tmp_path / "r", "gif")
