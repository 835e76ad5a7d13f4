"""The memory banks of sessions that step together: choosing, reading and writing for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.model.entry import unpack
from engine.model.machine import send
from engine.model.memory_bank import CANDIDATES, GROWTH, NEWEST, MemoryBank
from engine.model.recall import Recall
from engine.model.settings import ModelSettings

FEWEST = 32  # places for candidates on a GPU; they double up to the most there can be, so that few shapes occur


class Candidates(NamedTuple):
    """Entries that a choice looks at, for each of B sessions as many: N.

    entries: their numbers, int64 [B, N], -1 for none. free: how many may be chosen of each session's, [B]. On the
    device, seen_from: their poses [B, N, SIZE]; told: `entries`, and then how many the session has, [B, N + 1].
    """

    entries: np.ndarray
    free: np.ndarray
    seen_from: Tensor
    told: Tensor


class Given(NamedTuple):
    """What candidates follow from: counts, recalls and slots, and what banks with many entries `found`, by row."""

    told: tuple[list[int], list[Recall], int]
    found: Mapping[int, np.ndarray]

    def is_like(self, other: Given) -> bool:
        """Whether the same follows; a bank that found the same says so by the same array."""
        same = self.told == other.told and self.found.keys() == other.found.keys()
        return same and all(found is other.found[row] for row, found in self.found.items())


def read_told(told: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each candidate is one, and how new it is, 0..1: [B, N] each, as `memory_bank.choose` takes them."""
    entries, counts = told[:, :-1], told[:, -1:]
    return entries >= 0, entries / (counts - 1).clamp(min=1)


class Banks:
    """A bank for each session. Those of several share one buffer [B, capacity, bytes]."""

    def __init__(self, settings: ModelSettings, device: torch.device, batch: int, one_shape: bool = False) -> None:
        self.settings, self.device = settings, device
        self.one_shape = one_shape  # on a GPU, candidates always have the most places
        self.banks = [MemoryBank(settings, device) for _ in range(batch)]
        self.rows = torch.arange(batch, device=device)
        self.last: tuple[Given, tuple[np.ndarray, np.ndarray, Tensor]] | None = None  # entries, and of what
        self._share(torch.stack([bank.rows for bank in self.banks]))

    def __len__(self) -> int:
        return len(self.banks)

    def __getitem__(self, row: int) -> MemoryBank:
        return self.banks[row]

    def __iter__(self) -> Iterator[MemoryBank]:
        return iter(self.banks)

    def __setitem__(self, row: int, bank: MemoryBank) -> None:
        """Make a bank a session's: the only session's as it is, else what it holds is copied."""
        self.banks[row] = bank
        if len(self) == 1:
            return
        held = bank.rows[: bank.num_entries]
        self.banks[row] = twin = bank.share()
        twin.recall, twin.frozen, twin.fleeting = bank.recall, 0, bank.fleeting
        while bank.num_entries > self.capacity:
            self._grow()
        self.shared[row, : bank.num_entries] = held
        twin.hold(self.shared[row])

    @property
    def capacity(self) -> int:
        """Entries that the shared buffers have room for, of each session."""
        return self.shared.shape[1]

    def append(self, kept: Tensor) -> None:
        """Keep one entry of each session, in place of its newest where that is fleeting: their rows, [B, bytes]."""
        if len(self) == 1:
            self.banks[0].put(kept[0])
            return
        for bank in self.banks:
            bank.take_back()
        counts = self.counts()
        if counts.max() == self.capacity:
            self._grow()
        self.shared[self.rows, send(counts, self.device)] = kept
        for bank in self.banks:
            bank.num_entries += 1

    def leaving(self) -> np.ndarray:
        """The entry of each session that goes when another one comes, int64 [B], -1 for none."""
        return np.array([bank.num_entries - 1 if bank.takes_back else -1 for bank in self.banks])

    def read(self, rows: Tensor, entries: Tensor) -> Tensor:
        """Entries [K] of sessions [K]: their rows, [K, bytes]."""
        return self.banks[0].rows[entries] if len(self) == 1 else self.shared[rows, entries]

    def counts(self) -> np.ndarray:
        """Entries of each session, int64 [B]."""
        return np.fromiter((bank.num_entries for bank in self.banks), dtype=np.int64, count=len(self))

    def candidates(
        self, present: Callable[[], list[list[float]]], slots: int, fresh: bool = False
    ) -> Candidates | None:
        """What entries for `slots` slots are chosen from; None if there are none.

        present: tells, where there are many, from where the sessions' last frames were seen, [B, SIZE]; fresh: so were
        their newest entries. Those that are always shown are not chosen, and those that a player forgot are not among
        them.
        """
        recalls = [bank.recall for bank in self.banks]
        counts = np.where([recall.on for recall in recalls], self.counts(), 0)
        if not counts.any():
            return None
        many = np.flatnonzero(counts > CANDIDATES)
        now = present() if len(many) else []
        found = {row: self.banks[row].candidates(now[row], fresh) for row in many.tolist()}
        given = Given((counts.tolist(), recalls, slots), found)
        # The same until a block is finished or a camera has gone on.
        if self.last is None or not given.is_like(self.last[0]):
            self.last = given, self._among(counts, recalls, slots, found)
        entries, free, told = self.last[1]
        own = self.banks[0].poses[None] if len(self) == 1 else self.poses
        return Candidates(entries, free, own[self.rows.unsqueeze(1), told[:, :-1]], told)

    def _among(
        self, counts: np.ndarray, recalls: Sequence[Recall], slots: int, found: Mapping[int, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """`entries`, `free` and `told` of Candidates: the entries `found` of these sessions, and all of the others."""
        lengths = counts.copy()
        for row, chosen in found.items():
            lengths[row] = len(chosen)
        entries = np.tile(np.arange(self._places(int(lengths.max()))), (len(self), 1))
        for row, chosen in found.items():
            entries[row, : len(chosen)] = chosen
        valid = np.arange(entries.shape[1]) < lengths[:, None]
        free = np.full(len(self), slots - 1)  # the sink is always shown
        for row, recall in enumerate(recalls):
            if not recall.plain:
                free[row] = slots - len(recall.always)
                valid[row] &= ~np.isin(entries[row], [*recall.pinned, *recall.forgotten])
        entries = np.where(valid, entries, -1)
        return entries, free, send(np.concatenate([entries, counts[:, None]], axis=1), self.device)

    def wanted(self, asked: Candidates, picked: np.ndarray, slots: int) -> np.ndarray:
        """Entries to show, int64 [B, slots], -1 where there are fewer: those always shown, then those picked.

        picked: [B, .], what was chosen as numbers of candidates, -1 for none.
        """
        rows = np.arange(len(self))[:, None]
        chosen = asked.entries[rows, np.maximum(picked, 0)]
        counted = np.arange(picked.shape[1]) < asked.free[:, None]
        chosen = np.where((picked >= 0) & counted & (chosen != 0), chosen, -1)
        always = np.full((len(self), slots), -1)
        for row, bank in enumerate(self.banks):
            if bank.num_entries and bank.recall.plain:
                always[row, 0] = 0
            elif bank.num_entries and bank.recall.on:
                always[row, : len(bank.recall.always)] = bank.recall.always
        found = np.concatenate([always, chosen], axis=1)
        first = np.argsort(found < 0, axis=1, kind="stable")[:, :slots]
        return found[rows, first]

    def _places(self, count: int) -> int:
        """How many candidates a choice of `count` is given room for."""
        if self.device.type == "cpu":
            return count
        places = CANDIDATES + NEWEST if self.one_shape else FEWEST
        while places < count:
            places *= 2
        return min(places, max(count, CANDIDATES + NEWEST))

    def _grow(self) -> None:
        """Move all entries to buffers with room for more."""
        room = self.shared.new_zeros(len(self), GROWTH, self.shared.shape[2])
        self._share(torch.cat([self.shared, room], dim=1))
        for row, bank in enumerate(self.banks):
            bank.hold(self.shared[row])

    def _share(self, rows: Tensor) -> None:
        self.shared, self.poses = rows, unpack(self.settings, rows).poses


def assign(slots: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put `wanted` entries [B, S] into `slots` [B, S] in place, moving none that is there already; -1 is none.

    Returns rows and columns of the slots that changed.
    """
    same = (slots[:, :, None] == wanted[:, None, :]) & (wanted >= 0)[:, None, :]
    missing = (wanted >= 0) & ~same.any(axis=1)
    if not missing.any():
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    free = ~same.any(axis=2)
    changed = free & (free.cumsum(axis=1) <= missing.sum(axis=1, keepdims=True))
    slots[changed] = wanted[missing]
    rows, columns = np.nonzero(changed)
    return rows, columns
