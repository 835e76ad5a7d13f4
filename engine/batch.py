"""Sessions that step as one batch: one pass of the network draws the next frame of each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from engine.action import Action
from engine.core import Engine, Step
from engine.data.history import Told
from engine.errors import SessionError
from engine.model import pose as poses
from engine.model.diffusion import schedule
from engine.model.machine import Fetch, send
from engine.model.rollout import Rollout
from engine.session import Session


class SessionBatch:
    """`size` sessions on the network of one engine, each of which begins on its own and all of which step together.

    Frames are those of single sessions but for rounding, since a product over a batch rounds differently; and once a
    session has begun anew among others, its blocks end where theirs do.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self.engine, self.size = engine, size
        levels = schedule(engine.denoise_steps)
        self.rollout = Rollout(engine.model, size, levels, [0] * size, graphs=engine.graphs)
        self.begun: dict[int, Session] = {}  # by row: sessions that the next step takes in
        self.counts = [0] * size  # frames of each session; 0 before its first reset
        self.frames = np.zeros((size, *engine.world.frame_shape), dtype=np.uint8)  # of the last step
        self.poses = torch.zeros(size, poses.SIZE)  # of the last step, on the host
        self.latency_ms = 0.0

    def begin(self, row: int, start: int | np.ndarray = 0, history: Told | None = None, seed: int = 0) -> np.ndarray:
        """Begin the session of a row as `Engine.reset` does; its present frame, uint8 [height, width, 3]."""
        single = self.engine.share()
        frame = single.reset(start, history, seed)
        assert single.session is not None
        self.begun[row] = single.session
        self.counts[row] = single.session.num_frames
        return frame

    @torch.inference_mode()
    def step(self, actions: Sequence[Action] | np.ndarray) -> np.ndarray:
        """The frames that follow `actions`, one for each row, uint8 [size, height, width, 3].

        actions: Actions, or encoded ones [size, .]. Raises ActionError, or SessionError if a row has not begun.
        """
        begun = time.perf_counter()
        if 0 in self.counts:
            raise SessionError(f"session {self.counts.index(0)} of the batch has not begun: reset comes first")
        spec, rollout = self.engine.action_spec, self.rollout
        told = actions if isinstance(actions, np.ndarray) else np.stack([spec.encode(action) for action in actions])
        encoded = send(spec.encoded(told), rollout.device)
        self._take_in()
        latents, pose = rollout.propose(encoded)
        arriving = Fetch(rollout.decode(latents), pose)  # the commit is made meanwhile
        rollout.observe(latents, encoded, pose)
        rollout.draw_ahead()
        frames, self.poses = arriving.wait()
        rollout.here = pose, self.poses.tolist()
        self.frames = frames.numpy()
        self.counts = [count + 1 for count in self.counts]
        self.latency_ms = (time.perf_counter() - begun) * 1e3
        return self.frames

    def result(self, row: int) -> Step:
        """What the last step led to in a row."""
        return Step(self.frames[row], self.latency_ms, self.info(row))

    def info(self, row: int) -> dict[str, Any]:
        """Of a row's present frame, what `Step.info` says."""
        session, unit = self.begun.get(row), self.engine.world.camera.pose_unit
        bank = self.rollout.banks[row] if session is None else session.rollout.banks[0]
        return {
            "pose": poses.to_game(self.poses[row], unit) if session is None else session.pose,
            "frame_index": self.counts[row] - 1,
            "memory_on": bank.recall.on,
            "memory_entries": bank.num_entries,
            "memory_bytes": bank.num_bytes,
        }

    def _take_in(self) -> None:
        """Put the sessions that have begun into their rows of the batch."""
        if not self.begun:
            return
        whole, window = self.rollout, self.engine.model.settings.recent_frames
        if len(self.begun) == self.size:  # nobody else's time to keep to
            whole.num_frames = max(session.num_frames for session in self.begun.values())
        names = "pose", "velocity", "action", "anchor"
        told = {name: getattr(whole, name).clone() for name in names}
        for row, session in self.begun.items():
            one = session.rollout
            for name, values in told.items():
                values[row] = getattr(one, name)[0]
            whole.banks[row], whole.slots[row] = one.banks[0], one.slots[0]
            whole.footing.go(one.footing.way(), row)
            whole.use_random(row, one.randoms[0])
            for held, own in zip(whole.shown, one.shown, strict=True):
                held[row] = own[0]
            for behind in range(window):
                here, there = (whole.num_frames - 1 - behind) % window, (one.num_frames - 1 - behind) % window
                whole.recent_tokens[row, here] = one.recent_tokens[0, there]
                whole.recent_poses[row, here] = one.recent_poses[0, there]
                whole.passes.recent_pictures[row, here] = one.passes.recent_pictures[0, there]
        for name, values in told.items():
            setattr(whole, name, values)
        whole.cache.clear()  # slots that no session fills now must not show what they held
        whole.show_again()
        self.begun.clear()


class Seat:
    """One row of a batch, with as much of an Engine as an environment needs; its steps are taken by the batch."""

    def __init__(self, batch: SessionBatch, row: int) -> None:
        self.batch, self.row = batch, row
        self.world, self.action_spec = batch.engine.world, batch.engine.action_spec

    @property
    def info(self) -> dict[str, Any]:
        return self.batch.info(self.row)

    def reset(self, start: int | np.ndarray = 0, history: Told | None = None, seed: int = 0) -> np.ndarray:
        """As `Engine.reset`."""
        return self.batch.begin(self.row, start, history, seed)

    def step(self, action: Action) -> Step:
        """What the batch's last step led to in this row."""
        return self.batch.result(self.row)

    def close(self) -> None:
        """The batch's engine is closed by whoever loaded it."""
