"""The command that makes the documentation's pictures of the window."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from docs import screen, session
from docs.session import Album, Settings, frames_after_loading, page
from engine import Engine, EngineError
from engine.play.tape import Tape
from tests.test_core import WALK, frames_of
from tests.toy import HERE


def test_the_memory_of_a_screen_is_read_as_a_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    head = np.zeros(25, dtype=int)
    head[[0, 4, 5, 12, 19]] = 104, 5, 3, 24, 2  # header, width, height, bytes of a row, colours in the table
    rows = np.zeros((3, 24), dtype=np.uint8)
    rows[:, :20] = np.concatenate([picture[..., ::-1], np.zeros((3, 5, 1), np.uint8)], axis=-1).reshape(3, 20)
    blob = struct.pack(">25I", *head) + bytes(4) + bytes(24) + rows.tobytes()
    np.testing.assert_array_equal(screen.read_xwd(blob), picture)


def test_a_moving_picture_is_made_small_enough(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [screen.shrunk(random.integers(0, 256, (12, 160, 3), dtype=np.uint8), 480) for _ in range(6)]
    screen.write_gif(frames, 0.1, tmp_path / "a.gif", 10**7)
    whole = (tmp_path / "a.gif").stat().st_size
    screen.write_gif(frames, 0.1, tmp_path / "a.gif", whole // 2)
    with Image.open(tmp_path / "a.gif") as image:
        assert isinstance(image, GifImageFile)
        assert image.n_frames * image.info["duration"] == 600 and image.n_frames < 6
    with pytest.raises(EngineError, match="more than 100"):
        screen.write_gif(frames, 0.1, tmp_path / "a.gif", 100)


def test_every_picture_is_on_the_page_in_order(tmp_path: Path) -> None:
    album = Album(tmp_path)
    for name in ("title", "play"):
        album.add(name, screen.printed(["$ python play.py", name]), f"This is {name}.")
    text = page(album, "all 9 frames are the same", 4, "Toy")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["session_01_title.png", "session_02_play.png"]
    assert text.index("![title](media/session_01_title.png)") < text.index("**2.** This is play.")
    assert "Its 4 frames" in text and "all 9 frames are the same." in text


def test_frames_after_loading_are_held_against_those_without(toy_engine: Engine, tmp_path: Path) -> None:
    frame = toy_engine.reset(0, seed=3)
    tape = Tape(toy_engine)
    tape.begin(tmp_path / "tape", frame, 0)
    for index in range(9):
        if index == 4:
            toy_engine.save(tmp_path / "a.save", start=0, number=4)
        tape.add(WALK[index % 4], toy_engine.step(WALK[index % 4]))
    toy_engine.save(tmp_path / "late.save", start=0, number=9)
    tape.end()
    settings = Settings(world="toy")
    assert frames_after_loading(tmp_path / "a.save", tmp_path / "tape", settings) == 5
    with pytest.raises(EngineError, match="nothing was recorded after"):
        frames_after_loading(tmp_path / "late.save", tmp_path / "tape", settings)
    toy_engine.reset(1, seed=3)
    frames_of(toy_engine, 4)
    toy_engine.save(tmp_path / "a.save", start=0, number=4)
    with pytest.raises(EngineError, match="frame 4 of the recording is another one"):
        frames_after_loading(tmp_path / "a.save", tmp_path / "tape", settings)


def test_without_a_screen_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None)
    assert session.main([f"out={tmp_path}"]) == 2
    assert capsys.readouterr().err == "error: Xvfb is not installed: apt-get install xvfb xdotool\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not all(map(shutil.which, ("Xvfb", "xdotool"))), reason="needs Xvfb and xdotool")
def test_a_session_is_played_and_shown(toy_files: Path, tmp_path: Path) -> None:
    game = tmp_path / "game"
    shutil.copytree(toy_files / "checkpoints" / "toy", game)
    shutil.copytree(toy_files / "assets" / "toy" / "starts", game / "starts")
    shutil.copy(HERE / "world.yaml", game)
    assert session.main([f"world={game}", f"out={tmp_path / 'docs'}", "start=1", "pace=0.4", "real=false"]) == 0
    text = (tmp_path / "docs" / "session.md").read_text()
    files = re.findall(r"\]\((media/[^)]*)\)", text)
    assert len(files) > 12 and all((tmp_path / "docs" / file).stat().st_size > 100 for file in files)
    assert "all are the same in every pixel" in text and "frames are the same." in text
