"""Autosaves: on quitting and every so often, without play waiting for the disk."""

import time

import numpy as np

from engine.data import savefile
from engine.play.saves import Saves
from tests.play.player import until


def test_quitting_saves_what_was_played(engine, started, tmp_path):
    saves = Saves(tmp_path)
    worker = started(engine, saves=saves)
    until(lambda: worker.view.number > 3)
    worker.stop()
    assert saves.newest_first("toy") == [saves.autosave("toy")]
    assert worker.recorded == ["saved to slot 'autosave'"]
    other = started(type(engine)(), saves=saves, begin=False, start=2)
    other.stop()
    assert other.recorded == []  # nothing was played


def test_play_is_saved_every_so_often_and_never_waits_for_the_disk(engine, started, tmp_path):
    saves = Saves(tmp_path)
    engine.writing_s = 0.4
    worker = started(engine, saves=saves, autosave_s=0.2)
    path = saves.autosave("toy")
    until(path.exists)
    first = savefile.describe(path)[0]["count"]
    until(lambda: savefile.describe(path)[0]["count"] > first)
    assert 5 <= first <= 20  # of 50 frames a second: the moment when it was due, not that when it was written
    assert np.diff(engine.began).max() < 0.2
    worker.post(lambda: worker.pause(True))
    until(lambda: worker.paused)
    time.sleep(1.0)
    paused = savefile.describe(path)[0]["count"]
    time.sleep(0.5)
    assert savefile.describe(path)[0]["count"] == paused
    worker.stop()
    assert savefile.describe(path)[0]["count"] == engine.count
    assert sorted(file.name for file in path.parent.iterdir()) == ["autosave.save"]


def test_no_seconds_save_only_at_the_end(engine, started, tmp_path):
    saves = Saves(tmp_path)
    worker = started(engine, saves=saves, autosave_s=0.0)
    until(lambda: worker.view.number > 30)
    assert not saves.newest_first("toy")
    worker.stop()
    assert saves.newest_first("toy") == [saves.autosave("toy")]


def test_an_autosave_that_cannot_be_written_is_said_and_play_goes_on(engine, started, tmp_path):
    (tmp_path / "file").write_text("")
    worker = started(engine, saves=Saves(tmp_path / "file"), autosave_s=0.1)
    until(lambda: "no autosave: cannot save to" in worker.note.text)
    count = len(engine.actions)
    until(lambda: len(engine.actions) > count + 3)
    worker.stop()
    assert "cannot save to" in worker.recorded[0] and engine.closed and not worker.error
