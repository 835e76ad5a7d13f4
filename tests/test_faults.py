"""Odd values in calls of the engine and of its environments: each is answered with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import world as worlds
from engine.action import Action
from engine.core import Engine
from engine.data.recording import open_recording
from engine.data.side_by_side import export_side_by_side
from engine.env import Explore, GeneratedEnv, GeneratedVectorEnv
from engine.errors import ConfigError, EngineError, FrameError, RecordingError, SaveError, SessionError, WorldError

ODD: dict[str, tuple[Callable[[Any], Any], type[EngineError], str]] = {
    "recall of text": (lambda e: e.set_recall("all"), SessionError, "not 'all'"),
    "a thumbnail too many": (lambda e: e.thumbnail(10**6), SessionError, "but not 1000000"),
    "a thumbnail from behind": (lambda e: e.thumbnail(-1), SessionError, "but not -1"),
    "a thumbnail by name": (lambda e: e.thumbnail("first"), SessionError, "but not 'first'"),
    "a save without a name": (lambda e: e.save("/"), SaveError, "not '/'"),
    "a save nowhere": (lambda e: e.save(None), SaveError, "not None"),
    "a save of a number": (lambda e: e.restore(7), SaveError, "not 7"),
    "a far pose": (lambda e: e.observe(e.reset(0), Action(), (1e30, 0, 0, 0)), FrameError, "up to 1e"),
    "a long name": (lambda e: Engine.load("x" * 5000), WorldError, "there is no world 'xx"),
    "a long path": (lambda e: Engine.load("a/" + "x" * 5000), EngineError, "there is no checkpoint 'a/xx"),
    "actions that are none": (lambda e: GeneratedEnv(engine=e, actions=5), ConfigError, "a list of"),  # type: ignore[arg-type]
    "options that are none": (lambda e: GeneratedEnv(engine=e).reset(options="x"), ConfigError, "not 'x'"),  # type: ignore[arg-type]
    "a cell of text": (lambda e: Explore("wide"), ConfigError, "not 'wide'"),  # type: ignore[arg-type]
    "an endless cell": (lambda e: Explore(float("inf")), ConfigError, "not inf"),
    "worth nothing known": (lambda e: Explore(1.0, float("nan")), ConfigError, "not nan"),
    "no maker": (lambda e: GeneratedVectorEnv(2, engine=e, make_reward=3), ConfigError, "and is 3"),  # type: ignore[arg-type]
    "no recording": (lambda e: open_recording(None), RecordingError, "not None"),  # type: ignore[arg-type]
    "nothing beside": (lambda e: export_side_by_side(None, "gif"), RecordingError, "not None"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_say_so(toy_engine: Engine, name: str) -> None:
    call, kind, words = ODD[name]
    toy_engine.reset(0)
    with pytest.raises(kind, match=words) as caught:
        call(toy_engine)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("given", ["x", float("nan"), None])
def test_a_reward_that_is_no_number_says_so(toy_engine: Engine, given: object) -> None:
    env = GeneratedEnv(engine=toy_engine, reward=lambda frame, pose, info: given)  # type: ignore[arg-type, return-value]
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="a reward function gives a"):
        env.step(Action())


def test_a_world_of_a_long_name_is_not_there() -> None:
    with pytest.raises(WorldError, match="there is no world"):
        worlds.load(str(Path("x" * 400)))
