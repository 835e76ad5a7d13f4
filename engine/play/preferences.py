"""A player's own settings: a small YAML file in the user's data folder, below what the command line says."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from engine import config
from engine.errors import ConfigError
from engine.play.settings import Preferences, Settings, check

FILE = "settings.yaml"
HEAD = "# Written by the settings screen. The command line wins; python play.py --help says what each means.\n"
NAMES = tuple(item.name for item in fields(Preferences))


class Kept:
    """The preferences in a file, and those that the command line holds fast for this run."""

    def __init__(self, file: Path, given: Preferences, named: Collection[str]):
        """`given`: the command line's settings, of which it names those in `named`.

        A file that cannot be used leaves the defaults, and a sentence in `fault`.
        """
        self._file, self._given, self.fault = file, given, ""
        self.fixed = frozenset(named) & frozenset(NAMES)
        self.chosen = Preferences()
        try:
            if file.exists():
                self.chosen = config.load(Preferences, [file])
                check(self.chosen)
        except (ConfigError, OSError) as error:
            self.chosen, self.fault = Preferences(), f"your settings are not used: {error}"

    @property
    def current(self) -> Preferences:
        """What holds in this run."""
        return replace(self.chosen, **{name: getattr(self._given, name) for name in self.fixed})

    def over(self, settings: Settings) -> Settings:
        """All settings of this run."""
        current = self.current
        return replace(settings, **{name: getattr(current, name) for name in NAMES})

    def choose(self, **changes: Any) -> str:
        """Have other preferences from now on, and keep them; a sentence if they cannot be kept, else nothing."""
        self.chosen = replace(self.chosen, **changes)
        plain, usual = config.to_dict(self.chosen), config.to_dict(Preferences())
        other = {name: plain[name] for name in NAMES if plain[name] != usual[name]}
        text = HEAD + (yaml.safe_dump(other, allow_unicode=True) if other else "")
        part = self._file.with_name(self._file.name + ".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self.fault:  # someone wrote it by hand, and may want to mend it
                os.replace(self._file, self._file.with_name(self._file.name + ".broken"))
                self.fault = ""
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._file)
        except OSError as error:
            return f"your settings hold until you quit, but cannot be kept in {self._file}: {error.strerror or error}"
        return ""

    def reset(self) -> str:
        """Have the defaults again, as `choose` does."""
        return self.choose(**{name: getattr(Preferences(), name) for name in NAMES})
