"""Recall: what a player decided about memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Recall:
    """What of the memory bank the coming frames may be drawn from."""

    on: bool = True  # False: from none of it; the bank goes on filling

    def allows(self, entry: int) -> bool:
        """Whether an entry may be attended to."""
        return self.on

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Recall:
        """What `as_json` gave. Raises ValueError for anything else."""
        if not isinstance(value, dict) or value.keys() != asdict(cls()).keys() or type(value["on"]) is not bool:
            raise ValueError(f"what memory may be used for is said by {asdict(cls())}, not by {value!r}")
        return cls(**value)
