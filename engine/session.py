"""One player's state: the rollout with its cache and memory bank, the random state, and the way back."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.data import thumbnails
from engine.errors import SessionError
from engine.model import pose as poses
from engine.model.codec import to_bytes, to_unit
from engine.model.footing import Way
from engine.model.machine import Fetch, send
from engine.model.memory_bank import MemoryBank, coverage, probe_points
from engine.model.moments import Moment, capture, resume
from engine.model.network import WorldModel
from engine.model.recall import Recall
from engine.model.rollout import Rollout
from engine.snapshot import Past, Snapshot

ENCODED_AT_ONCE = 16  # frames


@dataclass(frozen=True)
class Attended:
    """A memory entry that a frame was drawn from.

    entry: its number in the bank. slot: of the cache's memory slots; an entry keeps its slot while it is wanted. pose:
    where it was seen from, x, y, z, angle in degrees. coverage: how much of what lies before the camera it saw, from a
    like distance and side, 0..1; this is told by the poses alone, and is what entries are chosen by. picture: uint8
    [height, width, 3], a thumbnail of the last frame of its block. weight: how much of the frame's attention it got,
    0..1, in the layers that read memory (weighing.py); None where that was not measured.
    """

    entry: int
    slot: int
    pose: tuple[float, float, float, float]
    coverage: float
    picture: np.ndarray
    weight: float | None = None


class Session:
    """A rollout of one session, spoken to in pictures, encoded actions and the game's poses.

    rewind_frames: how far back one can go at most. Each frame takes its latent and little more. graphs: as of Rollout.
    """

    def __init__(
        self, model: WorldModel, pose_unit: float, levels: list[float], seed: int, rewind_frames: int = 0,
        graphs: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.pose_unit, self.seed = model, pose_unit, seed
        self.rollout = Rollout(model, 1, levels, [seed], graphs=graphs)
        self.begun = 0  # frames of history
        self.window = model.settings.recent_frames
        self.trail: deque[Moment] = deque(maxlen=rewind_frames + self.window)
        self.thumbnails: list[np.ndarray] = []  # of each entry of the bank
        self.origin: int | None = None  # the start scene that the history is of; None if it is of none
        self.done: list[np.ndarray] = []  # actions since the history, encoded
        self.weighed = -1  # number of the frame that the rollout's weights are of

    @property
    def num_frames(self) -> int:
        return self.rollout.num_frames

    @property
    def num_entries(self) -> int:
        return self.rollout.banks[0].num_entries

    @property
    def memory_bytes(self) -> int:
        return self.rollout.banks[0].num_bytes

    @property
    def pose(self) -> tuple[float, float, float, float]:
        """(x, y, z, angle) as the network believes it, in the game's units and degrees."""
        return poses.to_game(torch.tensor(self.rollout.present()[0]), self.pose_unit)

    @property
    def recall(self) -> Recall:
        """What of memory the coming frames may use."""
        return self.rollout.banks[0].recall

    def set_recall(self, recall: Recall) -> None:
        """Have the coming frames use this of memory; it belongs to the present moment, as one comes back to it.

        Raises SessionError for entries that are not there, or too many pins.
        """
        try:
            recall.check(self.num_entries, len(self.rollout.slots[0]))
        except ValueError as error:
            raise SessionError(str(error)) from error
        self.rollout.banks[0].recall = recall
        self.trail[-1] = replace(self.trail[-1], recall=recall)

    @torch.inference_mode()
    def attended(self, weigh: bool = False) -> list[Attended]:
        """The entries that the present frame was drawn from, by slot.

        weigh: have the next frame measure how much it attends to each.
        """
        bank, now, passes = self.rollout.banks[0], self.rollout.pose, self.rollout.passes
        passes.weighs = weigh
        weights = passes.weights if self.weighed == self.num_frames else None
        given = [None] * len(self.rollout.slots[0]) if weights is None else weights[0].tolist()
        held = [(slot, entry) for slot, entry in enumerate(self.rollout.slots[0].tolist()) if entry >= 0]
        seen_from = bank.poses[[entry for _, entry in held]]
        points, fov = probe_points(now, bank.settings.fov), bank.settings.fov
        covered = coverage(seen_from[None], now[:, None, :2].expand_as(points), points, fov)[0].mean(dim=-1).tolist()
        return [
            Attended(entry, slot, poses.to_game(pose, self.pose_unit), share, self.thumbnails[entry], given[slot])
            for (slot, entry), pose, share in zip(held, seen_from, covered, strict=True)
        ]

    @property
    def places(self) -> np.ndarray:
        """Where each entry was seen from, float32 [entries, 3]: x, y, angle in degrees."""
        held = self.rollout.banks[0].poses[: self.num_entries, :3].cpu().numpy()
        return held * np.array([self.pose_unit, -self.pose_unit, -180 / np.pi], dtype=np.float32)

    @property
    def past(self) -> Past | None:
        """What led here; None if the session did not begin in a start scene."""
        return None if self.origin is None else Past(self.origin, tuple(self.done))

    @property
    def rewindable(self) -> int:
        """How many frames one can go back now: not before the present frame of the history, nor beyond the trail."""
        if not self.trail:
            return 0
        first = self.trail[0].num_frames
        whole = 0 if first == 1 else self.window - 1  # a moment needs those before it
        return max(0, len(self.trail) - 1 - max(whole, self.begun - first))

    @torch.inference_mode()
    def start(self, frames: np.ndarray, actions: np.ndarray, game_poses: np.ndarray | None) -> None:
        """Take a true history: frames uint8 [n, H, W, 3], actions [n, size], poses [n, 4] or None if unknown."""
        told = torch.from_numpy(np.asarray(actions, dtype=np.float32)).to(self.model.device)
        parts = [frames[i : i + ENCODED_AT_ONCE] for i in range(0, len(frames), ENCODED_AT_ONCE)]
        latents = torch.cat([self.encode(part) for part in parts])
        track = torch.zeros(1, poses.SIZE) if game_poses is None else self._from_game(game_poses)
        self.begun = len(frames)
        self.rollout.start(latents[:1, None], told[:1, None], track[:1, None].to(self.model.device))
        for index, frame in enumerate(frames):
            game_pose = None if game_poses is None else game_poses[index]
            if index:
                self._observe(latents[index], told[index], game_pose)
            self._note_moment(latents[index], told[index], frame if index + 1 == len(frames) else None)
            self._note_entry(frame)

    @torch.inference_mode()
    def step(self, action: np.ndarray) -> np.ndarray:
        """Encoded action [size] -> the frame it leads to, uint8 [H, W, 3]."""
        self._empty_slots()
        told = send(action, self.model.device)
        latent, pose = self.rollout.propose(told.unsqueeze(0))
        arriving = Fetch(self.rollout.decode(latent), pose)  # the commit is made meanwhile
        self.rollout.observe(latent, told.unsqueeze(0), pose)
        self.weighed = self.num_frames
        self._note_moment(latent[0], told, None)
        self.done.append(np.array(action, dtype=np.float32))
        pixels, told_pose = arriving.wait()
        self.rollout.here = pose, told_pose.tolist()
        frame = pixels[0].numpy().copy()
        self._note_entry(frame)
        return frame

    @torch.inference_mode()
    def observe(self, frame: np.ndarray, action: np.ndarray, game_pose: np.ndarray | None) -> None:
        """Take a real frame as what followed the action; without a pose, the network reads it off the frame."""
        self._empty_slots()
        latent, told = self.encode(frame[None])[0], torch.from_numpy(action).to(self.model.device)
        self._observe(latent, told, game_pose)
        self._note_moment(latent, told, frame)
        self.done.append(np.array(action, dtype=np.float32))
        self._note_entry(frame)

    @torch.inference_mode()
    def frame(self) -> np.ndarray:
        """The present frame, uint8 [H, W, 3]."""
        last, settings = self.trail[-1], self.model.settings
        if last.picture is None:
            return to_bytes(self.model.codec.decode(last.latent.to(self.model.dtype)))[0].cpu().numpy()
        told = np.frombuffer(zlib.decompress(last.picture), dtype=np.uint8)
        return told.reshape(settings.height, settings.width, 3).copy()

    def snapshot(self, checkpoint_hash: str) -> Snapshot:
        """The session as it is now."""
        moments = tuple(self.trail)[-self.window :]
        bank, way, seen = self.rollout.banks[0].share(), self.rollout.footing.way(), tuple(self.thumbnails)
        return Snapshot(moments, bank, way, self.begun, self.seed, checkpoint_hash, seen, self.past)

    @torch.inference_mode()
    def rewind(self, frames: int) -> np.ndarray:
        """Go back by at most `rewindable` frames; the frame that is present then."""
        for _ in range(frames):
            self.trail.pop()
        return self._resume(self.rollout.banks[0], self.rollout.footing.way())

    @torch.inference_mode()
    def take_up(self, snapshot: Snapshot) -> np.ndarray:
        """Become the session of a snapshot of the same network; the frame that is present then."""
        last = snapshot.moments[-1]
        # A moment whose recall was changed since is another object on the same latent.
        while self.trail and self.trail[-1].latent is not last.latent:
            self.trail.pop()
        if self.trail:
            self.trail[-1] = last
        else:
            self.trail.extend(snapshot.moments)
        self.begun, self.seed, self.thumbnails = snapshot.begun, snapshot.seed, list(snapshot.thumbnails)
        self.origin = snapshot.past.start if snapshot.past else None
        self.done = list(snapshot.past.actions) if snapshot.past else []
        return self._resume(snapshot.bank.share(), snapshot.way)

    def encode(self, frames: np.ndarray) -> Tensor:
        """uint8 [n, H, W, 3] -> latents [n, rows, columns, channels]."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self.model.device)
        return self.model.codec.encode(to_unit(pixels).to(self.model.dtype))

    def _empty_slots(self) -> None:
        """Empty the memory slots of entries that may not be used any more."""
        rollout, recall = self.rollout, self.recall
        kept = [entry if recall.allows(entry) else -1 for entry in rollout.slots[0].tolist()]
        if kept != rollout.slots[0].tolist():
            rollout.slots[0] = kept
            rollout.clear_memory()
            rollout.show_again()

    def _observe(self, latent: Tensor, action: Tensor, game_pose: np.ndarray | None) -> None:
        if game_pose is None:
            pose = self.rollout.locate(latent[None], action[None])
        else:
            pose = self._from_game(game_pose).to(self.model.device)[None]
        self.rollout.observe(latent[None], action[None], pose)

    def _from_game(self, game_poses: np.ndarray) -> Tensor:
        return poses.from_game(torch.from_numpy(np.asarray(game_poses, dtype=np.float32)), self.pose_unit)

    def _note_moment(self, latent: Tensor, action: Tensor, frame: np.ndarray | None) -> None:
        """Keep what the last commit added. A frame that was told is kept itself; others can be drawn again."""
        picture = None if frame is None else zlib.compress(np.ascontiguousarray(frame).tobytes(), 1)
        self.trail.append(capture(self.rollout, latent[None], action[None], picture))

    def _note_entry(self, frame: np.ndarray) -> None:
        """Keep a thumbnail of the frame if it finished a block, in place of that of an entry that it took back."""
        if self.num_frames % self.model.settings.block_frames == 0:
            self.thumbnails[self.num_entries - 1 :] = [thumbnails.shrink(frame)]

    def _resume(self, bank: MemoryBank, way: Way) -> np.ndarray:
        resume(self.rollout, tuple(self.trail)[-self.window :], bank, way)
        self.weighed = -1
        del self.thumbnails[self.num_entries :], self.done[self.num_frames - self.begun :]
        return self.frame()
