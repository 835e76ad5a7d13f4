"""The real game at a start scene, and the sentences where it cannot be."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.action import Action
from engine.data import starts
from engine.data.real_game import RealGame
from engine.errors import WorldError

STARTS = starts.ASSETS / "doom" / "starts"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the first start scene, the only one."""
    monkeypatch.setattr(starts, "ASSETS", tmp_path)
    shutil.copytree(STARTS / "00", tmp_path / "doom" / "starts" / "00")
    return tmp_path / "doom" / "starts" / "00"


def test_it_comes_to_a_scene_again_and_again() -> None:
    pytest.importorskip("vizdoom")
    game = RealGame("doom", 8)
    try:
        scene = starts.load_start("doom", 8)
        first = [game.begin()]
        assert game.pose == tuple(scene.poses[-1].tolist())
        first += [*(game.step(Action(("forward",), (9.0, 0.0))) for _ in range(12))]
        assert game.pose is not None and game.pose[3] != scene.poses[-1][3]
        again = [game.begin(), *(game.step(Action(("forward",), (9.0, 0.0))) for _ in range(12))]
    finally:
        game.close()
    np.testing.assert_array_equal(first[0], scene.frames[-1])
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[-1])


def test_a_scene_that_the_game_does_not_lead_to_says_so(scene: Path) -> None:
    pytest.importorskip("vizdoom")
    notes = json.loads((scene / "start.json").read_text())
    notes["source"]["last_frame"] = 3
    (scene / "start.json").write_text(json.dumps(notes))
    game = RealGame("doom", 0)
    with pytest.raises(WorldError, match="does not lead to start scene 0 as it is shipped"):
        game.begin()
    game.close()


@pytest.mark.parametrize("source", [{}, {"game": {}}, [], None])
def test_a_scene_without_a_source_says_so(scene: Path, source) -> None:
    notes = json.loads((scene / "start.json").read_text())
    (scene / "start.json").write_text(json.dumps(notes | {"source": source}))
    with pytest.raises(WorldError, match="does not say which real game leads to it"):
        RealGame("doom", 0)


def test_a_game_that_is_not_installed_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    with pytest.raises(WorldError, match="the real Doom needs ViZDoom: pip install"):
        RealGame("doom", 0)


def test_a_missing_package_says_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("worlds.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(WorldError, match="needs gymnasium, which is not installed"):
        RealGame("doom", 0)


def test_a_world_without_a_game_says_so(toy: Path) -> None:
    with pytest.raises(WorldError, match="does not say which real game"):
        RealGame("toy", 0)
