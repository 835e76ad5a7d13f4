"""Generated maps: the same from the same seed, walkable, of steps that a player climbs; splits kept apart."""

from __future__ import annotations

import math

import pytest

import worlds
from engine.errors import WorldError
from worlds.doom import maps, walkways
from worlds.doom.udmf import MAX_COORDINATE, MAX_STEP, PLAYER_HEIGHT, map_names

SEEDS = (0, 1, 12, 1_000_003, 2_000_007)


@pytest.mark.parametrize("flavour", maps.FLAVOURS)
def test_same_seed_same_map(flavour: str) -> None:
    assert maps.generate(5, flavour).wad() == maps.generate(5, flavour).wad()
    assert maps.generate(5, flavour).wad() != maps.generate(6, flavour).wad()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_room_is_reached_over_climbable_steps(seed: int) -> None:
    generated = maps.generate(seed, "static")
    ways = generated.walkways
    assert all(ways.rooms), "a room has no place to stand"
    reached = ways.distances(ways.rooms[0][0])[0]
    assert all(node in reached for nodes in ways.rooms for node in nodes)
    for link in generated.plan.links:
        one, two = (generated.plan.rooms[index] for index in (link.one, link.two))
        headroom = min(one.ceiling, two.ceiling) - max(one.floor, two.floor)
        assert headroom > PLAYER_HEIGHT
        if link.kind == "arch":
            assert abs(one.floor - two.floor) <= MAX_STEP * (link.steps + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_outlines_are_closed_and_on_the_map(seed: int) -> None:
    builder = maps.generate(seed, "animated").builder
    balance: dict[tuple[int, tuple[int, int]], int] = {}
    for (start, end), edge in builder.edges.items():
        balance[edge.sector, start] = balance.get((edge.sector, start), 0) + 1
        balance[edge.sector, end] = balance.get((edge.sector, end), 0) - 1
        assert max(map(abs, (*start, *end))) < MAX_COORDINATE
        other = builder.edges.get((end, start))
        assert other is None or other.sector != edge.sector
    assert not any(balance.values()), "a sector's outline is open"
    assert {edge.sector for edge in builder.edges.values()} == set(range(len(builder.sectors)))


def test_paths_are_made_of_steps_between_neighbours() -> None:
    ways = maps.generate(3).walkways
    start, goal = ways.rooms[0][0], ways.rooms[-1][-1]
    path = ways.path(start, goal)
    assert (path[0], path[-1]) == (start, goal)
    length = sum(ways.neighbours[one][two] for one, two in zip(path, path[1:], strict=False))
    assert length == pytest.approx(ways.distances(start)[0][goal])
    assert length >= math.dist(ways.points[start], ways.points[goal])


def test_walkways_keep_clear_of_walls() -> None:
    generated = maps.generate(4)
    ways, walls = generated.walkways, generated.builder.barriers()
    for x, y in (ways.points[node] for nodes in ways.rooms for node in nodes[:3]):
        for (x0, y0), (x1, y1) in walls:
            t = max(0.0, min(1.0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / math.dist((x0, y0), (x1, y1)) ** 2))
            away = math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0))
            assert away >= walkways.CLEARANCE - 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbouring_rooms_look_different(seed: int) -> None:
    generated = maps.generate(seed)
    looks = {}
    for (_, _), edge in generated.builder.edges.items():
        if edge.sector < len(generated.plan.rooms):
            looks.setdefault(edge.sector, set()).add(edge.wall)
    floors = [generated.builder.sectors[room.index] for room in generated.plan.rooms]
    kinds = {(frozenset(looks[i]), floor.floor_flat, floor.ceiling_flat) for i, floor in enumerate(floors)}
    assert len(kinds) == len(floors)


def test_written_wad_lists_its_map(tmp_path) -> None:
    path = tmp_path / "one.wad"
    path.write_bytes(maps.generate(8).wad())
    assert map_names(path) == [maps.MAP_NAME]


@pytest.mark.parametrize(
    ("seed", "flavour"), [(-1, "static"), (2**31, "static"), (True, "static"), (1.5, "static"), (1, "icy")]
)
def test_bad_seed_or_flavour(seed, flavour) -> None:
    with pytest.raises(WorldError, match="seed|flavour"):
        maps.generate(seed, flavour)


def test_splits_do_not_share_seeds() -> None:
    assert [worlds.split_of(seed) for seed in (0, 999_999, 1_000_000, 1_999_999, 2_000_000)] == [
        "train", "train", "validate", "validate", "test",
    ]  # fmt: skip
    worlds.check_split(999_999, "train")
    with pytest.raises(WorldError, match="1000000 belongs to validate: train takes 0 to 999999"):
        worlds.check_split(1_000_000, "train")
    with pytest.raises(WorldError, match="no split 'tset'"):
        worlds.check_split(1, "tset")
    with pytest.raises(WorldError):
        worlds.split_of(-1)
