"""The guide to a game of one's own runs as it stands, only shorter: recorded, trained, and played."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from engine import world as worlds  # noqa: E402
from engine.core import Engine  # noqa: E402
from engine.data import own_game  # noqa: E402
from engine.data.episode import find_episodes, open_episode  # noqa: E402
from engine.data.starts import NUM_FRAMES  # noqa: E402
from engine.play import app  # noqa: E402
from engine.play.shelf import shelf, shelved  # noqa: E402
from engine.train.__main__ import main as train  # noqa: E402
from tests.test_snippets import snippets  # noqa: E402
from tests.toy import TINY, record_play  # noqa: E402

DOCS = Path(__file__).resolve().parent.parent / "docs"
SHORT = ["episodes=2", "frames=40", "workers=1"]
LEARNT = ("codec", "motion", "generator", "stream")
FEW = [f"{stage}.schedule.{key}" for stage in LEARNT for key in ("steps=2", "batch=2")]
for part in ("generator", "stream"):
    FEW += [f"{part}.frames=4", f"{part}.stream_frames=12", f"{part}.review_chunks=2"]
FEW += ["codec.frames=20", "device=cpu", *TINY]


def commands(about: str) -> list[str]:
    """The command lines of the guide that are about one module, less the `python -m module` before them."""
    text = (DOCS / "own_game.md").read_text(encoding="utf-8")
    lines = [line for part in re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S) for line in part.splitlines()]
    return [line.split(about, 1)[1] for line in lines if about in line]


def test_the_guide_leads_to_a_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game, *uses = snippets("own_game.md")
    (tmp_path / "my_game.py").write_text(game)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    lamp = [line for line in commands("engine.data.own_game") if "my_game" in line]
    assert len(lamp) == 2
    assert own_game.main([*shlex.split(lamp[0]), *SHORT]) == 0
    world = worlds.load("games/lamp")
    assert (world.name, world.rate, world.frame_shape) == ("lamp", 10.0, (64, 96, 3))
    assert {key.name: key.bind for key in world.keys} == {"left": ["a", "left"], "right": ["d", "right"]}
    assert own_game.main([*shlex.split(lamp[1]), *SHORT, "episodes=3"]) == 0
    last = open_episode(find_episodes("games/lamp/train")[-1])
    assert len(find_episodes("games/lamp/train")) == 3 and last.meta["policy"] == "my_game:to_and_fro"

    first, own = (line for line in commands("engine.train") if "lamp" in line)
    assert train([*shlex.split(first), *FEW]) == 0
    doom = shelved("doom")
    assert doom and [one.world.name for one in shelf(Path("games"), doom)] == ["doom", "lamp"]
    with Engine.load("games/lamp", device="cpu") as engine:
        start = open_episode(find_episodes("games/lamp/validate")[0])
        np.testing.assert_array_equal(engine.reset(0), start.frames()[20 + NUM_FRAMES - 1])
    for use in uses:
        exec(compile(use, "docs/own_game.md", "exec"), {})
    play = shlex.split(commands("play.py")[1])
    assert app.main([*play, "headless=true", "frames=3", "device=cpu", "record=recordings"]) == 0
    record_long(tmp_path / "recordings" / "long")
    assert train([*shlex.split(own), *FEW, "stage=codec", "out=again"]) == 0
    assert find_episodes("recordings/long")


def record_long(path: Path) -> None:
    with Engine.load("games/lamp", device="cpu") as engine:
        record_play(path, 0, 40, world=engine.world)
