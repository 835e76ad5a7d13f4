"""The window without a screen, an engine to play in it, and where a person's files go."""

import os

os.environ["SDL_VIDEODRIVER"] = os.environ.get("SDL_VIDEODRIVER", "dummy")

import pygame
import pytest

from engine.action import Action
from engine.play.game import Game
from engine.play.worker import Worker
from tests.play.fake_engine import FakeEngine
from tests.play.player import Player, until


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    """Where saves and screenshots go in place of the user's own folder."""
    home = tmp_path / "data"
    for name in ("XDG_DATA_HOME", "HOME", "APPDATA"):
        monkeypatch.setenv(name, str(home))
    return home / "mag-engine"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def player(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for recordings/
    made = Player(engine)
    begin = Worker.start
    monkeypatch.setattr(Worker, "start", lambda worker: (setattr(made, "worker", worker), begin(worker)))
    run = Game.run
    monkeypatch.setattr(Game, "run", lambda game: (setattr(made, "game", game), run(game))[1])
    return made


@pytest.fixture
def started():
    """Starts workers that play a fake engine, and stops them after the test."""
    workers = []

    def start(engine, take=Action, begin=True, **options) -> Worker:
        worker = Worker(engine.load, **options)
        workers.append(worker)
        worker.start()
        until(lambda: worker.view or worker.error)
        if begin:
            worker.begin(take)
        return worker

    yield start
    for worker in workers:
        worker.stop()
        assert not worker.is_alive()


@pytest.fixture
def surface():
    """The usual window's surface."""
    pygame.display.init()
    pygame.font.init()
    yield pygame.display.set_mode((960, 576))
    pygame.display.quit()
