"""Damaged, forged and foreign episodes open as before or are refused in one sentence; nothing in them is run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine import EngineError
from engine import world as worlds
from engine.data.episode import open_episode, write_episode
from engine.data.import_recordings import import_recordings
from tests.damage import Damager, copied, one_sentence, pickled, rounds, within
from tests.toy import HERE, play, record_play

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits on time and memory are POSIX's")
ROUNDS = rounds(220)


def write(folder: Path) -> Path:
    """An episode with a palette and depth."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 9, (7, 64, 96), dtype=np.uint8)
    palette = random.integers(0, 256, (9, 3), dtype=np.uint8)
    _, actions, poses = play(0, 7)
    write_episode(folder, pixels, actions, poses, {"world": "toy"}, palette, np.ones((7, 8, 12), np.float16))
    return folder


def test_mutations_of_episodes_open_as_before_or_are_one_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole")
    mark = tmp_path / "executed"
    damager, refused = Damager(0, mark), 0
    for index in range(ROUNDS):
        folder = copied(whole, tmp_path / "changed")
        what = damager.damage(folder, index)
        try:
            with within(seconds=10):
                episode = open_episode(folder)
                assert episode.frames().shape == (len(episode), *episode.stored.shape[1:3], 3), what
                assert len(episode.actions) == len(episode.poses) == len(episode), what
        except EngineError as error:
            refused += 1
            assert one_sentence(str(error)), f"{what}: {str(error)[:1000]!r}"
        except BaseException as error:
            raise AssertionError(what) from error
        assert not mark.exists(), what
    assert refused > ROUNDS / 3


def test_objects_in_an_array_are_not_unpickled(tmp_path: Path) -> None:
    for name in ("actions", "poses", "frames", "palette", "depth"):
        folder = write(tmp_path / name)
        (folder / f"{name}.npy").write_bytes(pickled(tmp_path / "executed"))
        with pytest.raises(EngineError, match="not a whole episode"):
            open_episode(folder)
    assert not (tmp_path / "executed").exists()
    np.load(tmp_path / "depth" / "depth.npy", allow_pickle=True)
    assert (tmp_path / "executed").exists(), "the trap is one"


@pytest.mark.parametrize("told", [None, [], {"num_frames": "x"}, {"num_frames": 9, "first_frame": None}, "x"])
def test_foreign_episodes_in_a_recording_are_made_anew(tmp_path: Path, told: object) -> None:
    record_play(tmp_path / "a", 0, 12)
    world = worlds.load(HERE)
    made = import_recordings(tmp_path, world, frames=6)
    meta = json.loads((made[-1] / "episode.json").read_text())
    (made[-1] / "episode.json").write_text(json.dumps(meta | {"recording": told}))
    assert import_recordings(tmp_path, world, frames=6) == made
