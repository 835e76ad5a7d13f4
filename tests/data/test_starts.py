"""Start scenes: whole, true to the real game, and refused when they are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine import world
from engine.action import Action, ActionSpec
from engine.data import starts
from engine.data.starts import NUM_FRAMES, Start, load_start, num_starts, write_start
from engine.errors import WorldError


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(starts, "ASSETS", tmp_path)
    return tmp_path / "toy" / "starts"


def scene(name: str = "00") -> Start:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (3, 8, 10, 3), dtype=np.uint8)
    return Start(frames, rng.random((3, 4), dtype=np.float32), rng.normal(size=(3, 4)).astype(np.float32), name)


def test_shipped_starts_are_whole() -> None:
    definition = world.load("doom")
    assert num_starts("doom") >= 12
    lasts = []
    for index in range(num_starts("doom")):
        start = load_start("doom", index)
        assert start.frames.shape == (NUM_FRAMES, *definition.frame_shape) and start.frames.dtype == np.uint8
        assert start.actions.shape == (NUM_FRAMES, definition.action_spec.size)
        assert start.poses.shape == (NUM_FRAMES, 4)
        for action in start.actions:
            definition.action_spec.decode(action)
        assert start.poses[:, :3].any() and np.isfinite(start.poses).all()
        lasts.append(start.frames[-1])
    differences = [np.abs(a.astype(int) - b).mean() for i, a in enumerate(lasts) for b in lasts[:i]]
    assert min(differences) > 15.0


def test_what_is_written_is_read_back(shelf: Path) -> None:
    for name in ("00", "01"):
        write_start(shelf / name, scene(name), {"seed": 1})
    assert num_starts("toy") == 2
    found, wanted = load_start("toy", 1), scene("01")
    assert found.name == "01"
    for part in ("frames", "actions", "poses"):
        assert np.array_equal(getattr(found, part), getattr(wanted, part))


def test_a_missing_or_broken_scene_is_refused(shelf: Path) -> None:
    assert num_starts("toy") == 0
    with pytest.raises(WorldError, match="has 0 starts"):
        load_start("toy", 0)
    write_start(shelf / "00", scene(), {})
    with pytest.raises(WorldError, match="there is no 1"):
        load_start("toy", 1)
    (shelf / "00" / "frame_01.png").unlink()
    with pytest.raises(WorldError, match="not whole"):
        load_start("toy", 0)
    (shelf / "00" / "frame_00.png").write_bytes(b"no picture")
    with pytest.raises(WorldError, match="cannot be read"):
        load_start("toy", 0)
    (shelf / "00" / "start.json").write_text("{")
    with pytest.raises(WorldError, match="cannot be read"):
        load_start("toy", 0)


def test_a_player_looks_around_once_and_then_stands_still() -> None:
    spec = world.load("doom").action_spec
    walk = Action(("forward",), (2.0, 0.0))
    choose = starts.look_around(lambda pose: walk, 3, spec)
    chosen = [choose(None) for _ in range(3 + starts.NUM_FRAMES)]
    assert chosen[:3] == [walk] * 3 and chosen[3 + starts.TURNS :] == [Action()] * 3
    turns = chosen[3 : 3 + starts.TURNS]
    assert not any(turn.keys for turn in turns) and sum(turn.mouse[0] for turn in turns) == 360.0
    assert all(np.array_equal(spec.decode(spec.encode(turn)).mouse, turn.mouse) for turn in turns), "within its limit"
    for other in (ActionSpec(("forward",)), ActionSpec(("forward",), (9.0,))):
        other.validate(starts.look_around(lambda pose: walk, 0, other)(None))


def test_shipped_scenes_show_all_around() -> None:
    for index in range(num_starts("doom")):
        angles = load_start("doom", index).poses[:, 3]
        assert len(angles) == starts.NUM_FRAMES and np.ptp(np.unwrap(angles, period=360)) == pytest.approx(330, abs=1)
        np.testing.assert_allclose(angles[-3:], angles[starts.TURNS - 1], atol=1e-3)


def test_the_game_still_plays_a_shipped_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vizdoom")
    import worlds

    scenes = worlds.start_scenes("doom")
    assert len(scenes) == num_starts("doom")
    for game, _, _ in scenes:
        assert worlds.split_of(game["seed"]) == "validate"
    shortest = min(range(len(scenes)), key=lambda index: scenes[index][2])
    monkeypatch.setattr(worlds, "start_scenes", lambda name: [scenes[shortest]])
    assert starts.make_starts(starts.StartsConfig(out=str(tmp_path))) == 1
    shipped, made = starts.starts_folder("doom") / f"{shortest:02d}", tmp_path / "00"
    assert json.loads((shipped / "start.json").read_text()) == json.loads((made / "start.json").read_text())
    shutil.copytree(made, tmp_path / "doom" / "starts" / "00")
    wanted = load_start("doom", shortest)
    monkeypatch.setattr(starts, "ASSETS", tmp_path)
    assert np.array_equal(load_start("doom", 0).frames, wanted.frames)
