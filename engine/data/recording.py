"""A recording: a played session on disk, written while it is played and readable after a kill at any moment.

A folder of plain files:
    recording.json  format, world and its action layout, rate, frame size, seed, start, checkpoint hash; written first
    video.mp4       one frame of video per frame played: H.264 in 4:4:4, in fragments of a quarter of a second
    actions.jsonl   one line per frame: the encoded action before it (zeros for the first), time_ms since the first,
                    latency_ms of the step, the believed pose or null, a digest of the exact frame; and "recall",
                    what of memory is used from this frame on, where that changed
    begin.save      the session at the first frame, for replays, where that is not the beginning of a start scene
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from engine.data import recording_video
from engine.data.recording_files import FORMAT, META, find_file, read_lines, read_meta
from engine.errors import FrameError, RecordingError
from engine.world import World

LINES_FILE, VIDEO_FILE, BEGINNING = "actions.jsonl", "video.mp4", "begin.save"
QUEUE_SECONDS = 10  # how long the disk may stand still before the recording gives up
# A fragment can be read once it is written whole, so a kill loses at most a quarter of a second. 4:4:4 because chroma
# at half resolution costs 4 dB on a game's flat colours; a single encoder thread because the generator needs the rest.
VIDEO: dict[str, Any] = {
    "codec": "libx264",
    "pix_fmt_out": "yuv444p",
    "quality": None,
    "macro_block_size": 1,
    "ffmpeg_log_level": "error",
    "output_params": [
        *("-crf", "16", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", "35"),
        *("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "250000", "-flush_packets", "1"),
    ],
}

logger = logging.getLogger(__name__)


def new_folder(root: Path | str) -> Path:
    """Make and return an empty folder to record to: `root`, or its first free subfolder root/0002, root/0003, ...

    Raises RecordingError if it cannot be made or written.
    """
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder, number = root, 2
        while any(folder.iterdir()):
            folder = root / f"{number:04d}"
            folder.mkdir(exist_ok=True)
            number += 1
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unwritable(root, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> RecordingError:
    return RecordingError(f"cannot record to {folder}: {error.strerror or error}; choose another folder")


def digest(frame: np.ndarray) -> str:
    """16 hex digits that two frames share only if their pixels are the same."""
    return hashlib.blake2b(np.ascontiguousarray(frame).tobytes(), digest_size=8).hexdigest()


class Recorder:
    """Writes one recording. `add` only queues a frame: a thread of its own encodes and writes."""

    def __init__(self, path: Path | str, world: World, *, seed: int, start: int, checkpoint_hash: str, **more: Any):
        """Create the folder `path` and its recording.json, which also keeps `more` (plain JSON values).

        Raises RecordingError at once if the folder cannot be written or already holds files.
        """
        self.path = Path(path)
        self.num_frames = 0
        self._shape, self._size = world.frame_shape, world.action_spec.size
        self._failure: RecordingError | None = None
        self._first_time: float | None = None
        size = max(1, int(world.rate * QUEUE_SECONDS))
        self._queue: queue.Queue[tuple[np.ndarray, dict[str, Any]] | None] = queue.Queue(size)
        meta = {
            "format": FORMAT,
            "world": world.name,
            "keys": list(world.action_spec.keys),
            "mouse_limits": list(world.action_spec.mouse_limits),
            "rate": world.rate,
            "height": world.frame.height,
            "width": world.frame.width,
            "seed": seed,
            "start": start,
            "checkpoint_hash": checkpoint_hash,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **more,
        }
        self._open_files(meta, world)
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    def add(
        self,
        frame: np.ndarray,
        action: np.ndarray | None = None,
        latency_ms: float = 0,
        pose: Sequence[float] | None = None,
        recall: dict[str, Any] | None = None,
    ) -> None:
        """Queue one frame, uint8 [height, width, 3], and the encoded action [size] held before it (None: zeros).

        recall: plain JSON values, what of memory is used from this frame on, where that changed.
        Raises FrameError for another shape, and RecordingError once the disk or the encoder has failed.
        """
        if self._failure:
            raise self._failure
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise FrameError(f"a frame is uint8 {self._shape}, not {frame.dtype} {frame.shape}")
        now = time.monotonic()
        self._first_time = now if self._first_time is None else self._first_time
        line = {
            "frame": self.num_frames,
            "action": [0.0] * self._size if action is None else np.asarray(action, dtype=np.float32).tolist(),
            "time_ms": round((now - self._first_time) * 1000, 2),
            "latency_ms": round(float(latency_ms), 2),
            "pose": None if pose is None else [float(value) for value in pose],
        }
        if recall is not None:
            line["recall"] = recall
        try:
            self._queue.put_nowait((frame.copy(), line))
        except queue.Full:
            self._failure = RecordingError(f"the disk of {self.path} is too slow to record to; choose another folder")
            raise self._failure from None
        self.num_frames += 1

    def close(self) -> None:
        """Write what is queued and finish the video. Raises RecordingError if some of it could not be written."""
        if self._thread.is_alive():
            self._queue.put(None)
        self._thread.join()
        if self._failure:
            raise self._failure

    def _open_files(self, meta: dict[str, Any], world: World) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise RecordingError(f"{self.path} is not empty; choose another folder to record to")
            unfinished = self.path / f"{META}.part"
            unfinished.write_text(json.dumps(meta, indent=1))
            os.replace(unfinished, self.path / META)
            self._lines = (self.path / LINES_FILE).open("w", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        size = world.frame.width, world.frame.height
        self._video = imageio_ffmpeg.write_frames(str(self.path / VIDEO_FILE), size, **{**VIDEO, "fps": world.rate})
        try:
            self._video.send(None)
        except (OSError, RuntimeError) as error:
            raise RecordingError("cannot record: imageio-ffmpeg brings no working ffmpeg for this machine") from error

    def _write_all(self) -> None:
        try:
            while (entry := self._queue.get()) is not None:
                frame, line = entry
                self._video.send(np.ascontiguousarray(frame))
                self._lines.write(json.dumps({**line, "digest": digest(frame)}) + "\n")
                self._lines.flush()
        except OSError as error:
            logger.debug("recorder stopped", exc_info=error)
            self._failure = RecordingError(f"the recording {self.path} broke off; is the disk full?")
        finally:
            self._video.close()
            self._lines.close()


@dataclass(frozen=True)
class Recording:
    """What can be read of one recording: as many frames as have both their video and their line."""

    path: Path
    meta: dict[str, Any]
    actions: np.ndarray  # float32 [num_frames, action size]; actions[i] was held between frames i-1 and i
    poses: np.ndarray  # float32 [num_frames, 4] x, y, z, angle; NaN where unknown
    times_ms: np.ndarray  # float64 [num_frames], since the first frame
    latencies_ms: np.ndarray  # float64 [num_frames]
    digests: list[str]  # of the exact frames, before the video's loss
    recalls: dict[int, dict[str, Any]]  # by frame: what of memory is used from it on (engine.model.recall), as JSON

    def __len__(self) -> int:
        return len(self.actions)

    def each_frame(self) -> Iterator[np.ndarray]:
        """Its frames one after the other, uint8 RGB [height, width, 3]: as `frames`, for a recording of any length."""
        video, (height, width) = self.path / VIDEO_FILE, self.frame_size
        return islice(recording_video.read(video, height, width, 0.0), len(self))

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of its frames."""
        return self.meta["height"], self.meta["width"]

    def frames(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """uint8 RGB [stop - start, height, width, 3], as the video shows them."""
        start, stop, _ = slice(start, stop).indices(len(self))
        (height, width), count = self.frame_size, max(0, stop - start)
        if not count:
            return np.empty((0, height, width, 3), dtype=np.uint8)
        # Seeking half a frame early lands on the wanted frame whichever way its time was rounded.
        seconds = max(0.0, start - 0.5) / self.meta["rate"]
        frames = list(islice(recording_video.read(self.path / VIDEO_FILE, height, width, seconds), count))
        if len(frames) < count:
            raise RecordingError(f"{self.path}: the video ends before frame {stop}; the recording is damaged")
        return np.stack(frames)


def open_recording(path: Path | str) -> Recording:
    """Open the recording in the folder `path`, also one cut short by a kill.

    Raises RecordingError where there is none, or none with at least one whole frame.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise RecordingError(f"a recording is a folder, named by a path, not {path!r}")
    path = Path(path)
    meta = read_meta(path)
    size = len(meta["keys"]) + len(meta["mouse_limits"])
    rows, video = find_file(path, LINES_FILE), find_file(path, VIDEO_FILE)
    lines = read_lines(rows, size) if rows else []
    if lines and video:
        del lines[recording_video.count_frames(video, meta["height"], meta["width"], len(lines)) :]
    if not lines or not video:
        raise RecordingError(f"{path} holds no whole frame of a recording")
    return Recording(
        path=path,
        meta=meta,
        actions=np.array([line["action"] for line in lines], dtype=np.float32).reshape(-1, size),
        poses=np.array([line["pose"] or [np.nan] * 4 for line in lines], dtype=np.float32),
        times_ms=np.array([line["time_ms"] for line in lines], dtype=np.float64),
        latencies_ms=np.array([line["latency_ms"] for line in lines], dtype=np.float64),
        digests=[line["digest"] for line in lines],
        recalls={index: line["recall"] for index, line in enumerate(lines) if "recall" in line},
    )
