"""What the commands of this package share: settings from the command line, one sentence for a mistake, and progress."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from engine import config
from engine.errors import EngineError

T = TypeVar("T")


def run(schema: type[T], about: str, do: Callable[[T], str], argv: Sequence[str] | None = None) -> int:
    """Read settings, `do` what they ask for and print the sentence it returns: 0, or 2 for a user's mistake.

    A file that cannot be read or written is a user's mistake too.
    """
    logging.basicConfig(format="%(message)s")
    try:
        said = do(config.from_command_line(schema, argv, about=about))
    except (EngineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(said)
    return 0


class Progress:
    """A line on stderr: episodes done and frames a second."""

    def __init__(self, num_episodes: int, num_frames: int) -> None:
        """num_frames: of one episode."""
        self.num_episodes, self.num_frames = num_episodes, num_frames
        self.done, self.began = 0, time.monotonic()
        self._show()

    def advance(self) -> None:
        self.done += 1
        self._show()

    def close(self) -> None:
        print(file=sys.stderr)

    def _show(self) -> None:
        seconds = max(time.monotonic() - self.began, 1e-6)
        rate = self.done * self.num_frames / seconds
        bar = "#" * (30 * self.done // max(1, self.num_episodes))
        line = f"\r[{bar:<30}] {self.done}/{self.num_episodes} episodes  {rate:,.0f} frames/s  {seconds:.0f} s"
        print(line, end="", file=sys.stderr, flush=True)
