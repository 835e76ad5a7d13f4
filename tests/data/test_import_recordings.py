"""Own play as footage: recordings become episodes of one length, with the poses that the session believed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import world as worlds
from engine.action import ActionSpec
from engine.data import import_recordings as importing
from engine.data.episode import find_episodes, open_episode, write_episode
from engine.data.import_recordings import find_recordings, import_recordings
from engine.data.reckoning import fill_poses
from engine.data.recording import open_recording
from engine.data.stores import FrameStore
from engine.errors import ConfigError, RecordingError
from tests.toy import HERE, play, record_play

TOY = worlds.load(HERE)


def lengths(root: Path) -> list[int]:
    return [len(open_episode(path)) for path in find_episodes(root)]


def test_a_recording_becomes_episodes_of_what_was_seen_done_and_believed(tmp_path: Path) -> None:
    record_play(tmp_path / "a", 3, 50)
    made = import_recordings(tmp_path, TOY, frames=20)
    assert made == [tmp_path / "a" / "episodes" / f"{begin:06d}" for begin in (0, 20, 30)]
    tape = open_recording(tmp_path / "a")
    for path, begin in zip(made, (0, 20, 30), strict=True):
        episode = open_episode(path)
        np.testing.assert_array_equal(episode.frames(), tape.frames(begin, begin + 20))
        np.testing.assert_array_equal(episode.poses, tape.poses[begin : begin + 20])
        np.testing.assert_array_equal(episode.actions[1:], tape.actions[begin + 1 : begin + 20])
        assert not episode.actions[0].any() and episode.meta["world"] == "toy"
        assert episode.meta["recording"]["first_frame"] == begin
    exact, _, poses = play(3, 50)
    assert np.abs(open_episode(made[0]).frames().astype(int) - exact[:20]).mean() < 4
    np.testing.assert_array_equal(open_episode(made[2]).poses, poses[30:])


def test_the_length_is_that_of_what_is_there(tmp_path: Path) -> None:
    for name, count in (("a", 70), ("b", 90), ("short", 9)):
        record_play(tmp_path / name, 0, count)
    import_recordings(tmp_path, TOY)
    assert lengths(tmp_path) == [70, 70, 70], "the shortest that is worth it says how long; the last overlaps"
    frames, actions, poses = play(1, 40)
    write_episode(tmp_path / "exact", frames, actions, poses, {"world": "toy"})
    record_play(tmp_path / "c", 1, 45)
    assert import_recordings(tmp_path, TOY) == [tmp_path / "c" / "episodes" / name for name in ("000000", "000005")]
    assert lengths(tmp_path / "c") == [40, 40] and lengths(tmp_path / "a") == [70]


def test_what_was_made_is_kept_until_another_length_is_asked_for(tmp_path: Path) -> None:
    record_play(tmp_path / "a", 0, 60)
    assert len(import_recordings(tmp_path, TOY, frames=30)) == 2
    assert import_recordings(tmp_path, TOY) == [] == import_recordings(tmp_path, TOY, frames=30)
    assert len(import_recordings(tmp_path, TOY, frames=20)) == 3
    assert lengths(tmp_path) == [20, 20, 20]


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record_play(tmp_path / "good", 0, 20)
    record_play(tmp_path / "short", 0, 4)
    record_play(tmp_path / "foreign", 0, 20)
    meta = json.loads((tmp_path / "foreign" / "recording.json").read_text())
    (tmp_path / "foreign" / "recording.json").write_text(json.dumps({**meta, "world": "doom"}))
    record_play(tmp_path / "broken", 0, 20)
    (tmp_path / "broken" / "video.mp4").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        made = import_recordings(tmp_path, TOY, frames=20)
    assert made == [tmp_path / "good" / "episodes" / "000000"]
    for reason in ("short has 4 frames", "world 'doom', not of 'toy'", "broken holds no whole frame"):
        assert reason in caplog.text
    with pytest.raises(RecordingError, match="short has 4 frames, too few"):
        import_recordings(tmp_path / "short", TOY, frames=20)
    with pytest.raises(ConfigError, match="-1"):
        import_recordings(tmp_path, TOY, frames=-1)


def test_where_nothing_was_recorded_nothing_is_made(tmp_path: Path) -> None:
    assert find_recordings(tmp_path) == [] == import_recordings(tmp_path / "none", TOY)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    record_play(tmp_path / "a", 0, 30)
    words = [f"recordings={tmp_path}", f"world={HERE}", "frames=15"]
    monkeypatch.setattr("sys.argv", ["import", *words])
    assert importing.main() == 0 and lengths(tmp_path) == [15, 15]
    assert f"2 episodes made in {tmp_path}" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["import", f"recordings={tmp_path / 'none'}"])
    assert importing.main() == 2
    assert "there is no recording" in capsys.readouterr().err


def test_unknown_poses_are_reckoned_from_the_mouse() -> None:
    spec = ActionSpec(("go",), (30.0,))
    actions = np.array([[0, 0], [1, 10], [0, -5], [0, 2]], dtype=np.float32)
    unknown = np.full((4, 4), np.nan)
    np.testing.assert_array_equal(fill_poses(unknown, actions, spec)[:, 3], [0, -10, -5, -7])
    known = unknown.copy()
    known[1] = (7, 8, 9, 90)
    expected = [[7, 8, 9, 100], [7, 8, 9, 90], [7, 8, 9, 95], [7, 8, 9, 93]]
    np.testing.assert_array_equal(fill_poses(known, actions, spec), expected)
    assert not fill_poses(unknown, actions[:, :1], ActionSpec(("go",))).any()


def test_episodes_with_and_without_palette_are_held_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    palette = random.integers(0, 256, (9, 3), dtype=np.uint8)
    indices = random.integers(0, 9, (4, 8, 12), dtype=np.uint8)
    rgb = random.integers(0, 256, (4, 8, 12, 3), dtype=np.uint8)
    zeros = np.zeros((4, 3)), np.zeros((4, 4))
    write_episode(tmp_path / "a", indices, *zeros, {}, palette)
    write_episode(tmp_path / "b", rgb, *zeros, {})
    store = FrameStore(tmp_path, 8, torch.device("cpu"))
    shown = (store.take(torch.arange(8)).permute(0, 2, 3, 1) + 1) * 127.5
    np.testing.assert_allclose(shown.numpy(), np.concatenate([palette[indices], rgb]), atol=1e-3)
