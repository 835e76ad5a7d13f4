"""Recordings: what is written is read back, a kill loses less than a second, and every failure is one sentence."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine.data import recording
from engine.data.recording import Recorder, digest, new_folder, open_recording
from engine.errors import FrameError, RecordingError
from engine.world import FrameSize, Key, MouseAxis, World
from tests.kills import kill_rounds

WORLD = World(
    name="toy",
    title="Toy",
    frame=FrameSize(height=48, width=80),
    rate=17.5,
    keys=[Key("forward"), Key("use")],
    mouse={"yaw": MouseAxis(limit=30.0)},
)
KILLED = """
import sys, time
import numpy as np
from engine.data.recording import Recorder
from engine.world import FrameSize, Key, World
world = World(name="toy", frame=FrameSize(48, 80), rate=50.0, keys=[Key("forward")])
recorder = Recorder(sys.argv[1], world, seed=0, start=0, checkpoint_hash="c")
for i in range(100000):
    recorder.add(np.full((48, 80, 3), i * 2 % 256, np.uint8))
    print(i, flush=True)
    time.sleep(0.02)
"""


def frames_of(count: int) -> np.ndarray:
    """Smooth pictures, each unlike the others, so that a lossy video keeps them apart."""
    row = np.linspace(0, 120, 80)[None, None, :, None] + np.linspace(0, 60, 48)[None, :, None, None]
    return (row + np.arange(count)[:, None, None, None] * 2 + np.zeros(3)).astype(np.uint8)


def record(path: Path, count: int, **more) -> np.ndarray:
    frames = frames_of(count)
    recorder = Recorder(path, WORLD, seed=3, start=1, checkpoint_hash="abc", **more)
    recorder.add(frames[0], pose=(1, 2, 3, 4))
    for i, frame in enumerate(frames[1:], 1):
        recorder.add(frame, np.array([1, 0, i / 4], np.float32), latency_ms=i + 0.5)
    recorder.close()
    return frames


def test_what_is_recorded_is_read_back(tmp_path):
    frames = record(tmp_path / "a", 30, device="cpu")
    read = open_recording(tmp_path / "a")
    assert len(read) == 30
    assert not read.actions[0].any()
    assert np.array_equal(read.actions[7], np.array([1, 0, 7 / 4], np.float32))
    assert np.array_equal(read.poses[0], [1, 2, 3, 4]) and np.isnan(read.poses[1:]).all()
    assert read.latencies_ms[5] == 5.5
    assert read.times_ms[0] == 0 and (np.diff(read.times_ms) >= 0).all()
    assert read.digests == [digest(frame) for frame in frames]
    assert read.meta["seed"] == 3 and read.meta["start"] == 1 and read.meta["device"] == "cpu"
    assert read.meta["world"] == "toy" and read.meta["checkpoint_hash"] == "abc" and read.meta["rate"] == 17.5
    assert np.abs(read.frames().astype(int) - frames).max() <= 6


def test_frames_of_a_range_are_those_of_the_whole(tmp_path):
    record(tmp_path, 90)
    read = open_recording(tmp_path)
    whole = read.frames()
    for start, stop in ((0, 1), (1, 3), (34, 37), (71, 90), (89, None), (5, 5)):
        assert np.array_equal(read.frames(start, stop), whole[start:stop]), (start, stop)


def test_a_digest_tells_one_pixel():
    frame = frames_of(1)[0]
    other = frame.copy()
    other[3, 5, 1] += 1
    assert digest(frame) == digest(frame.copy()) != digest(other)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the encoder's process in /proc")


@needs_proc
def test_a_killed_recording_is_readable_up_to_the_last_second(tmp_path):
    for index, random in enumerate(kill_rounds()):
        folder = tmp_path / f"{index}"
        added = added_until_killed(folder, float(random.uniform(0.0, 3.0)), with_encoder=bool(random.integers(4)))
        try:
            read = open_recording(folder)
        except RecordingError as error:
            assert added <= 50 and "no whole frame" in str(error), f"round {index}: {added} frames were added, {error}"
            continue
        assert added - 50 <= len(read) <= added + 1, f"round {index}"
        for i, frame in enumerate(read.frames()):
            assert abs(int(frame.mean()) - i * 2 % 256) <= 3, f"round {index}: frame {i} is another"


def added_until_killed(folder: Path, seconds: float, with_encoder: bool) -> int:
    """Record at 50 frames per second for so long, then SIGKILL; the number of the last frame that was added.

    with_encoder: as when the machine's power goes, so that the encoder cannot finish its file.
    """
    root = Path(recording.__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None
    added = int(process.stdout.readline())
    time.sleep(seconds)
    if with_encoder:
        kill_encoders(process.pid)
    process.kill()
    added = max([added, *(int(line) for line in process.stdout.read().split())])
    process.wait()
    process.stdout.close()
    return added


def kill_encoders(parent: int) -> None:
    """SIGKILL the ffmpeg processes that `parent` started."""
    killed = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        name, _, rest = stat.read_text().partition(" (")[2].rpartition(") ")
        if name.startswith("ffmpeg") and int(rest.split()[1]) == parent:
            os.kill(int(stat.parent.name), signal.SIGKILL)
            killed += 1
    assert killed


@pytest.mark.parametrize("share", [0.3, 0.55, 0.8])
def test_a_truncated_video_and_torn_lines_leave_their_common_prefix(tmp_path, share):
    record(tmp_path, 60)
    whole = open_recording(tmp_path).frames()
    video, lines = (tmp_path / "video.mp4").read_bytes(), (tmp_path / "actions.jsonl").read_bytes()
    (tmp_path / "video.mp4").write_bytes(video[: int(len(video) * share)])
    by_video = len(open_recording(tmp_path))
    assert 0 < by_video < 60
    assert np.array_equal(open_recording(tmp_path).frames(), whole[:by_video])
    (tmp_path / "actions.jsonl").write_bytes(lines[: int(len(lines) * 0.15)])
    assert 0 < len(open_recording(tmp_path)) < by_video


def test_a_damaged_line_ends_the_recording_there(tmp_path):
    record(tmp_path, 10)
    rows = (tmp_path / "actions.jsonl").read_text().splitlines()
    changed = [rows[4].replace("[1.0,", first) for first in ('["x",', "[Infinity,", f"[1{'0' * 400},")]
    for damage in ("[]", '{"frame": 4}', "[" * 100_000, rows[5], *changed):
        (tmp_path / "actions.jsonl").write_text("\n".join([*rows[:4], damage, *rows[5:]]))
        assert len(open_recording(tmp_path)) == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [({"format": 9}, "format 9"), ({"rate": 0}, "rate"), ({"keys": 3}, "keys"), ({"width": "8"}, "w")],
)
def test_a_damaged_or_future_recording_is_one_sentence(tmp_path, change, word):
    record(tmp_path, 2)
    meta = json.loads((tmp_path / "recording.json").read_text())
    (tmp_path / "recording.json").write_text(json.dumps({**meta, **change}))
    with pytest.raises(RecordingError, match=word):
        open_recording(tmp_path)
    for text in ("{", "[" * 100_000):
        (tmp_path / "recording.json").write_text(text)
        with pytest.raises(RecordingError, match="cannot be read"):
            open_recording(tmp_path)


def test_no_recording_is_one_sentence(tmp_path):
    with pytest.raises(RecordingError, match="no recording"):
        open_recording(tmp_path / "none")
    record(tmp_path / "a", 3)
    (tmp_path / "a" / "video.mp4").write_bytes(b"")
    with pytest.raises(RecordingError, match="no whole frame"):
        open_recording(tmp_path / "a")


def test_an_unwritable_folder_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot record to"):
        Recorder(tmp_path / "file" / "r", WORLD, seed=0, start=0, checkpoint_hash="")
    with pytest.raises(RecordingError, match="cannot record to"):
        new_folder(tmp_path / "file")


def test_a_recording_is_never_written_over(tmp_path):
    record(tmp_path / "r", 2)
    with pytest.raises(RecordingError, match="not empty"):
        Recorder(tmp_path / "r", WORLD, seed=0, start=0, checkpoint_hash="")
    assert new_folder(tmp_path / "new") == tmp_path / "new"
    assert new_folder(tmp_path / "r") == new_folder(tmp_path / "r") == tmp_path / "r" / "0002"
    record(tmp_path / "r" / "0002", 2)
    assert new_folder(tmp_path / "r") == tmp_path / "r" / "0003"


def test_a_wrong_frame_is_refused(tmp_path):
    recorder = Recorder(tmp_path, WORLD, seed=0, start=0, checkpoint_hash="")
    with pytest.raises(FrameError, match=r"\(48, 80, 3\)"):
        recorder.add(np.zeros((48, 81, 3), np.uint8))
    with pytest.raises(FrameError, match="uint8"):
        recorder.add(np.zeros((48, 80, 3), np.float32))
    recorder.add(frames_of(1)[0])
    recorder.close()
    assert len(open_recording(tmp_path)) == 1


def test_a_slow_disk_stalls_no_caller_and_ends_the_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "digest", lambda frame: time.sleep(0.2) or "")
    monkeypatch.setattr(recording, "QUEUE_SECONDS", 0.2)
    recorder = Recorder(tmp_path, WORLD, seed=0, start=0, checkpoint_hash="")
    began = time.monotonic()
    with pytest.raises(RecordingError, match="too slow"):
        for frame in frames_of(10):
            recorder.add(frame)
    assert time.monotonic() - began < 0.15
    with pytest.raises(RecordingError, match="too slow"):
        recorder.close()
    assert len(open_recording(tmp_path)) >= 3


@needs_proc
def test_a_dead_encoder_is_one_sentence(tmp_path):
    recorder = Recorder(tmp_path, WORLD, seed=0, start=0, checkpoint_hash="")
    kill_encoders(os.getpid())
    with pytest.raises(RecordingError, match="broke off"):
        for frame in frames_of(50):
            recorder.add(frame)
            time.sleep(0.01)
    with pytest.raises(RecordingError, match="broke off"):
        recorder.close()
