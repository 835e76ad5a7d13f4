"""Where cameras stand: the ground under each session's way, and what of the coming frame's place it decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.model.falls import Falls, Ticks, foresee
from engine.model.machine import Fetch, send
from engine.model.network import WorldModel
from engine.model.pushes import Pushes
from engine.model.terrain import FEWEST, Terrain, ground_at

Way = tuple[Sequence[float], ...]  # poses [SIZE] of all frames of a session, in turn

HEIGHT = 3  # its place in a pose
FAR = 1e9  # pose units: where nobody is


class Footing:
    """Of B sessions that step together. Without a world's falls, or motion fitted by ticks, it tells and keeps nothing.

    All that it knows of a session follows from the poses of its frames.
    """

    def __init__(self, model: WorldModel, batch: int) -> None:
        moves, falls = model.generator.momentum, model.falls or (0.0, 0.0, 0.0)
        self.model, self.falls = model, Falls(*falls)
        self.ticks: Ticks | None = None
        if model.falls is not None and isinstance(moves, Pushes):
            self.ticks = Ticks(*moves.ticks(model.action_scale.tolist()))
        self.terrains = [Terrain(self.falls) for _ in range(batch)]
        self.unread: list[Tensor] = []  # poses [B, SIZE] of the newest frames, on the device
        self.level = torch.zeros(batch, device=model.device)
        self.behind = self.level  # how far the eyes are behind the feet, [B], pose units
        self.sure: Tensor | None = None  # which numbers of the coming pose are told whatever is drawn, bool [B, SIZE]

    def add(self, *told: Tensor) -> None:
        """Take the poses [B, SIZE] of the next frames."""
        self.unread += told if self.ticks else ()

    def way(self, row: int = 0) -> Way:
        """The poses of all frames of a session. The host waits for those that it does not know."""
        self._read([torch.stack(self.unread, dim=1).cpu()] if self.unread else [])
        return tuple(self.terrains[row].path)

    def go(self, way: Way, row: int = 0) -> None:
        """Have a session be where it is after the frames of a way."""
        self._read([torch.stack(self.unread, dim=1).cpu()] if self.unread else [])
        self.terrains[row] = Terrain(self.falls)
        for pose in way if self.ticks else ():
            self.terrains[row].add(pose)

    def send_for(self, before: Tensor, action: Tensor) -> Fetch | None:
        """Have the host told what `lead` needs, actions [B, size] of the last and the coming frame among it."""
        told = [torch.stack(self.unread, dim=1)] if self.unread else []
        return Fetch(before, action, *told) if self.ticks else None

    def lead(self, asked: Tensor, arriving: Fetch | None, rows: Sequence[int]) -> Tensor:
        """`asked` [B, SIZE], but for what the ground decides, in these rows alone."""
        self.behind, self.sure = self.level, None
        if arriving is None or self.ticks is None:
            return asked
        before, action, *unread = arriving.wait()
        self._read(unread)
        found = {row: near for row in rows if (near := self.terrains[row].near()) is not None}
        if not found:
            return asked
        rows = list(found)
        spots, edges = (_fill(parts) for parts in zip(*found.values(), strict=True))
        ground = partial(ground_at, spots=spots, edges=edges)
        last = np.array([self.terrains[row].path[-FEWEST:] for row in rows])
        yaw = torch.deg2rad(self.model.yaw(action[rows])).double().numpy()
        actions = torch.stack([before[rows], action[rows]], dim=1).double().numpy()
        told, sure, behind = foresee(self.falls, self.ticks, last, actions, yaw, ground)
        if behind.any():
            each = np.zeros(len(asked), np.float32)
            each[rows] = behind
            self.behind = send(each, asked.device)
        if not sure.any():
            return asked
        whole, which = np.zeros(asked.shape, np.float32), np.zeros(asked.shape, bool)
        whole[rows], which[rows] = told, sure
        self.sure = send(which & (np.arange(which.shape[1]) == HEIGHT), asked.device)
        return torch.where(send(which, asked.device), send(whole, asked.device), asked)

    def keep(self, asked: Tensor, pose: Tensor) -> Tensor:
        """The `pose` [B, SIZE] that a frame asked for at `asked` shows; but a height that the ground tells stays."""
        return pose if self.sure is None else torch.where(self.sure, asked, pose)

    def _read(self, told: Sequence[Tensor]) -> None:
        """Take the poses that were not read yet, [B, n, SIZE], if there are any."""
        for some in told:
            for terrain, new in zip(self.terrains, some.tolist(), strict=True):
                for pose in new:
                    terrain.add(pose)
        self.unread.clear()


def _fill(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays [n, size] as one, [K, most, size]; what is missing lies nowhere."""
    filled = np.full((len(parts), max(len(part) for part in parts), parts[0].shape[1]), FAR)
    for row, part in zip(filled, parts, strict=True):
        row[: len(part)] = part
    return filled
