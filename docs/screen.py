"""A screen that nobody sits at, and hands for it: Xvfb shows a program's window, xdotool presses its keys."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.errors import EngineError

DEPTH = 24  # bits, in four bytes a pixel
PAPER, INK = (16, 18, 24), (225, 228, 236)
SIZES = ((480, 1), (480, 2), (400, 2), (320, 2), (320, 3), (320, 4), (240, 4), (240, 6))  # width, one of so many frames


class Screen:
    """An X server of its own with one screen, (width, height) in pixels, whose memory is a file in `folder`."""

    def __init__(self, size: tuple[int, int], folder: Path) -> None:
        read, write = os.pipe()
        shape = f"{size[0]}x{size[1]}x{DEPTH}"
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", shape, "-fbdir", str(folder), "-nolisten", "tcp"]
        self._server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        if not number:
            raise EngineError("Xvfb did not start")
        self.display, self._memory = f":{number}", folder / "Xvfb_screen0"

    @property
    def environment(self) -> dict[str, str]:
        """Of a program that is to open its window here."""
        return {**os.environ, "DISPLAY": self.display, "SDL_VIDEODRIVER": "x11", "SDL_AUDIODRIVER": "dummy"}

    def grab(self) -> np.ndarray:
        """What is on the screen, uint8 [height, width, 3]."""
        return read_xwd(self._memory.read_bytes())

    def act(self, *words: str | int) -> None:
        """Have xdotool do something."""
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True)

    def press(self, *keys: str) -> None:
        """Press and let go each key, by its X name."""
        for key in keys:
            self.act("key", key)
            time.sleep(0.15)

    def hold(self, key: str, seconds: float) -> None:
        self.act("keydown", key)
        time.sleep(seconds)
        self.act("keyup", key)

    def turn(self, pixels: int, seconds: float) -> None:
        """Move the mouse across, little by little."""
        count = max(1, round(seconds / 0.05))
        for _ in range(count):
            self.act("mousemove_relative", "--", round(pixels / count), 0)
            time.sleep(0.05)

    def until_it_moves(self, goes_on: Callable[[], object], timeout_s: float) -> None:
        """Wait until much of the screen has changed several times in a row: frames come.

        `goes_on`: called while waiting; may raise.
        """
        self._until(lambda share: share > 0.02, goes_on, timeout_s)

    def until_it_rests(self, goes_on: Callable[[], object], timeout_s: float) -> None:
        """Wait until something is on the screen and has not changed for a while."""
        self._until(lambda share: share == 0.0 and int(np.ptp(self.grab())) > 60, goes_on, timeout_s)

    def _until(self, good: Callable[[float], bool], goes_on: Callable[[], object], timeout_s: float) -> None:
        end, seen, before = time.monotonic() + timeout_s, 0, self.grab()
        while seen < 4:
            if time.monotonic() > end:
                raise EngineError(f"nothing came on the screen within {timeout_s:g} s")
            goes_on()
            time.sleep(0.25)
            now = self.grab()
            seen, before = (seen + 1 if good(float((now != before).any(axis=-1).mean())) else 0), now

    def close(self) -> None:
        self._server.terminate()
        self._server.wait()


class Film:
    """Takes a picture of the screen every `every_s` while it runs."""

    def __init__(self, screen: Screen, every_s: float = 0.12, width: int = SIZES[0][0]) -> None:
        self.frames: list[Image.Image] = []
        self.every_s = every_s
        self._screen, self._width = screen, width
        self._rolls, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def roll(self, rolls: bool) -> None:
        """Begin or stop to take pictures."""
        (self._rolls.set if rolls else self._rolls.clear)()

    def end(self) -> None:
        self._ended = True
        self._rolls.set()
        self._thread.join()

    def _run(self) -> None:
        while self._rolls.wait() and not self._ended:
            began = time.monotonic()
            self.frames.append(shrunk(self._screen.grab(), self._width))
            time.sleep(max(0.0, self.every_s - (time.monotonic() - began)))


def read_xwd(blob: bytes) -> np.ndarray:
    """A picture in X's own format with four bytes a pixel, blue first -> uint8 [height, width, 3]."""
    head = np.frombuffer(blob[:100], dtype=">u4").astype(int)
    width, height, row_bytes = head[4], head[5], head[12]
    first = head[0] + 12 * head[19]  # behind the header and the table of colours
    rows = np.frombuffer(blob, np.uint8, row_bytes * height, first).reshape(height, row_bytes)
    return np.ascontiguousarray(rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1])


def shrunk(picture: np.ndarray, width: int) -> Image.Image:
    """uint8 [height, width, 3], brought to another width."""
    image = Image.fromarray(picture)
    return image.resize((width, max(1, image.height * width // image.width)), Image.Resampling.BOX)


def write_gif(frames: list[Image.Image], every_s: float, path: Path, most_bytes: int) -> None:
    """A moving picture of frames that are `every_s` apart; smaller, or with fewer of them, until it is small enough."""
    for width, every in SIZES:
        height = frames[0].height * width // frames[0].width
        shown = [frame.resize((width, height)).quantize(96, Image.Quantize.MAXCOVERAGE) for frame in frames[::every]]
        milliseconds = round(1000 * every_s * every)
        shown[0].save(path, save_all=True, append_images=shown[1:], duration=milliseconds, loop=0, optimize=True)
        if path.stat().st_size <= most_bytes:
            return
    raise EngineError(f"{path} has {path.stat().st_size} bytes, more than {most_bytes}")


def printed(lines: list[str], width: int = 960) -> Image.Image:
    """A picture of what a terminal shows."""
    font = ImageFont.load_default(20)
    image = Image.new("RGB", (width, 32 + 30 * len(lines)), PAPER)
    draw = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        draw.text((20, 16 + 30 * index), line, fill=INK, font=font)
    return image
