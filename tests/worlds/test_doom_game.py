"""The real game behind its environment: exact turns, one picture per pose, the same play from the same seed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import gymnasium
import numpy as np
import pytest

import worlds
from engine.action import Action
from engine.errors import ActionError, SessionError, WorldError
from worlds.doom.game import DoomEnv
from worlds.doom.wanderer import Wanderer

pytest.importorskip("vizdoom")


def make(**settings) -> DoomEnv:
    return cast(DoomEnv, worlds.make_env("doom", **settings))


@pytest.fixture(scope="module")
def env() -> Iterator[DoomEnv]:
    game = make(seed=3)
    yield game
    game.close()


def wrap(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def test_frames_actions_and_pose_are_as_the_world_says(env: DoomEnv) -> None:
    frame, info = env.reset()
    assert frame.shape == env.world.frame_shape and frame.dtype == np.uint8
    assert env.observation_space.contains(frame)
    assert len(info["pose"]) == 4 and all(isinstance(value, float) for value in info["pose"])
    assert cast(gymnasium.spaces.Dict, env.action_space)["mouse"].shape == (1,)


def test_each_pixel_is_the_mean_of_four_of_the_games(env: DoomEnv) -> None:
    env.reset()
    frame = env.step(Action(("forward",), (7.0, 0.0)))[0]
    drawn = env._game.get_state().screen_buffer
    assert drawn.shape == (400, 640, 3)
    squares = drawn[8:-8].reshape(192, 2, 320, 2, 3)  # of the middle 384 rows
    assert frame.shape == (192, 320, 3) and frame.dtype == np.uint8
    assert np.array_equal(frame, np.floor(squares.astype(float).mean(axis=(1, 3)) + 0.5))
    assert np.ptp(squares, axis=(1, 3)).max() > 100  # the four differ


@pytest.mark.parametrize("yaw", [0.0, 0.1, 1.0, 7.77, 15.0, 30.0, -0.1, -3.3, -30.0])
def test_the_view_turns_by_the_yaw_asked(env: DoomEnv, yaw: float) -> None:
    before = env.reset()[1]["pose"][3]
    for _ in range(20):
        info = env.step(Action((), (yaw, 0.0)))[4]
        assert wrap(before - info["pose"][3]) == pytest.approx(yaw, abs=0.006)  # right is positive and lowers the angle
        before = info["pose"][3]


def test_every_key_moves_as_it_says(env: DoomEnv) -> None:
    lengths = {}
    for key, way in (("forward", 0), ("back", 180), ("left", 90), ("right", -90)):
        for run in ((), ("run",)):
            env.reset()
            start = env.step(Action())[4]["pose"]
            for _ in range(3):
                x, y, _, angle = env.step(Action((key, *run)))[4]["pose"]
            moved = np.hypot(x - start[0], y - start[1])
            direction = np.degrees(np.arctan2(y - start[1], x - start[0]))
            assert moved > 5.0 and abs(wrap(direction - angle - way)) < 10.0
            lengths[key, run] = moved
        assert lengths[key, ("run",)] > 1.4 * lengths[key, ()]


def test_same_pose_same_pixels(env: DoomEnv) -> None:
    rng = np.random.default_rng(0)
    env.reset()
    seen: dict[tuple[float, ...], bytes] = {}
    returns = 0
    for _ in range(8):
        for _ in range(rng.integers(0, 12)):
            env.step(Action(("forward",), (float(rng.uniform(-20, 20)), 0.0)))
        for _ in range(12):
            env.step(Action())
        for _ in range(36):
            frame, *_, info = env.step(Action(("attack", "use"), (float(rng.choice((-30.0, 30.0))), 0.0)))
            returns += info["pose"] in seen
            assert seen.setdefault(info["pose"], frame.tobytes()) == frame.tobytes()
    assert returns > 50


def test_frames_are_copies(env: DoomEnv) -> None:
    first = env.reset()[0]
    kept = first.copy()
    for _ in range(5):
        env.step(Action(("forward",), (20.0, 0.0)))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("flavour", ["static", "monsters"])
def test_same_seed_and_actions_same_frames(flavour: str) -> None:
    runs = []
    for _ in range(2):
        game = make(seed=11, flavour=flavour)
        frames = [game.reset(seed=4)[0]]
        for i in range(60):
            frames.append(game.step(Action(("forward", "attack"), (3.0 if i % 20 < 10 else -8.0, 0.0)))[0])
        runs.append(np.stack(frames))
        game.close()
    assert np.array_equal(runs[0], runs[1])
    assert runs[0].std(axis=0).max() > 10.0


def test_a_sample_of_the_space_is_an_action_too(env: DoomEnv) -> None:
    sample = {"keys": np.array([1, 0, 0, 0, 0, 0, 0], dtype=np.int8), "mouse": np.array([6.0], dtype=np.float32)}
    env.reset(seed=1)
    by_sample = env.step(sample)[0]
    env.reset(seed=1)
    assert np.array_equal(by_sample, env.step(Action(("forward",), (6.0, 0.0)))[0])


def test_the_game_ends_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    game = make(seed=1)
    folder = game._folder
    game.reset()
    assert folder.exists()
    game.close()
    game.close()
    assert not folder.exists()
    assert os.listdir(tmp_path) == []
    with pytest.raises(SessionError, match="closed"):
        game.reset()


def test_misuse_is_answered(env: DoomEnv) -> None:
    env.reset()
    with pytest.raises(ActionError, match="forwrd"):
        env.step(Action(("forwrd",)))
    with pytest.raises(ActionError, match="finite"):
        env.step(Action((), (float("nan"), 0.0)))
    with pytest.raises(ActionError):
        env.step({"keys": np.zeros(7)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -4}, "seed"),
        ({"flavour": "frozen"}, "flavour"),
        ({"wad": "/no/such.wad"}, "such.wad"),
        ({"map": "MAP99"}, "MAP99"),
    ],
)
def test_bad_settings(settings: dict, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        make(**settings)


def test_a_file_that_is_no_wad(tmp_path: Path) -> None:
    path = tmp_path / "notes.wad"
    for content in (b"", b"these are my notes, not a game"):
        path.write_bytes(content)
        with pytest.raises(WorldError, match="notes.wad"):
            make(wad=path)


def test_missing_vizdoom_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    with pytest.raises(WorldError, match="pip install"):
        make(seed=1)


def test_hand_made_maps_and_files(tmp_path: Path) -> None:
    from worlds.doom.maps import generate

    path = tmp_path / "mine.wad"
    path.write_bytes(generate(21).wad())
    pictures = []
    for settings in ({"wad": path}, {"seed": 21}, {"map": "map03"}):
        game = make(**settings)
        pictures.append(game.reset()[0])
        game.close()
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_unknown_names_are_answered(env: DoomEnv) -> None:
    with pytest.raises(WorldError, match="did you mean 'doom'"):
        worlds.make_env("dom")
    with pytest.raises(WorldError, match="tour 'strol'"):
        worlds.make_player("doom", env, 1, "strol")
    with pytest.raises(WorldError, match="gap"):
        worlds.make_player("doom", env, 1, "revisit", 0)


@pytest.mark.parametrize(("level", "gap"), [("MAP01", 16), ("MAP05", 64), ("MAP08", 64)])
def test_a_player_who_knows_no_map_comes_back(level: str, gap: int) -> None:
    game = make(map=level)
    player = worlds.make_player("doom", game, 2_000_000, "revisit", gap)
    poses = []
    info = game.reset(seed=0)[1]
    while "return_end" not in player.marks and len(poses) < 600:
        poses.append(info["pose"])
        *_, terminated, _, info = game.step(player.act(info["pose"]))
        assert not terminated
    game.close()
    marks, trail = player.marks, np.array(poses)
    assert gap <= marks["return_start"] - marks["visit_end"] <= 1.5 * gap + 60
    seen = trail[marks["visit_start"] : marks["visit_end"]]
    back = trail[marks["return_start"] : marks["return_start"] + 32]
    moved = np.hypot(back[:, None, 0] - seen[None, :, 0], back[:, None, 1] - seen[None, :, 1])
    turned = np.abs(wrap(back[:, None, 3] - seen[None, :, 3]))  # type: ignore[operator]
    assert ((moved < 16.0) & (turned < 6.0)).any(axis=1).mean() >= 0.6


def test_wandering_covers_ground_and_opens_doors(env: DoomEnv) -> None:
    game = make(seed=40, flavour="animated")
    assert game.map is not None
    ways, player = game.map.walkways, Wanderer(5, "explore")
    info = game.reset(seed=40)[1]
    rooms = set()
    for _ in range(2500):
        info = game.step(player.act(info["pose"]))[4]
        rooms.add(ways.room_of[ways.nearest(*info["pose"][:2])])
    game.close()
    assert len(rooms) >= 4 and player._used > 0


def test_the_way_back_has_no_loops() -> None:
    player = Wanderer(1, "explore")
    square = [(40.0 * x, 0.0) for x in range(5)] + [(160.0, 40.0), (120.0, 40.0), (80.0, 40.0), (80.0, 10.0)]
    for x, y in square:
        player._drop_crumb((x, y, 41.0, 0.0))
    assert [crumb[:2] for crumb in player.crumbs] == [(0.0, 0.0), (40.0, 0.0), (80.0, 0.0)]
    player._drop_crumb((40.0, 5.0, 141.0, 0.0))  # the same place on another floor
    assert len(player.crumbs) == 4


def test_maps_of_a_file() -> None:
    assert worlds.map_names("doom", "freedoom2", "map03, MAP01") == ["MAP03", "MAP01"]
    assert len(worlds.map_names("doom", "freedoom2")) == 32
    with pytest.raises(WorldError, match="MAP99"):
        worlds.map_names("doom", None, "MAP99")
