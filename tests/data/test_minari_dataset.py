"""Minari: what is exported is what is imported, to the pixel, and other people's data sets fit or are refused."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

minari: Any = pytest.importorskip("minari")
pytest.importorskip("h5py")
from gymnasium.spaces import Box, Discrete  # noqa: E402

from engine import world as worlds  # noqa: E402
from engine.data import minari_dataset  # noqa: E402
from engine.data.episode import open_episode  # noqa: E402
from engine.data.import_recordings import import_recordings  # noqa: E402
from engine.data.minari_dataset import export_dataset, import_dataset  # noqa: E402
from engine.data.recording import open_recording  # noqa: E402
from engine.errors import ConfigError, FrameError, RecordingError  # noqa: E402
from engine.world import FrameSize, Key, World  # noqa: E402
from tests.toy import HERE, play, record_play, write_footage  # noqa: E402

TOY = worlds.load(HERE)


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "shelf"))


def test_episodes_and_recordings_come_back_the_same(tmp_path: Path) -> None:
    write_footage(tmp_path / "footage", episodes=2, frames=12)
    record_play(tmp_path / "footage" / "tape", 5, 20)
    import_recordings(tmp_path / "footage", TOY)  # whose episodes are the recording once more
    assert export_dataset(tmp_path / "footage", "mag/toy-v0", TOY) == 3
    made = import_dataset("mag/toy-v0", tmp_path / "back", TOY)
    assert [len(open_episode(path)) for path in made] == [12, 12, 20]
    for seed, path in enumerate(made[:2]):
        episode = open_episode(path)
        for found, expected in zip((episode.frames(), episode.actions, episode.poses), play(seed, 12), strict=True):
            np.testing.assert_array_equal(found, expected)
    tape = open_recording(tmp_path / "footage" / "tape")
    np.testing.assert_array_equal(open_episode(made[2]).frames(), tape.frames())
    np.testing.assert_array_equal(open_episode(made[2]).actions, tape.actions)


def test_minari_sees_a_data_set_like_any(tmp_path: Path) -> None:
    export_dataset(write_footage(tmp_path / "footage", episodes=1, frames=12), "mag/toy-v0", TOY)
    found = minari.load_dataset("mag/toy-v0")
    assert found.total_episodes == 1 and found.total_steps == 11
    episode = found[0]
    assert episode.observations.shape == (12, 64, 96, 3) and episode.actions["mouse"].shape == (11, 1)
    assert episode.truncations.tolist() == [False] * 10 + [True] and not episode.terminations.any()
    assert found.spec.action_space.contains({name: part[3] for name, part in episode.actions.items()})


def foreign(space: Any, actions: Any, pictures: np.ndarray) -> None:
    buffer = minari.data_collector.EpisodeBuffer(
        observations=pictures, actions=actions, rewards=[0.0] * 4, terminations=[False] * 4, truncations=[False] * 4
    )
    seen = Box(0, 255, pictures.shape[1:], np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minari.create_dataset_from_buffers("other-v0", [buffer], observation_space=seen, action_space=space)


def test_data_sets_of_other_games_become_keys(tmp_path: Path) -> None:
    world = World(name="other", frame=FrameSize(32, 32), rate=5.0, keys=[Key("left"), Key("right")])
    foreign(Discrete(3), np.array([0, 1, 2, 1]), np.full((5, 64, 64, 3), 77, np.uint8))
    episode = open_episode(import_dataset("other-v0", tmp_path, world)[0])
    assert episode.actions.tolist() == [[0, 0], [0, 0], [1, 0], [0, 1], [1, 0]]
    assert episode.frames().shape == (5, 32, 32, 3) and np.abs(episode.frames().astype(int) - 77).max() <= 2
    assert not episode.poses.any()
    with pytest.raises(ConfigError, match="2 different ones, for action_1, action_2"):
        import_dataset("other-v0", tmp_path, World(name="other", frame=FrameSize(32, 32), rate=5.0, keys=[Key("up")]))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    for call in (lambda: import_dataset("none-v0", tmp_path, TOY), lambda: export_dataset(tmp_path, "mag/a-v0", TOY)):
        with pytest.raises(RecordingError, match="there (is|are) no"):
            call()
    write_footage(tmp_path / "footage", episodes=1, frames=12)
    export_dataset(tmp_path / "footage", "mag/toy-v0", TOY)
    with pytest.raises(RecordingError, match="cannot make the data set 'mag/toy-v0'"):
        export_dataset(tmp_path / "footage", "mag/toy-v0", TOY)
    with pytest.raises(RecordingError, match="of world 'toy', not of 'doom'"):
        export_dataset(tmp_path / "footage", "mag/b-v0", worlds.load("doom"))
    world = World(name="other", frame=FrameSize(32, 32), rate=5.0, keys=[Key("left"), Key("right")])
    foreign(Discrete(3), np.zeros(4, int), np.zeros((5, 7), np.uint8))
    with pytest.raises(FrameError, match="not RGB pictures"):
        import_dataset("other-v0", tmp_path, world)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_footage(tmp_path / "footage", episodes=2, frames=12)
    common = [f"world={HERE}", "dataset=mag/toy-v0"]
    assert minari_dataset.main([*common, f"source={tmp_path / 'footage'}"]) == 0
    assert minari_dataset.main([*common, f"out={tmp_path / 'back'}"]) == 0
    assert "2 episodes made in" in capsys.readouterr().out
    assert minari_dataset.main(common) == 2 and "either source=" in capsys.readouterr().err


def test_without_minari_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(ConfigError, match="Minari is not installed: pip install"):
        import_dataset("mag/toy-v0", tmp_path, TOY)
