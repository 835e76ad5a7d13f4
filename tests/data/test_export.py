"""Exports: as many frames as asked for, at the speed of play, looking like the recording's."""

import imageio.v3 as imageio
import imageio_ffmpeg
import numpy as np
import pytest

from engine.data.export import export
from engine.data.recording import Recorder, open_recording
from engine.errors import ConfigError, RecordingError
from engine.world import FrameSize, Key, World

WORLD = World(name="toy", frame=FrameSize(48, 80), rate=20.0, keys=[Key("forward")])


@pytest.fixture
def recording(tmp_path):
    recorder = Recorder(tmp_path / "r", WORLD, seed=0, start=0, checkpoint_hash="c")
    for i in range(21):
        recorder.add(np.full((48, 80, 3), (10 * i, 120, 255 - 10 * i), np.uint8))
    recorder.close()
    return open_recording(tmp_path / "r")


def means(frames) -> np.ndarray:
    return np.array([frame[..., :3].mean(axis=(0, 1)) for frame in frames])


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize(("kind", "close"), [("mp4", 6), ("gif", 8), ("png", 4)])
def test_every_kind_shows_the_frames_asked_for(recording, kind, every, close):
    out = export(recording.path, kind, every)
    assert out == recording.path / {"png": "export", "mp4": "export.mp4", "gif": "export.gif"}[kind]
    if kind == "png":
        names = sorted(path.name for path in out.iterdir())
        assert names[0] == "frame_00000.png"
        frames = [imageio.imread(out / name) for name in names]
    elif kind == "gif":
        frames = list(imageio.imiter(out))
        assert imageio.immeta(out)["duration"] == pytest.approx(50 * every, abs=10)
    else:
        reader = imageio_ffmpeg.read_frames(str(out))
        meta = next(reader)
        frames = [np.frombuffer(frame, np.uint8).reshape(48, 80, 3) for frame in reader]
        assert meta["fps"] == 20 / every
    expected = means(recording.frames())[::every]
    assert len(frames) == len(expected)
    assert np.abs(means(frames) - expected).max() <= close


def test_an_export_is_made_anew_and_leaves_nothing_behind(recording, tmp_path):
    first = export(recording.path, "png", 1, tmp_path / "out" / "a")
    again = export(recording.path, "png", 10, tmp_path / "out" / "a")
    assert first == again and len(list(again.iterdir())) == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_what_cannot_be_exported_is_one_sentence(recording, tmp_path):
    with pytest.raises(ConfigError, match="'avi'"):
        export(recording.path, "avi")
    with pytest.raises(ConfigError, match="not of 0"):
        export(recording.path, "gif", 0)
    with pytest.raises(RecordingError, match="no recording"):
        export(tmp_path / "none", "gif")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot export to"):
        export(recording.path, "gif", 1, tmp_path / "file" / "x.gif")
