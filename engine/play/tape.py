"""Recording a live session: knows what of a step goes to the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.action import Action
from engine.data.machine import describe_machine, num_threads
from engine.data.recording import BEGINNING, Recorder, new_folder
from engine.errors import RecordingError, SaveError
from engine.model.recall import Recall

if TYPE_CHECKING:
    from engine.core import Engine, Step


class Tape:
    """At most one recording of an engine's session at a time."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._recorder: Recorder | None = None
        self._root: Path | None = None
        self._recall = Recall()  # what the recording has said of it so far

    @property
    def path(self) -> Path | None:
        """The folder being written, None while nothing is recorded."""
        return self._recorder.path if self._recorder else None

    @property
    def root(self) -> Path | None:
        """The folder that recordings go to, None while nothing is recorded."""
        return self._root if self._recorder else None

    def begin(self, root: Path, frame: np.ndarray, start: int, frame_index: int = 0) -> Path:
        """Record from `frame` on, the frame `frame_index` of the episode from `start`, to a new folder at `root`.

        A recording that begins in mid-play keeps the session as it is, to be replayed from there. Raises
        RecordingError if it cannot be written.
        """
        engine = self._engine
        recorder = Recorder(
            new_folder(root),
            engine.world,
            seed=engine.seed,
            start=start,
            checkpoint_hash=engine.checkpoint_hash,
            first_frame=frame_index,
            device=engine.device,
            denoise_steps=engine.denoise_steps,
            machine=describe_machine(engine.device),
            threads=num_threads(engine.device),
        )
        try:
            if frame_index:
                engine.save(recorder.path / BEGINNING, start=start, number=frame_index)
            recorder.add(frame)
        except SaveError as error:
            recorder.close()
            raise RecordingError(str(error)) from error
        self._recorder, self._root = recorder, root
        self._recall = engine.recall if frame_index else Recall()
        return recorder.path

    def add(self, action: Action, step: Step) -> None:
        """Record one step, if recording. Raises RecordingError, and records no more, if it cannot be written."""
        if self._recorder is None:
            return
        encoded, recall = self._engine.world.action_spec.encode(action), self._engine.recall
        said = None if recall == self._recall else recall.as_json()
        self._recall = recall
        try:
            self._recorder.add(step.frame, encoded, step.latency_ms, step.info.get("pose"), said)
        except Exception:
            self._recorder = None
            raise

    def end(self) -> tuple[Path, int] | None:
        """Finish the recording: its folder and number of frames, None if there was none. Raises RecordingError."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        recorder.close()
        return recorder.path, recorder.num_frames
