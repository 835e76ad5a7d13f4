"""Sessions whose camera falls and climbs where it was before: alone, together, and from where they were left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import savefile
from engine.errors import SaveError
from engine.model.diffusion import schedule
from engine.model.footing import Footing
from engine.model.network import WorldModel
from engine.model.pose import to_game
from engine.model.pushes import Pushes
from engine.model.recall import Recall
from engine.model.rollout import Rollout
from engine.session import Session
from engine.snapshot import Snapshot
from tests.conftest import TOY, random_model
from tests.model.test_terrain import FALLS, UNIT, Game, ledge, walked
from tests.test_core import PIXELS

AHEAD = np.array([1.0, 0.0, 0.0], dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> WorldModel:
    """A toy whose camera one key pushes ahead, tick by tick, and that falls."""
    model = random_model(settings=dataclasses.replace(TOY, foresees_height=False, pushes=True))
    moves = model.generator.momentum
    assert isinstance(moves, Pushes)
    with torch.no_grad():
        moves.kept.weight.copy_(0.81 * torch.eye(2))
        for part in (moves.pushed, moves.pushes):
            part.weight.zero_()
        moves.pushed.weight[0, 0] = 8 * 1.2 * UNIT / 0.9
        moves.pushes.weight[0::2, 0] = 8 * 1.2 * UNIT
    model.falls = FALLS.gravity, FALLS.climb, FALLS.behind
    return model.requires_grad_(False)


def route(start: float = 100.0) -> torch.Tensor:
    """Poses of a walk over a ledge, and of another until it falls, [n, SIZE]."""
    game = Game(ledge, start + 1, 0)
    poses = walked(Game(ledge, start, 0), 14) + [game.frame((0, 0)) for _ in range(3)]
    while poses[-1][3] > 39 * UNIT or len(poses) < 60:
        poses.append(game.frame((1.0, 0.0)))
    return torch.tensor(poses)


def begun(model: WorldModel) -> Session:
    session, way = Session(model, 1.0, schedule(2), 0, rewind_frames=40), route()
    actions = np.zeros((len(way), 3), dtype=np.float32)
    actions[-3:] = AHEAD
    poses = np.array([to_game(pose, 1.0) for pose in way], dtype=np.float32)
    session.start(np.stack([PIXELS[i % len(PIXELS)] for i in range(len(way))]), actions, poses)
    return session


def frames(session: Session, count: int) -> list[np.ndarray]:
    return [session.step(AHEAD) for _ in range(count)]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(np.stack(one), np.stack(other))


def test_a_fall_goes_on_where_it_fell_before(model: WorldModel) -> None:
    rollout, way = Rollout(model, 1, [1.0, 0.0], [0]), route()
    latents, actions = torch.zeros(1, len(way), *TOY.latent_shape), torch.zeros(1, len(way), 3)
    rollout.start(latents, actions, way[None])
    asked = rollout._turn(torch.from_numpy(AHEAD)[None])
    fallen, shown = (asked[0] - way[-1]) / UNIT, asked + 1
    assert fallen[3] < -6 and torch.allclose(fallen[:2], (way[-1] - way[-2])[:2] / UNIT, atol=0.1), "as before, faster"
    assert rollout.footing.keep(asked, shown).tolist() == [[*shown[0, :3].tolist(), float(asked[0, 3])]]
    rollout.banks[0].recall = Recall(on=False)
    assert rollout._turn(torch.from_numpy(AHEAD)[None])[0, 3] == way[-1, 3], "who recalls nothing knows no ground"


def test_a_session_goes_on_as_if_never_interrupted(model: WorldModel, tmp_path: Path) -> None:
    session = begun(model)
    before = frames(session, 5)
    snapshot = session.snapshot("hash")
    path = snapshot.packed(session.frame(), {"world": "toy"})(tmp_path / "a.save")
    unbroken = frames(session, 9)
    session.rewind(9)
    same(unbroken, frames(session, 9))
    session.take_up(snapshot)
    same(unbroken, frames(session, 9))
    other = Session(model, 1.0, schedule(2), 7, rewind_frames=40)
    other.take_up(Snapshot.read(path, "toy", "hash", model.settings, model.device))
    same(unbroken, frames(other, 9))
    session.rewind(14)
    same(before, frames(session, 5))


@pytest.mark.parametrize("harm", [lambda way: way[1:], lambda way: way * torch.nan, lambda way: way.double()])
def test_a_damaged_way_is_refused(
    model: WorldModel, tmp_path: Path, harm: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    session = begun(model)
    path = session.snapshot("hash").packed(session.frame(), {"world": "toy"})(tmp_path / "a.save")
    tensors, meta = savefile.read(path)
    savefile.write(path, tensors | {"path": harm(tensors["path"])}, meta)
    with pytest.raises(SaveError, match="path"):
        Snapshot.read(path, "toy", "hash", model.settings, model.device)
    del tensors["path"]  # as in files of before
    savefile.write(path, tensors, meta)
    read = Snapshot.read(path, "toy", "hash", model.settings, model.device)
    assert len(read.way) == session.num_frames and len({tuple(pose) for pose in read.way}) <= TOY.recent_frames


def test_nothing_is_told_without_falls(model: WorldModel) -> None:
    footing = Footing(random_model(), 1)
    asked = torch.zeros(1, 4)
    footing.add(asked)
    assert footing.send_for(asked, asked) is None and footing.lead(asked, None, [0]) is asked
    assert footing.keep(asked, asked) is asked and not footing.way() and not footing.unread


def test_sessions_together_are_led_as_each_alone(model: WorldModel) -> None:
    whole, ways = Footing(model, 3), torch.stack([route(start)[-70:] for start in (100.0, 100.5, 101.0)])
    alone, held, asked = [Footing(model, 1) for _ in ways], torch.from_numpy(AHEAD).expand(3, 3), ways[:, -1]
    whole.add(*ways.unbind(1))
    for one, way in zip(alone, ways.tolist(), strict=True):
        one.go(tuple(way))
    found = whole.lead(asked, whole.send_for(held, held), [0, 2])
    each = torch.cat([
        one.lead(asked[i : i + 1], one.send_for(held[:1], held[:1]), [0]) for i, one in enumerate(alone)
    ])  # fmt: skip
    assert torch.equal(found[[0, 2]], each[[0, 2]]) and (found[[0, 2], 3] < asked[[0, 2], 3]).all()
    assert torch.equal(found[1], asked[1]), "who may recall nothing is left alone"
