"""A session at one frame: kept in memory to go back to, or in a file to go on from another day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.config import is_seed
from engine.data import saved_state, savefile, thumbnails
from engine.errors import SaveError, one_line, shown
from engine.model.footing import Way
from engine.model.memory_bank import MemoryBank
from engine.model.moments import Moment
from engine.model.recall import Recall
from engine.model.settings import ModelSettings


@dataclass(frozen=True)
class Past:
    """What led to a session's present frame: a start scene, and what was done since."""

    start: int  # index of the start scene
    actions: tuple[np.ndarray, ...]  # encoded, float32 [size] each


@dataclass(frozen=True)
class Snapshot:
    """A session at one frame, to go back to or to branch from; it shares what the session keeps, and costs little.

    Made by `Engine.snapshot`, taken by `Engine.rewind` and `Engine.branch`.
    """

    moments: tuple[Moment, ...]  # the last few, oldest first
    bank: MemoryBank
    way: Way  # poses of all frames, where they decide anything
    begun: int  # frames of history that the session began with
    seed: int
    checkpoint_hash: str
    thumbnails: tuple[np.ndarray, ...]  # of each entry of the bank
    past: Past | None

    @property
    def device(self) -> torch.device:
        return self.moments[-1].latent.device

    @property
    def recall(self) -> Recall:
        return self.moments[-1].recall

    @property
    def frame_index(self) -> int:
        """Number of the frame that it holds, as `Step.info` counts."""
        return self.moments[-1].num_frames - 1

    def packed(self, frame: np.ndarray, about: dict[str, Any]) -> Callable[[Path | str], Path]:
        """What writes it to a file, with its frame, uint8 [height, width, 3], and what else is to be known `about` it.

        All that is on a device is fetched now, so that the file can be written on any thread while the session goes on.
        Returns the file's path; raises SaveError if it cannot be written.
        """
        held = saved_state.pack(self.moments, self.bank, frame)
        tensors = {name: tensor.detach().cpu() for name, tensor in held.items()}
        own = {
            "checkpoint_hash": self.checkpoint_hash,
            "seed": self.seed,
            "begun": self.begun,
            "start": self.past.start if self.past else None,
            "frame_index": self.frame_index,
            "recall": self.recall.as_json(),
        }

        def write(path: Path | str) -> Path:
            if self.way:
                tensors["path"] = torch.tensor(self.way, dtype=torch.float32)
            tensors["thumbnails"] = thumbnails.pack(self.thumbnails, thumbnails.shape_of(*frame.shape[:2]))
            if self.past:
                actions = np.array(self.past.actions, np.float32).reshape(-1, self.moments[-1].action.shape[-1])
                tensors["actions"] = torch.from_numpy(actions)
            return savefile.write(path, tensors, about | own)

        return write

    @classmethod
    def read(
        cls, path: Path | str, world_name: str, checkpoint_hash: str, settings: ModelSettings, device: torch.device
    ) -> Snapshot:
        """What `packed` wrote, on `device`. Raises SaveError if it is damaged, or of another world or checkpoint."""
        tensors, meta = savefile.read(path)
        if meta.get("world") != world_name:
            raise SaveError(f"{path} is of world {shown(meta.get('world'))}, not of {world_name!r}")
        if meta.get("checkpoint_hash") != checkpoint_hash:
            held = shown(str(meta.get("checkpoint_hash"))[:12]).strip("'")
            raise SaveError(f"{path} was made with checkpoint {held}, not {checkpoint_hash[:12]}: load that one")
        packed, actions = tensors.pop("thumbnails", None), tensors.pop("actions", None)
        way = tensors.pop("path", None)
        moments, bank = saved_state.unpack(tensors, settings, device)
        pictures = thumbnails.unpack(packed, bank.num_entries, thumbnails.shape_of(settings.height, settings.width))
        seed, begun = meta.get("seed"), meta.get("begun")
        if not is_seed(seed) or type(begun) is not int or not 1 <= begun <= moments[-1].num_frames:
            raise SaveError(
                f"the saved session {path} is damaged: seed {shown(seed)}, {shown(begun)} frames of history"
            )
        try:
            recall = Recall.from_json(meta.get("recall", Recall().as_json()))
            recall.check(bank.num_entries, settings.memory_entries)
        except ValueError as error:
            raise SaveError(f"the saved session {path} is damaged: {one_line(error)}") from error
        moments[-1] = replace(moments[-1], recall=recall)
        past = _past(meta.get("start"), actions, (moments[-1].num_frames - begun, settings.action_size))
        return cls(tuple(moments), bank, _way(way, moments), begun, seed, checkpoint_hash, pictures, past)


def _way(path: torch.Tensor | None, moments: Sequence[Moment]) -> Way:
    """The poses of all frames. Files of before told none: then it is as if it had stood where its last ones begin."""
    last = torch.cat([moment.pose for moment in moments]).cpu()
    if path is None:
        path = torch.cat([last[:1].expand(moments[-1].num_frames - len(moments), -1), last])
    if path.shape != (moments[-1].num_frames, last.shape[1]) or path.dtype != torch.float32:
        raise SaveError(f"the saved session is damaged: its path is {path.dtype} {tuple(path.shape)}")
    if not torch.isfinite(path).all():
        raise SaveError("the saved session is damaged: its path holds numbers that are not finite")
    return tuple(path.tolist())


def _past(start: Any, actions: torch.Tensor | None, shape: tuple[int, int]) -> Past | None:
    if start is None and actions is None:
        return None
    fits = actions is not None and tuple(actions.shape) == shape and actions.dtype == torch.float32
    if type(start) is int and start >= 0 and actions is not None and fits and torch.isfinite(actions).all():
        return Past(start, tuple(actions.numpy()))
    raise SaveError(f"the saved session is damaged: start {shown(start)} and {shape[0]} actions since do not fit")
