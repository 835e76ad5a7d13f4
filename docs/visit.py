"""The game, visited by a program: its window opened, waited for and left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from docs.screen import Screen
from engine.errors import EngineError

ROOT = Path(__file__).resolve().parent.parent


class Visit:
    """One run of the game's window, from its opening to its end."""

    def __init__(self, words: list[str], screen: Screen, home: Path, timeout_s: float) -> None:
        """words: settings of `python play.py`. home: the folder it is started in."""
        self.screen, self._timeout_s = screen, timeout_s
        self._game = subprocess.Popen(
            [sys.executable, str(ROOT / "play.py"), *words],
            cwd=home, env=screen.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        screen.act("mousemove", 0, 0)

    def until_title(self) -> None:
        """Wait for the title screen."""
        self.screen.until_it_rests(self._goes_on, self._timeout_s)

    def until_play(self) -> None:
        """Wait for frames."""
        self.screen.until_it_moves(self._goes_on, self._timeout_s)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that the game does."""
        end = time.monotonic() + self._timeout_s
        while not condition():
            self._goes_on()
            if time.monotonic() > end:
                raise EngineError("the game did not do what its keys asked for")
            time.sleep(0.1)
        time.sleep(0.3)  # until it is drawn

    def _goes_on(self) -> None:
        if self._game.poll() is not None:
            raise EngineError(f"the game ended: {self._game.communicate()[0].strip()}")

    def quit(self) -> list[str]:
        """Leave by the keyboard; what the game printed."""
        self.screen.press("Escape", "Escape")
        return self._game.communicate(timeout=self._timeout_s)[0].strip().splitlines()

    def stop(self) -> None:
        if self._game.poll() is None:
            self._game.kill()
            self._game.wait()


def run_command(words: list[str], home: Path) -> list[str]:
    """What `python play.py` prints for settings. Raises EngineError if it fails."""
    done = subprocess.run([sys.executable, str(ROOT / "play.py"), *words], cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise EngineError(f"play.py {' '.join(words)} says: {done.stdout}{done.stderr}")
    return done.stdout.strip().splitlines()
