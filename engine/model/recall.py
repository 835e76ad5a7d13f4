"""Recall: what a player decided about memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Recall:
    """What of the memory bank the coming frames may be drawn from, and what they must be.

    An entry is pinned, forgotten, or neither. One that is forgotten stays in the bank, and can be taken back.
    """

    on: bool = True  # False: nothing is recalled; the bank goes on filling
    pinned: tuple[int, ...] = ()  # entries that are always attended to
    forgotten: tuple[int, ...] = ()  # entries that never are

    def allows(self, entry: int) -> bool:
        """Whether an entry may be attended to."""
        return self.on and entry not in self.forgotten

    @property
    def plain(self) -> bool:
        """Whether nothing was decided."""
        return self.on and not self.pinned and not self.forgotten

    @property
    def always(self) -> list[int]:
        """The entries that every choice begins with: the sink, which is entry 0, and those pinned."""
        return [entry for entry in dict.fromkeys((0, *self.pinned)) if self.allows(entry)]

    def pin(self, entry: int) -> Recall:
        """The same, but that every frame attends to an entry."""
        return replace(self.release(entry), pinned=(*self.release(entry).pinned, entry))

    def forget(self, entry: int) -> Recall:
        """The same, but that no frame attends to an entry."""
        return replace(self.release(entry), forgotten=(*self.release(entry).forgotten, entry))

    def release(self, entry: int) -> Recall:
        """The entry is neither pinned nor forgotten any more."""
        pinned, forgotten = (tuple(one for one in all if one != entry) for all in (self.pinned, self.forgotten))
        return replace(self, pinned=pinned, forgotten=forgotten)

    def check(self, num_entries: int, num_slots: int) -> None:
        """Raise ValueError for entries that are not there, or pins that leave fewer than two of the slots."""
        unknown = [entry for entry in (*self.pinned, *self.forgotten) if not 0 <= entry < num_entries]
        if unknown:
            raise ValueError(f"there is no memory entry {unknown[0]}: there are {num_entries}, numbered from 0")
        if len(self.pinned) > num_slots - 2:
            raise ValueError(f"at most {num_slots - 2} memory entries can be pinned: let go of another one first")

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, which `from_json` reads."""
        return {name: value if name == "on" else list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Any) -> Recall:
        """What `as_json` gave. Raises ValueError for anything else."""
        whole = isinstance(value, dict) and value.keys() == asdict(cls()).keys() and type(value["on"]) is bool
        lists = [value["pinned"], value["forgotten"]] if whole else []
        whole = whole and all(isinstance(entries, list) for entries in lists)
        entries = [entry for entries in lists for entry in entries] if whole else []
        if not whole or not all(type(entry) is int for entry in entries) or len({*entries}) < len(entries):
            raise ValueError(f"what memory may be used is said as {cls().as_json()}, not as {str(value)[:200]}")
        return cls(value["on"], *map(tuple, lists))
