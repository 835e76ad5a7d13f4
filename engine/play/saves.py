"""Where a person's saves are: a folder for each world, in it a file for each slot."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError, SaveError

SUFFIX = ".save"
AUTOSAVE = "autosave"
NAME = re.compile(r"\w[\w .-]{0,59}")
LONGEST_NAME = 40  # characters that one can type
BRANCH = re.compile(r"branch \d{4}-")
# Files of these names are devices on Windows, whatever follows the first dot.
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def data_folder() -> Path:
    """Where this system keeps a user's own data of programs such as this one."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "mag-engine"


@dataclass(frozen=True)
class Saves:
    """The slots below one folder; `slot` is the one that a key writes and reads."""

    folder: Path
    slot: str = "quick"

    def __post_init__(self) -> None:
        if self.slot == AUTOSAVE:
            raise ConfigError(f"the slot {AUTOSAVE!r} is written by itself; name another one")
        if fault := self.fault(self.slot):
            raise ConfigError(f"{fault}, not {self.slot!r}")

    def quick(self, world: str) -> Path:
        return self.folder / world / (self.slot + SUFFIX)

    def autosave(self, world: str) -> Path:
        """Where play goes by itself, every so often and when the player quits."""
        return self.folder / world / (AUTOSAVE + SUFFIX)

    def new_branch(self, world: str) -> Path:
        """A slot that is not there yet, named by the time."""
        return self.named(world, self._free(world, time.strftime("branch %Y-%m-%d %H.%M.%S")))

    def named(self, world: str, name: str) -> Path:
        """The slot of a name that `fault` finds none with."""
        return self.folder / world / (name + SUFFIX)

    def proposal(self, world: str) -> str:
        """A name by the time that no slot has yet."""
        return self._free(world, time.strftime("save %Y-%m-%d %H.%M"))

    def fault(self, name: str) -> str:
        """What is wrong with a slot's name; empty if nothing is."""
        return "" if NAME.fullmatch(name) else "a slot's name is letters, digits, spaces, dots and dashes"

    def is_reserved(self, name: str) -> bool:
        """Whether a name is not to be had: the autosave's, or a device's on Windows."""
        return name.lower() == AUTOSAVE or name.lower().partition(".")[0].rstrip() in DEVICES

    def rename(self, path: Path, name: str) -> Path:
        """Give a save another name, which no slot has yet; its file there. Raises SaveError."""
        there = path.with_name(name + SUFFIX)
        try:
            if there.exists():
                raise SaveError(f"{name!r} is there already; nothing is renamed")
            return path.rename(there)
        except OSError as error:
            raise SaveError(f"{path.stem!r} cannot be renamed: {error.strerror or error}") from error

    def delete(self, path: Path) -> None:
        """Delete a save for good. Raises SaveError."""
        try:
            path.unlink()
        except OSError as error:
            raise SaveError(f"{path.stem!r} cannot be deleted: {error.strerror or error}") from error

    def _free(self, world: str, name: str) -> str:
        """The name, with a number where it is taken."""
        found, number = name, 2
        while self.named(world, found).exists():
            found, number = f"{name} {number}", number + 1
        return found

    def last_branch(self, world: str) -> Path | None:
        """The branch kept last, None if there is none."""
        return next((path for path in self.newest_first(world) if BRANCH.match(path.stem)), None)

    def newest_first(self, world: str) -> list[Path]:
        """Every slot of a world, the one written last first."""
        try:
            aged = [(path.stat().st_mtime_ns, path) for path in (self.folder / world).glob("*" + SUFFIX)]
        except OSError:  # one that went away meanwhile, or a folder that may not be read
            return []
        return [path for _, path in sorted(aged, reverse=True)]
