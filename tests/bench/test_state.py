"""The state bench: by hand, on the toy game, and once with the real one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine import config
from engine.bench import state
from engine.bench.revisit import CODEC, MEMORIES, NEAREST
from engine.data.episode import find_episodes, open_episode
from engine.data.footage import FootageConfig, record_all
from engine.errors import ConfigError, RecordingError


def pair(frames: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A game before and after its lower half has changed."""
    before = np.full((frames, 6, 10, 3), 100, dtype=np.uint8)
    after = before.copy()
    after[:, 3:] += 40
    after[:, 0, 0, 0] += 60  # 18 grey levels: no change that counts
    return before, after


def test_only_what_changed_is_judged():
    before, after = pair()
    mask = state.changed(before, after)
    assert mask[:, 3:].all() and not mask[:, :3].any()
    there = np.array([True, True, False])
    assert state.like_after(after, before, after, there) == 1.0
    assert state.like_after(before, before, after, there) == 0.0
    mixed = before.copy()
    mixed[0, 3:] = 121  # a grey a little nearer to after
    mixed[:, :3] = 0
    mixed[2] = after[2]
    assert state.like_after(mixed, before, after, there) == 0.5


def test_every_contender_is_judged(make_subject, monkeypatch):
    def views(episode, first, frames):
        after = episode.frames(first, first + frames)
        there = np.arange(frames) < 6
        return 255 - after, after, there

    monkeypatch.setattr(state, "ERRAND", 50)
    monkeypatch.setattr(state, "views", views)
    subject = make_subject()
    found = state.measure(subject)
    assert set(found.figures["shares"]) == {"door"}
    door = found.figures["shares"]["door"]
    assert set(door) == {state.TRUTH, CODEC, NEAREST, *MEMORIES, "pixels"}
    assert door[state.TRUTH]["share"] == door[NEAREST]["share"] == 1.0
    assert len(door["window"]["by_sequence"]) == 2 and 0.0 <= door["window"]["share"] < 1.0
    assert found.tables["state"]["rows"][0] == [f"door: {state.TRUTH}", 1.0, 2]
    assert (subject.settings.media / found.figures["sheet"]).stat().st_size > 0


def test_where_nothing_shows_there_is_nothing_to_measure(make_subject, monkeypatch):
    def views(episode, first, frames):
        after = episode.frames(first, first + frames)
        return after, after, np.ones(frames, dtype=bool)

    monkeypatch.setattr(state, "ERRAND", 50)
    monkeypatch.setattr(state, "views", views)
    with pytest.raises(RecordingError, match="door"):
        state.measure(make_subject())
    with pytest.raises(ConfigError, match="wad"):
        state.measure(make_subject(wad="mine.wad"))
    with pytest.raises(ConfigError, match="'wall'"):
        state.measure(make_subject(state=type(make_subject().settings.state)(deeds=["wall"])))


DEEDS = {"door": "animated", "item": "animated", "monster": "monsters"}  # and the flavour of map they are done in


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An episode of each deed, in a folder of its name; recorded side by side, as each game waits for its player."""
    pytest.importorskip("vizdoom")
    root = tmp_path_factory.mktemp("deeds")

    def record(deed: str) -> int:
        tours = "tours={homes: 0, explore: 0, revisit: 0, " + deed + ": 1}"
        words = [
            "split=test",
            "episodes=1",
            "frames=470",
            "gap=16",
            f"flavour={DEEDS[deed]}",
            "calm=true",
            "seed_start=2000004",
        ]
        return record_all(config.load(FootageConfig, [], [f"out={root / deed}", tours, "workers=1", *words]))

    with ThreadPoolExecutor() as threads:
        assert list(threads.map(record, DEEDS)) == [1, 1, 1]
    return root


@pytest.mark.parametrize("deed", DEEDS)
def test_the_real_game_shows_the_change(played: Path, deed: str):
    episode = open_episode(find_episodes(played / deed)[0])
    marks = episode.meta
    assert marks["visit_end"] < marks["visit_again"] < marks["left"] <= marks["return_start"] - 16
    before, after, there = state.views(episode, marks["return_start"], 8)
    mask = state.changed(before, after)
    assert there.all() and mask.sum(axis=(1, 2)).min() > 20 and mask.mean() < 0.3
    first = marks["return_start"]
    assert state.like_after(episode.frames(first, first + 8), before, after, there) > 0.85
