"""The ground is told by a camera that walks, falls and climbs, and decides where it goes when it comes again."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from engine.model.falls import Falls, Ticks, foresee
from engine.model.terrain import CELL, FEWEST, LATER, MOST, Index, Terrain, ground_at, under

UNIT = 1 / 256
FALLS = Falls(UNIT, 24 * UNIT, 20.5 * UNIT)
KEPT, PUSH = 0.9, 1.2 * UNIT
TICKS = Ticks(KEPT, lambda actions: actions[:, :2] * PUSH)
Ground = Callable[[float, float], float]


class Game:
    """A player of a game of ticks, scalar by scalar: lengths in its units, actions forward and to the right."""

    def __init__(self, ground: Ground, x: float, y: float, heading: float = 0.0) -> None:
        self.ground, self.place, self.speed, self.heading = ground, complex(x, y), 0j, heading
        self.feet = self.eyes = ground(x, y)
        self.fall = self.behind = self.catching = 0.0

    def tick(self, action: tuple[float, float], yaw: float) -> None:
        self.heading += yaw
        on = self.feet <= self.ground(self.place.real, self.place.imag)
        if self.behind > 0:
            self.behind, self.catching = max(0.0, self.behind - self.catching), self.catching + 0.25
        self.eyes = self.feet - self.behind
        if on:
            self.speed += complex(*action) * 1.2 * complex(math.cos(self.heading), math.sin(self.heading))
        self.place += self.speed
        floor = self.ground(self.place.real, self.place.imag)
        if self.feet <= floor:
            self.speed *= KEPT
            if floor > self.feet:
                self.behind += floor - self.feet
                self.catching = self.behind / 8
            self.feet = floor
        elif self.feet - self.fall <= floor:
            self.feet, self.fall = floor, 0.0
        else:
            self.feet -= self.fall
            self.fall = self.fall + 1 if self.fall else 2.0

    def frame(self, action: tuple[float, float], yaw: float = 0.0) -> list[float]:
        for _ in range(2):
            self.tick(action, yaw / 2)
        return [self.place.real * UNIT, self.place.imag * UNIT, self.heading, self.eyes * UNIT]


def ledge(x: float, y: float) -> float:
    """Level, then 20 down."""
    return 40.0 if x < 203 else 20.0


def stairs(x: float, y: float) -> float:
    """Three steps up, and down again at once."""
    return 0.0 if x > 330 else 12.0 * sum(x > step for step in (150, 180, 210))


def walked(game: Game, frames: int, action: tuple[float, float] = (1.0, 0.0)) -> list[list[float]]:
    """Stands, walks, and stands."""
    still = [game.frame((0, 0)) for _ in range(3)]
    return still + [game.frame(action) for _ in range(frames)] + [game.frame((0, 0)) for _ in range(40)]


def known(path: list[list[float]]) -> Terrain:
    terrain = Terrain(FALLS)
    for pose in [*path, *[path[-1]] * LATER]:
        terrain.add(pose)
    return terrain


@pytest.mark.parametrize("ground", [ledge, stairs])
def test_heights_tell_the_ground_of_each_tick(ground: Ground) -> None:
    spots = known(walked(Game(ground, 100, 0), 16)).spots
    found = np.concatenate([spots.cells[cell][: spots.counts[cell]] for cell in spots.cells]) / UNIT
    off = np.array([height - ground(x, y) for x, y, height, _ in found])
    assert len(found) > 20 and {*found[:, 2].round()} == {ground(x, 0) for x in range(100, int(found[:, 0].max()))}
    np.testing.assert_allclose(off, 0, atol=1e-3)


@pytest.mark.parametrize("ground", [ledge, stairs])
@pytest.mark.parametrize("phase", range(3))
def test_a_camera_goes_on_as_the_ground_has_it(ground: Ground, phase: int) -> None:
    """In another tick than before, turning, and with other keys: to a hundredth of a unit, its eyes to a whole one."""
    terrain = Terrain(FALLS)
    for start in range(100, 124, 2):
        for pose in walked(Game(ground, start, 0), 16):
            terrain.add(pose)
    game = Game(ground, 101 + 2 * phase, 3, 0.1)
    path, before, decided = [game.frame((0, 0)) for _ in range(3)], (0.0, 0.0), 0
    for index in range(22):
        action, yaw = (1.0, 0.5 * (index % 3 - 1)), 0.02 * (index % 5 - 2)
        terrain.path = list(path)
        path.append(game.frame(action, yaw))
        if (near := terrain.near()) is not None:
            known = partial(ground_at, spots=near[0][None], edges=near[1][None])
            given = np.array([terrain.path[-FEWEST:]]), np.array([[before, action]]), np.array([yaw])
            told, sure, behind = foresee(FALLS, TICKS, *given, known)
            assert ground is stairs or not behind.any()
            off = np.abs(told - path[-1])[0] * sure[0] / UNIT
            decided += int(sure[0, 0])
            assert off[:2].max() < 0.01 and off[3] < 1, index
        before = action
    assert decided >= 3


def test_nothing_is_told_of_places_where_it_never_was() -> None:
    terrain = known(walked(Game(ledge, 100, 0), 16))
    terrain.path = [[x, 3.0, 0.0, 40 * UNIT] for x in (0.1, 0.2, 0.3)]
    assert terrain.near() is None
    spots, edges = np.array([[[0.0, 0.0, 1.0, np.inf]]]), np.zeros((1, 0, 7))
    assert np.isnan(ground_at(np.array([[0.1, 0.0]]), spots, edges)).all()
    assert ground_at(np.array([[0.05, 0.0]]), spots, edges) == 1.0
    nowhere = np.ones((1, 3, 4)), np.zeros((1, 2, 2)), np.zeros(1), lambda places: places[:, 0] * np.nan
    assert not foresee(FALLS, TICKS, *nowhere).sure.any()


def test_what_is_neither_fall_nor_climb_tells_nothing() -> None:
    assert under([0.0, 0.0], 24.6, 20.5)[0] == [0.0, 0.0, 0.0]
    assert np.isnan(under([0.0, 7.0, 3.0, 9.0, 9.0], 24.6, 20.5)[0][2:7]).all(), "up and down"
    assert np.isnan(under([0.0, 40.0, 40.0], 24.6, 20.5)[0][1:3]).all(), "higher than any step"


def test_the_newest_rows_of_a_cell_are_kept() -> None:
    index = Index(3)
    for number in range(MOST + 5):
        index.put(0.1 * CELL, 0.1 * CELL, number)
    assert {*index.rows(index.near(0.0, 0.0))[:, 2]} == {*range(5, MOST + 5)} and not index.near(3 * CELL, 0.0)
    assert index.within(index.near(0.0, 0.0), 26.0, 27.5) and not index.within(index.near(0.0, 0.0), 26.0, 26.0)
