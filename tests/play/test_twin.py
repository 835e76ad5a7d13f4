"""The real game beside the generated one: at the same moment, by the same actions, and never in play's way."""

import time

import numpy as np
import pytest

from engine.action import Action
from engine.data.recording import open_recording
from engine.data.replay import replay
from engine.errors import WorldError
from engine.play import twin
from engine.play.saves import Saves
from engine.play.twin import Twin
from engine.play.view import BOTH, GENERATED, REAL
from engine.play.worker import Worker
from tests.play.fake_engine import WORLD, FakeEngine
from tests.play.player import until

WALK = Action(("forward",), (3.0, 0.0))


class FakeGame:
    """The toy, drawn upside down."""

    opened: list["FakeGame"] = []
    failure: Exception | None = None
    step_s = 0.0
    ends_after = 10**6

    def __init__(self, world_name, start):
        if FakeGame.failure:
            raise FakeGame.failure
        self.engine, self.start, self.num_steps, self.closed = FakeEngine(), start, 0, False
        FakeGame.opened.append(self)

    def begin(self):
        self.num_steps, self.pose = 0, None
        return self.engine.reset(self.start)[::-1]

    def step(self, action):
        time.sleep(FakeGame.step_s)
        self.num_steps += 1
        if self.num_steps > FakeGame.ends_after:
            raise WorldError("the real game is over here")
        self.pose = (float(self.num_steps), 0.0, 0.0, 0.0)
        return self.engine.step(action).frame[::-1]

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def games(monkeypatch):
    """The games that were opened."""
    monkeypatch.setattr(twin, "RealGame", FakeGame)
    for name, value in (("opened", []), ("failure", None), ("step_s", 0.0), ("ends_after", 10**6)):
        monkeypatch.setattr(FakeGame, name, value)
    return FakeGame


@pytest.fixture
def worker(engine, tmp_path):
    made = Worker(engine.load, 1, Saves(tmp_path))
    made.start()
    until(lambda: made.view)
    made.begin(lambda: WALK)
    yield made
    made.stop()
    assert not made.is_alive() and all(game.closed for game in FakeGame.opened)


def same_moment(worker) -> bool:
    """Whether the real game's frame is that of the generated one, or has taken its place."""
    view = worker.view
    return any(np.array_equal(view.real, frame) for frame in (view.frame, view.frame[::-1]) if view.real is not None)


def test_the_real_game_is_brought_to_the_same_moment_and_gets_the_same_actions(worker, games):
    until(lambda: worker.view.number > 20)
    assert not games.opened and worker.view.picture is worker.view.frame
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.real is not None)
    for _ in range(10):
        assert same_moment(worker) and worker.view.picture is worker.view.real
        number = worker.view.number
        until(lambda number=number: worker.view.number > number)
    worker.post(lambda: worker.turn_to(BOTH))
    until(lambda: worker.view.shows == BOTH)
    assert same_moment(worker) and worker.view.picture.shape == (48, 160, 3)
    worker.post(lambda: worker.turn_to(BOTH))
    until(lambda: worker.view.shows == GENERATED)
    number = worker.view.number
    until(lambda: worker.view.number > number + 10)
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.shows == REAL)
    assert same_moment(worker), "it was kept at the same moment"
    assert len(games.opened) == 1 and games.opened[0].start == 1


def test_the_generated_world_goes_on_from_what_was_seen_of_the_real_game(worker, engine):
    until(lambda: worker.view.number > 10)
    assert not engine.observed
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: len(engine.observed) > 10)
    assert np.array_equal(worker.view.frame, worker.view.real)
    worker.post(lambda: worker.turn_to(GENERATED))
    until(lambda: worker.view.shows == GENERATED)
    number, count = worker.view.number, len(engine.observed)
    until(lambda: worker.view.number > number + 5)
    assert len(engine.observed) == count and worker.view.real is None
    first = next(index for index, pose in enumerate(one[2] for one in engine.observed) if pose)
    reference = FakeEngine()
    frames = [reference.reset(1), *(reference.step(action).frame for action in engine.actions)]
    for index, (frame, action, pose) in enumerate(engine.observed[first:], int(engine.observed[first][2][0])):
        assert np.array_equal(frame, frames[index][::-1]) and action == WALK and pose == (float(index), 0.0, 0.0, 0.0)


def test_a_recording_stops_for_the_real_game_and_goes_on_after_it(worker, engine, tmp_path):
    until(lambda: worker.view.number > 5)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.view.recording)
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: engine.observed and not worker.view.recording)
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.recording == tmp_path / "r" / "0002")
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: not worker.view.recording)
    for says in ("recording does not go on", "recording begins where the network goes on", "recording does not"):
        worker.post(lambda: worker.toggle_recording(tmp_path / "other"))
        until(lambda says=says: says in worker.note.text)
    worker.post(worker.next_start)
    until(lambda: worker.view.start == 2 and worker.view.number > 10)
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.shows == GENERATED and worker.view.number > 20)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.view.recording == tmp_path / "r" / "0003")
    number = worker.view.number
    until(lambda: worker.view.number > number + 5)
    worker.stop()
    tapes = [open_recording(path) for path in (tmp_path / "r", tmp_path / "r" / "0002", tmp_path / "r" / "0003")]
    assert all(replay(tape, FakeEngine()).same for tape in tapes) and not (tmp_path / "other").exists()


def test_it_comes_along_when_one_rewinds_begins_anew_and_pauses(worker, games):
    until(lambda: worker.view.number > 60)
    worker.post(worker.toggle_pause)
    worker.post(lambda: worker.turn_to(BOTH))
    until(lambda: same_moment(worker))
    assert worker.paused
    worker.post(worker.begin_rewind)
    until(lambda: worker.view.number < 40)
    assert worker.view.real is None
    worker.post(worker.end_rewind)
    until(lambda: same_moment(worker))
    worker.post(worker.toggle_pause)
    worker.post(worker.next_start)
    until(lambda: worker.view.start == 2 and worker.view.number > 3 and worker.view.real is not None)
    assert same_moment(worker) and [game.start for game in games.opened] == [1, 2] and games.opened[0].closed


def test_play_does_not_wait_for_a_game_on_its_way(worker, games, engine):
    until(lambda: worker.view.number > 40)
    games.step_s = 0.015
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.shows == REAL)
    number, began = worker.view.number, time.monotonic()
    until(lambda: worker.view.number > number + 10)
    assert worker.view.real is None and worker.view.picture is worker.view.frame
    assert time.monotonic() - began < 2 * 10 / engine.world.rate
    games.step_s = 0.0
    until(lambda: same_moment(worker))


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (WorldError("the real Doom needs ViZDoom"), "the real Doom needs ViZDoom"),
        (RuntimeError("boom\nbang"), "the real game stopped with a fault of its own, RuntimeError: boom bang"),
    ],
)
@pytest.mark.parametrize("paused", [False, True])
def test_what_stands_in_the_way_is_one_sentence_and_play_goes_on(worker, games, failure, says, paused):
    games.failure = failure
    if paused:
        worker.post(worker.toggle_pause)
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.note.text == says and worker.view.shows == GENERATED)
    games.failure = None
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.real is not None)
    assert not worker.error


def test_a_real_game_that_ends_gives_the_window_back(worker, games):
    games.ends_after = 30
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.note.text == "the real game is over here" and worker.view.shows == GENERATED)
    number = worker.view.number
    assert number >= 29
    until(lambda: worker.view.number > number + 5)


def test_a_session_of_unknown_past_says_so(worker, games, engine, tmp_path):
    worker.post(lambda: worker.turn_to(REAL))
    until(lambda: worker.view.real is not None)
    worker.post(lambda: worker.save(tmp_path / "a.save"))
    worker.post(lambda: worker.load(tmp_path / "a.save"))
    until(lambda: worker.view.session == 1)
    assert worker.view.shows == GENERATED and games.opened[0].closed
    worker.post(lambda: worker.turn_to(BOTH))
    until(lambda: "did not begin in a start scene" in worker.note.text)
    assert worker.view.shows == GENERATED and len(games.opened) == 1


def test_the_newest_of_many_jumps_counts(games):
    arrivals = []
    made = Twin("toy", WORLD.action_spec, lambda: arrivals.append(1))
    made.start()
    row = WORLD.action_spec.encode(WALK)
    games.step_s = 0.002
    for length in (400, 300, 20):
        made.go_to(0, [row] * length)
        time.sleep(0.02)
    made.follow(row)
    until(lambda: made.seen() is not None)
    assert games.opened[0].num_steps == 21 and arrivals == [1]
    made.close()
    assert games.opened[0].closed


def test_a_long_way_is_broken_off_when_the_window_closes(games):
    made = Twin("toy", WORLD.action_spec, lambda: None)
    made.start()
    games.step_s = 0.002
    made.go_to(0, [WORLD.action_spec.encode(WALK)] * 5000)
    until(lambda: games.opened)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 0.5 and games.opened[0].closed


def test_a_session_may_end_while_the_real_game_is_on_its_way(worker, games):
    games.step_s = 0.02
    until(lambda: worker.view.number > 10)
    worker.post_in_play(lambda: worker.turn_to(BOTH))
    until(lambda: games.opened)
    worker.post_in_play(worker.end_session)
    for command in (worker.toggle_memory, worker.next_start, worker.begin_rewind, worker.end_session):
        worker.post_in_play(command)  # by keys that were pressed too late
    worker.post(lambda: worker.show_memory(True))
    until(lambda: worker.view is None and games.opened[-1].closed)
    worker.post(lambda: worker.open_start(2))
    until(lambda: worker.view or worker.error)
    assert worker.error is None and worker.view.start == 2 and worker.view.memory
