"""Memory bank: every compressed block of a session, and the choice of the few that a step attends to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.model.entry import Entry, pack, row_size, unpack
from engine.model.machine import constant, kept
from engine.model.memory import quantise
from engine.model.recall import Recall
from engine.model.settings import ModelSettings

CELL = 2.0  # side of an index cell, in pose units
REACH = 2  # cells around the camera's own that a choice looks into
SPOT = 0.25  # side of the spots of a cell, in pose units
SECTORS = 16  # directions of view that the index tells apart
NEWEST = 16  # newest entries that every choice looks at
GROWTH = 256  # entries by which the buffers grow
CANDIDATES = 600  # entries that one choice looks at, at most, beside the newest
AROUND = tuple(itertools.product(*[range(-REACH, REACH + 1)] * 2))  # cells that a choice looks into
OF_A_SPOT = 2  # newest entries that the index keeps of each spot and direction
TURN_WEIGHT = 1.0  # pose units that a radian counts for how near a view is
BUFFERS = Entry._fields  # of a bank, a row an entry
PROBE_DEPTHS = (0.5, 1.0, 2.0, 4.0)  # pose units in front of the camera
PROBE_RAYS = 8
TAKEN = -2.0  # what picking an entry gains that may not be picked
Spot = tuple[int, int, int]  # of a cell, and which way one looks from there, coarsely
View = tuple[float, float, float, int]  # where an entry was seen from, in the plane, the heading, and its number


def probe_points(pose: Tensor, fov: float) -> Tensor:
    """Points on the ground [.., rays * depths, 2] that a camera at `pose` [.., SIZE] looks at."""
    angles = _probe_angles(fov, pose.device)
    depths = constant(PROBE_DEPTHS, angles)
    heading = pose[..., 2, None] + angles
    ray = torch.stack([heading.cos(), heading.sin()], dim=-1)
    points = pose[..., None, None, :2] + ray.unsqueeze(-2) * depths[:, None]
    return points.flatten(-3, -2)


@kept
def _probe_angles(fov: float, device: torch.device) -> Tensor:
    half = math.radians(fov) / 2
    return torch.linspace(-half, half, PROBE_RAYS, device=device) * 0.95


def coverage(entries: Tensor, viewer: Tensor, points: Tensor, fov: float) -> Tensor:
    """How well each entry's camera saw each point, 0..1: [.., N, P].

    entries: poses [.., N, SIZE]. viewer: [.., P, 2], where the points are looked at from now; points: [.., P, 2].
    An entry sees a point well when it is inside its view, at a similar distance and from a similar side.
    """
    half = math.radians(fov) / 2
    offset = points.unsqueeze(-3) - entries[..., None, :2]
    distance = offset.norm(dim=-1).clamp(min=1e-3)
    bearing = torch.atan2(offset[..., 1], offset[..., 0]) - entries[..., None, 2]
    outside = (torch.remainder(bearing + math.pi, 2 * math.pi) - math.pi).abs() - half
    now = (points - viewer).unsqueeze(-3)
    reach = now.norm(dim=-1).clamp(min=1e-3)
    side = (now * offset).sum(-1) / (distance * reach)
    scale = (distance / reach).log().abs()
    return torch.exp(-scale - 2 * (1 - side)) * torch.sigmoid(-outside * 30)


def choose(
    poses: Tensor, valid: Tensor, now: Tensor, count: int, fov: float, newest: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Pick `count` entries whose views together cover best what the cameras `now` look at.

    poses: [B, N, SIZE]; valid: bool [B, N]; now: [B, K, SIZE]; newest: [B, N] in 0..1, age as a mild
    preference for the new. Greedy: each pick adds what the picks before it do not cover. Returns
    indices [B, count] and whether each is filled, bool [B, count].
    """
    points = probe_points(now, fov)
    viewer = now[..., None, :2].expand_as(points).flatten(1, 2)
    quality = coverage(poses, viewer, points.flatten(1, 2), fov)
    if newest is not None:
        quality = quality * (0.9 + 0.1 * newest.unsqueeze(-1))
    quality = torch.where(valid.unsqueeze(-1), quality, constant((-1.0,), quality))
    near = -(poses[:, :, None, :2] - now[:, None, :, :2]).norm(dim=-1).amin(-1)
    tie = torch.where(valid, 1e-4 * near.exp(), constant((TAKEN,), near))
    best, index = (quality.clamp(min=0).mean(-1) + tie).max(dim=1, keepdim=True)
    gains, picked, covered = [best], [index], torch.zeros_like(quality[:, :1])
    for _ in range(count - 1):
        # What is picked covers itself whole, so that nothing is gained by it again.
        tie.scatter_(1, index, TAKEN)
        row = quality.gather(1, index.unsqueeze(2).expand(-1, 1, quality.shape[-1]))
        covered = torch.maximum(covered, row)
        best, index = ((quality - covered).clamp(min=0).mean(-1) + tie).max(dim=1, keepdim=True)
        gains.append(best)
        picked.append(index)
    return torch.cat(picked, dim=1), torch.cat(gains, dim=1) > TAKEN / 2


def _find(x: float, y: float, heading: float) -> tuple[tuple[int, int], Spot]:
    """The cell in which a camera stands; and the spot, with which way it looks, coarsely."""
    sector = math.floor(heading / (2 * math.pi) * SECTORS) % SECTORS
    return (math.floor(x / CELL), math.floor(y / CELL)), (math.floor(x / SPOT), math.floor(y / SPOT), sector)


class Cell:
    """The views that the index keeps of one cell, as an array: written into, and not made anew, for each one more."""

    def __init__(self) -> None:
        self.rows = np.zeros((8, 4))
        self.count = 0
        self.places: dict[Spot, list[int]] = {}  # rows of each spot's views, the oldest first

    @property
    def views(self) -> np.ndarray:
        """x, y, heading and number of each: float64 [n, 4]."""
        return self.rows[: self.count]

    def by_spot(self) -> dict[Spot, list[View]]:
        """The views of each spot, the oldest first."""
        told = self.rows.tolist()
        return {
            spot: [(x, y, heading, int(entry)) for x, y, heading, entry in (told[row] for row in rows)]
            for spot, rows in self.places.items()
        }

    def add(self, spot: Spot, view: View) -> None:
        """Keep a view of a spot, in place of its oldest where it has OF_A_SPOT."""
        places = self.places.setdefault(spot, [])
        if len(places) == OF_A_SPOT:
            places.append(places.pop(0))
        else:
            if self.count == len(self.rows):
                self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
            places.append(self.count)
            self.count += 1
        self.rows[places[-1]] = view


class MemoryBank:
    """All entries of one session, five bits a number, and a grid over their poses: a choice looks at a bounded few."""

    def __init__(self, settings: ModelSettings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.num_entries = 0
        self.hold(torch.zeros(0, row_size(settings), dtype=torch.uint8, device=device))
        self._cells: dict[tuple[int, int], Cell] = {}
        self.num_indexed = 0  # entries that are in it
        self._told: dict[int, Sequence[float]] = {}  # from where entries that are yet to be indexed were seen
        self._around: tuple[tuple[int, ...], np.ndarray] | None = None  # the last candidates; of where and how many
        self.recall = Recall()
        self.fleeting = False  # whether the newest entry tells nothing new, and is taken back when another one comes
        self.frozen = 0  # rows of the buffers that other banks read too, and that are never written again

    @property
    def num_bytes(self) -> int:
        """Bytes that the entries held take, without room to grow."""
        return row_size(self.settings) * self.num_entries

    def hold(self, rows: Tensor) -> None:
        """Have these be the buffer, [capacity, bytes]."""
        self.rows = rows
        self.tokens, self.scales, self.poses, self.latents, self.latent_scales, self.nearness = unpack(
            self.settings, rows
        )

    def append(self, entry: Tensor, pose: Tensor, latent: Tensor, nearness: Tensor) -> None:
        """Keep one entry [tokens, memory_dim] of a block, with its last frame.

        That frame: its latent [rows, columns, channels], 1 / distance [rows, columns], and pose [SIZE].
        """
        self.put(pack(self.settings, [*quantise(entry), pose, *quantise(latent), nearness]))

    def put(self, row: Tensor) -> None:
        """The same from its row, in place of the newest one if that is fleeting."""
        self.take_back()
        if self.num_entries == len(self.rows) or self.num_entries < self.frozen:
            self._grow()
        self.rows[self.num_entries] = row
        self.num_entries += 1

    @property
    def takes_back(self) -> bool:
        """Whether the newest entry goes when another one comes: what a player decided about it counts before that."""
        return self.fleeting and self.num_entries - 1 not in (*self.recall.pinned, *self.recall.forgotten)

    def take_back(self) -> None:
        """Take back the newest entry if it goes now."""
        if self.takes_back:
            self.num_entries -= 1
            if self.num_indexed > self.num_entries:
                self.keep(self.num_entries)
        self.fleeting = False

    def cells(self) -> dict[tuple[int, int], dict[Spot, list[View]]]:
        """The newest entries of each cell and spot in it, as `index` keeps them."""
        self.index()
        return {place: cell.by_spot() for place, cell in self._cells.items()}

    def index(self, fresh: bool = False) -> None:
        """Note the newest entries of each cell and spot in it, but for the newest of all while it may be taken back:
        when it is `fresh`, and when it is fleeting.

        Where others were seen from is read off the device, so the host waits for it, unless `candidates` was told.
        """
        if new := range(self.num_indexed, self.num_entries - (fresh or self.fleeting)):
            if all(index in self._told for index in new):
                seen_from = [self._told[index] for index in new]
            else:
                seen_from = self.poses[new.start : new.stop].tolist()
            for index, (x, y, heading, *_) in zip(new, seen_from, strict=True):
                cell, spot = _find(x, y, heading)
                self._cells.setdefault(cell, Cell()).add(spot, (x, y, heading, index))
                self._told.pop(index, None)
            self.num_indexed = new.stop

    def share(self) -> MemoryBank:
        """A bank of the same entries in the same buffers; whichever would write over the other's copies them first."""
        twin = MemoryBank(self.settings, self.device)
        twin.hold(self.rows)
        twin.num_entries, twin.frozen = self.num_entries, len(self.rows)
        self.frozen = max(self.frozen, self.num_entries)
        return twin

    def keep(self, count: int) -> None:
        """Forget all entries but the first `count`."""
        self.num_entries, self.num_indexed, self._around = count, 0, None
        self._cells, self._told, self.fleeting = {}, {}, False

    def candidates(self, now: Sequence[float], fresh: bool = False) -> np.ndarray:
        """At most CANDIDATES entries for a camera at `now` [SIZE], and the newest: those seen from nearest to there.

        Their numbers, rising; the same array until there is an entry more, or the camera is at another spot. fresh: the
        newest was seen from there.
        """
        cell, spot = _find(*now[:3])
        asked = *spot, self.num_entries
        if fresh:
            self._told[self.num_entries - 1] = now
        if self._around is None or self._around[0] != asked:
            self.index(fresh)
            there = (self._cells.get((cell[0] + dx, cell[1] + dy)) for dx, dy in AROUND)
            views = np.concatenate([np.zeros((0, 4)), *(one.views for one in there if one is not None)])
            if len(views) > CANDIDATES:
                x, y, heading = views[:, :3].T
                turned = np.abs(np.remainder(heading - now[2] + math.pi, 2 * math.pi) - math.pi)
                cost = np.hypot(x - now[0], y - now[1]) + TURN_WEIGHT * turned
                views = views[np.argpartition(cost, CANDIDATES)[:CANDIDATES]]
            first, found = max(0, self.num_entries - NEWEST), views[:, 3].astype(np.int64)
            old = np.sort(found[found < first])
            self._around = asked, np.concatenate([old, np.arange(first, self.num_entries)])
        return self._around[1]

    def _grow(self) -> None:
        """Move the entries to buffers of the bank's own, with room for more."""
        held = self.rows[: self.num_entries]
        self.hold(torch.cat([held, held.new_zeros(GROWTH, held.shape[1])]))
        self.frozen = 0
