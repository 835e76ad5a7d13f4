"""The generating thread: paced, from the newest action, and never silent about a failure."""

import time

import numpy as np
import pytest

from engine.action import Action
from engine.data.recording import open_recording
from engine.errors import EngineError
from tests.play.player import until


def test_frames_come_at_the_worlds_rate(engine, started):
    started(engine)
    until(lambda: len(engine.began) > 50)
    assert np.median(np.diff(engine.began)) == pytest.approx(1 / engine.world.rate, rel=0.15)


def test_nothing_is_made_before_the_window_begins(engine, started):
    worker = started(engine, begin=False)
    time.sleep(0.1)
    assert worker.view.number == 0 and not engine.actions


def test_a_stall_is_not_followed_by_a_burst(engine, started):
    started(engine)
    until(lambda: len(engine.began) > 5)
    engine.step_s = 0.3
    time.sleep(0.1)
    engine.step_s = 0.0
    stalled = len(engine.began)
    until(lambda: len(engine.began) > stalled + 10)
    assert np.diff(engine.began)[stalled:].min() > 0.5 / engine.world.rate


def test_each_step_gets_the_newest_action(engine, started):
    taken = []

    def take():
        taken.append(time.monotonic())
        return Action(("forward",), (len(taken) % 30, 0.0))

    engine.step_s = 0.01
    started(engine, take)
    until(lambda: len(engine.actions) > 20)
    assert [action.mouse[0] for action in engine.actions[:20]] == [i % 30 for i in range(1, 21)]
    assert np.median(np.subtract(engine.began[:20], taken[:20])) < 0.005


def test_the_view_tells_of_its_step(engine, started):
    worker = started(engine, lambda: Action(("forward",), (2.0, 0.0)))
    until(lambda: worker.view.number > 40)
    view = worker.view
    assert view.frame.shape == engine.world.frame_shape
    assert view.info["memory_entries"] == 7 and view.start == 0
    assert view.frames_per_s == pytest.approx(engine.world.rate, rel=0.3)


def test_pausing_stops_the_world_and_only_it(engine, started, tmp_path):
    worker = started(engine)
    until(lambda: engine.actions)
    worker.post(worker.toggle_pause)
    until(lambda: worker.paused)
    count = len(engine.actions)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.view.recording)
    time.sleep(0.1)
    assert len(engine.actions) == count
    worker.post(worker.toggle_pause)
    until(lambda: len(engine.actions) > count)


def test_new_starts_are_cycled(engine, started):
    worker = started(engine, start=1)
    for expected in (2, 0, 1):
        worker.post(worker.next_start)
        until(lambda expected=expected: worker.view.start == expected and worker.view.number > 0)
    assert engine.starts == [1, 2, 0, 1]


def test_what_is_recorded_is_what_was_played(engine, started, tmp_path):
    worker = started(engine, lambda: Action(("forward",), (3.0, 0.0)))
    until(lambda: worker.view.number > 3)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.view.recording == tmp_path / "r")
    first = worker.view.number
    until(lambda: worker.view.number > first + 10)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.recorded)
    read = open_recording(tmp_path / "r")
    assert worker.recorded == [f"recorded {len(read)} frames in {tmp_path / 'r'}"]
    begun = read.meta["first_frame"]
    assert abs(begun - first) <= 1 and read.meta["checkpoint_hash"] == "cafe"
    assert not read.actions[0].any()
    assert (read.actions[1:] == np.array([1, 0, 0, 0, 3], np.float32)).all()
    assert read.poses[1:, 0].tolist() == [begun + i for i in range(1, len(read))]


def test_a_new_start_begins_a_recording_of_its_own(engine, started, tmp_path):
    worker = started(engine)
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    worker.post(worker.next_start)
    until(lambda: worker.view.number > 3 and worker.view.start == 1)
    worker.stop()
    first, second = open_recording(tmp_path / "r"), open_recording(tmp_path / "r" / "0002")
    assert (first.meta["start"], second.meta["start"]) == (0, 1)
    assert second.meta["first_frame"] == 0 and len(second) > 3
    assert len(worker.recorded) == 2


def test_a_recording_that_cannot_be_written_is_said_and_play_goes_on(engine, started, tmp_path):
    (tmp_path / "file").write_text("")
    worker = started(engine)
    worker.post(lambda: worker.toggle_recording(tmp_path / "file"))
    until(lambda: "cannot record" in worker.note.text)
    count = len(engine.actions)
    until(lambda: len(engine.actions) > count + 3)
    assert worker.view.recording is None and not worker.error


def test_stopping_finishes_the_recording_and_closes_the_engine(engine, started, tmp_path):
    worker = started(engine)
    worker.post(lambda: worker.toggle_recording(tmp_path))
    until(lambda: worker.view.number > 3 and worker.view.recording)
    worker.stop()
    assert engine.closed and not worker.is_alive()
    assert len(open_recording(tmp_path)) >= 3


def test_an_engines_error_is_handed_on_with_the_recording_kept(engine, started, tmp_path):
    engine.fails_at = 8
    worker = started(engine, begin=False)
    worker.post(lambda: worker.toggle_recording(tmp_path))
    worker.begin(Action)
    until(lambda: worker.error)
    worker.join(5)
    assert "lost its way" in str(worker.error) and engine.closed
    assert len(open_recording(tmp_path)) == 9


def test_a_fault_is_handed_on_too(engine, started):
    engine.fails_at, engine.failure = 2, ZeroDivisionError("division by zero")
    worker = started(engine)
    until(lambda: worker.error)
    assert worker.error is engine.failure


def test_an_engine_that_cannot_load_or_start_is_one_error(engine, started):
    assert "starts 0 to 2" in str(started(engine, begin=False, start=9).error)

    class Broken:
        def load(self):
            raise EngineError("there is no world 'x'")

    assert "no world" in str(started(Broken(), begin=False).error)


def test_a_saved_session_is_taken_up_again(engine, started, tmp_path):
    worker = started(engine, lambda: Action(("forward",), (3.0, 0.0)), start=1)
    until(lambda: worker.view.number > 5)
    worker.post(lambda: worker.save(tmp_path / "a.save"))
    until(lambda: "saved to slot 'a'" in worker.note.text)
    saved, picture = worker.view.number, worker.view.frame
    worker.post(worker.next_start)
    until(lambda: worker.view.start == 2 and worker.view.number > 3)
    worker.post(worker.toggle_pause)
    worker.post(lambda: worker.load(tmp_path / "a.save"))
    until(lambda: worker.view.start == 1)
    assert worker.view.number >= saved - 1 and worker.view.session == 2
    worker.post(lambda: worker.load(tmp_path / "a.save"))
    until(lambda: worker.view.session == 3)
    assert worker.view.frame.shape == picture.shape and engine.count == worker.view.number


def test_what_cannot_be_saved_or_loaded_is_said_and_play_goes_on(engine, started, tmp_path):
    worker = started(engine)
    (tmp_path / "file").write_text("no save")
    for command, says in (
        (lambda: worker.load(tmp_path / "none.save"), "nothing is kept in slot 'none'"),
        (lambda: worker.load(None), "no moment is kept"),
        (lambda: worker.load(tmp_path / "file"), "not a saved session"),
        (lambda: worker.save(tmp_path / "file" / "a.save"), "cannot save"),
    ):
        worker.post(command)
        until(lambda says=says: says in worker.note.text)
    count = len(engine.actions)
    until(lambda: len(engine.actions) > count + 3)
    assert not worker.error and worker.view.session == 0


def test_rewinding_goes_back_while_it_is_held_and_play_goes_on_from_there(engine, started, tmp_path):
    worker = started(engine, lambda: Action(("forward",), (3.0, 0.0)))
    until(lambda: worker.view.number > 40)
    worker.post(worker.toggle_pause)
    until(lambda: worker.paused)
    paused = worker.view.number
    worker.post(worker.begin_rewind)
    until(lambda: worker.view.number < paused - 20)
    worker.post(worker.end_rewind)
    until(lambda: worker.note.text.endswith("s back"))
    number = worker.view.number
    assert engine.count == number and worker.view.info["pose"][0] == number
    time.sleep(0.05)
    assert worker.view.number == number
    worker.post(worker.begin_rewind)
    until(lambda: "cannot go back further" in worker.note.text)
    assert worker.view.number == 0
    worker.post(worker.end_rewind)
    worker.post(worker.toggle_pause)
    until(lambda: worker.view.number > 3)


def test_a_recording_ends_where_one_goes_back_and_another_begins(engine, started, tmp_path):
    worker = started(engine, lambda: Action(("forward",), (3.0, 0.0)))
    worker.post(lambda: worker.toggle_recording(tmp_path / "r"))
    until(lambda: worker.view.number > 30)
    worker.post(worker.begin_rewind)
    until(lambda: worker.view.number < 20)
    assert worker.view.recording is None, "nothing is recorded of going back"
    worker.post(worker.end_rewind)
    until(lambda: worker.view.recording == tmp_path / "r" / "0002")
    until(lambda: worker.view.number > 25)
    worker.stop()
    first, second = open_recording(tmp_path / "r"), open_recording(tmp_path / "r" / "0002")
    begun = second.meta["first_frame"]
    assert begun < 20 and second.poses[1, 0] == begun + 1
    assert second.digests[0] == first.digests[begun]
    assert (tmp_path / "r" / "0002" / "begin.save").exists() and not (tmp_path / "r" / "begin.save").exists()
