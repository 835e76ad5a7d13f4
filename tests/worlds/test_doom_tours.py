"""Players that follow a plan in the real game: they cover rooms, come back after a gap, and stand at walls."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest

import worlds
from tests.worlds.test_doom_game import make, wrap
from worlds.doom import tours

pytest.importorskip("vizdoom")


@pytest.mark.parametrize(("flavour", "seed"), [("static", 40), ("static", 1_000_001), ("animated", 40)])
def test_a_tour_covers_rooms(flavour: str, seed: int) -> None:
    game = make(seed=seed, flavour=flavour)
    player = cast(tours.Player, worlds.make_player("doom", game, seed, "explore"))
    info = game.reset(seed=seed)[1]
    rooms = set()
    for _ in range(900):
        action = player.act(info["pose"])
        game.spec_of_actions.validate(action)
        info = game.step(action)[4]
        rooms.add(player.ways.room_of[player.ways.nearest(*info["pose"][:2])])
    game.close()
    assert len(rooms) >= 6


@pytest.mark.parametrize("gap", [16, 64, 256, 1024])
def test_a_revisit_comes_back_after_its_gap(gap: int) -> None:
    game = make(seed=51)
    player = cast(tours.Player, worlds.make_player("doom", game, 51, "revisit", gap))
    poses = []
    info = game.reset(seed=51)[1]
    while "return_end" not in player.marks and len(poses) < 1.3 * gap + 420:
        poses.append(info["pose"])
        *_, info = game.step(player.act(info["pose"]))
    game.close()
    marks = player.marks
    assert gap <= marks["return_start"] - marks["visit_end"] <= 1.5 * gap + 60
    assert marks["visit_start"] < marks["visit_end"] and marks["return_end"] - marks["return_start"] >= 32
    seen = np.array(poses[marks["visit_start"] : marks["visit_end"]])
    back = np.array(poses[marks["return_start"] : marks["return_end"]])
    near = np.hypot(back[:, None, 0] - seen[None, :, 0], back[:, None, 1] - seen[None, :, 1])
    near = near / 16.0 + np.abs(wrap(back[:, None, 3] - seen[None, :, 3])) / 4.0  # type: ignore[operator]
    assert np.median(near.min(axis=1)) < 4.0, "the return does not retrace the visit"


@pytest.mark.parametrize("gap", [64, 256])
def test_a_loop_comes_back_by_another_door(gap: int) -> None:
    game = make(seed=1_000_102)
    player = cast(tours.Player, worlds.make_player("doom", game, 1_000_102, "loop", gap))
    poses, info = [], game.reset(seed=1_000_102)[1]
    while "return_end" not in player.marks and len(poses) < 1.3 * gap + 700:
        poses.append(info["pose"])
        *_, info = game.step(player.act(info["pose"]))
    game.close()
    marks, ways = player.marks, player.ways
    rooms = [ways.room_of[ways.nearest(*pose[:2])] for pose in poses]
    begin, left, back = marks["visit_start"], marks["visit_end"], marks["return_start"]
    assert back - left >= gap and marks["return_end"] - back >= 32 and left - begin >= 48
    assert set(rooms[begin:left]) == {rooms[back]} and rooms[back - 1] != rooms[back]
    gone = left + next(i for i, room in enumerate(rooms[left:]) if room != rooms[left])
    assert math.dist(poses[gone][:2], poses[back][:2]) > 128.0


@pytest.mark.parametrize("settings", [{"seed": 51}, {"map": "map01"}])
def test_a_stray_player_walks_on_at_walls_and_gets_away(settings: dict[str, Any]) -> None:
    game = make(**settings)
    player = worlds.make_player("doom", game, 51, "stray")
    info = game.reset(seed=51)[1]
    places, walking = [info["pose"][:2]], []
    for _ in range(500):
        action = player.act(info["pose"])
        game.spec_of_actions.validate(action)
        *_, info = game.step(action)
        places.append(info["pose"][:2])
        walking.append("forward" in action.keys)
    game.close()
    steps = np.hypot(*np.diff(np.array(places), axis=0).T)
    assert 0.15 < np.mean(steps[walking] < 1.0) < 0.85
    assert np.ptp(places, axis=0).max() > 250.0


def test_a_wanderer_needs_no_map_to_do_the_same() -> None:
    game = make(seed=51)
    player, other = worlds.make_player("doom", game, 51, "wander"), worlds.make_wanderer("doom", 51)
    info, places = game.reset(seed=51)[1], []
    for _ in range(150):
        action = player.act(info["pose"])
        assert action == other.act(info["pose"])
        *_, info = game.step(action)
        places.append(info["pose"][:2])
    game.close()
    assert player.marks == {"tour": "wander"} and np.ptp(np.array(places), axis=0).max() > 150.0
