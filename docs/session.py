"""Pictures of a session as a person plays it: python -m docs.session

Opens the game's window on a screen that nobody sits at, presses its keys, and keeps a picture of each step: choose,
play, record, save, quit, load, rewind, branch, replay. Then it holds frames after loading against those without.
Writes media/session_*.png, media/session.gif and session.md, which shows them. Needs Xvfb and xdotool."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from docs.screen import Film, Screen, printed, write_gif
from docs.visit import ROOT, Visit, run_command
from engine import Engine, EngineError
from engine import world as worlds
from engine.data import command, savefile
from engine.data.recording import digest, open_recording

SCALE = 3  # pixels of the window for one of the frame
MOST_BYTES = 3_000_000  # of the moving picture
X_NAMES = {"space": "space", "left shift": "Shift_L", "left ctrl": "Control_L"}


@dataclass(frozen=True)
class Settings:
    """Settings of `python -m docs.session`."""

    world: str = "doom"  # a world's name, or a checkpoint's folder
    out: Path = ROOT / "docs"  # where session.md and media/ go
    start: int = 10  # the start scene that is chosen
    device: str = "cpu"
    real: bool = True  # show the real game as well, where it is installed
    pace: float = 1.0  # how long each thing is done, 1: as long as it takes to look at
    timeout_s: float = 180.0  # how long the window may take to show something


@dataclass
class Album:
    """The pictures so far, each with a sentence."""

    folder: Path
    pages: list[tuple[str, str]] = field(default_factory=list)  # file name, sentence

    def add(self, name: str, picture: Image.Image, sentence: str) -> None:
        file = f"session_{len(self.pages) + 1:02d}_{name}.png"
        picture.quantize(256, Image.Quantize.MAXCOVERAGE).save(self.folder / file, optimize=True)
        self.pages.append((file, sentence))
        print(f"{file}: {sentence}")


class Tour:
    """The session, step by step."""

    def __init__(self, settings: Settings, screen: Screen, home: Path, album: Album) -> None:
        self.settings, self.screen, self.home, self.album = settings, screen, home, album
        self.world = worlds.load(settings.world)
        self.film = Film(screen)
        bind = self.world.keys[0].bind[0]
        self._ahead = X_NAMES.get(bind, bind if len(bind) == 1 else bind.capitalize())
        self._world = [f"world={settings.world}", f"device={settings.device}"]
        self.saves = home / "saves" / self.world.name

    def _visit(self) -> Visit:
        words = [*self._world, f"scale={SCALE}", "saves=saves", "screenshots=screenshots", "preferences=settings.yaml"]
        return Visit(words, self.screen, self.home, self.settings.timeout_s)

    def show(self, name: str, sentence: str) -> None:
        self.album.add(name, Image.fromarray(self.screen.grab()), sentence)

    def walk(self, seconds: float, *turns: int) -> None:
        """Walk on, then turn by so many pixels of the mouse, once and again."""
        self.film.roll(True)
        self.screen.hold(self._ahead, seconds * self.settings.pace)
        for pixels in turns:
            self.screen.turn(pixels, abs(pixels) / 600 * self.settings.pace)
        self.film.roll(False)

    def play(self) -> list[str]:
        """Choose, play, record, save, play on, quit; what the game printed."""
        visit = self._visit()
        try:
            visit.until_title()
            self.screen.press(*["Right"] * self.settings.start)
            self.show("title", "The title screen: the start scenes of the world, each by its picture.")
            self.screen.press("Return")
            visit.until_play()
            self.walk(0.8, 700, -700)
            self.show("play", "A start scene is chosen, and the network draws what follows each key.")
            self.screen.press("r")
            visit.until(lambda: self._lines() > 3)
            self.show("record", "R records; the sign at the top right says so.")
            self.walk(1.0, -500, 500)
            self.screen.press("F5")
            visit.until((self.saves / "quick.save").exists)
            self.show("save", "F5 saves the session, and play goes on.")
            self.screen.press("F3", "F6")
            self.walk(0.8, 300)
            self.show("memory", "F3 shows the map of where one has been, F6 what the frame was drawn from.")
            self.screen.press("F3", "F6")
            self.walk(1.0, -300)
            return visit.quit()
        finally:
            visit.stop()

    def come_back(self) -> None:
        """Load, rewind, branch, quit."""
        visit = self._visit()
        try:
            visit.until_title()
            self.screen.press("Right")
            time.sleep(0.5)
            self.show("return", "Started again, the title screen offers what was saved, newest first.")
            self.screen.press("Return")
            visit.until_play()
            self.show("load", "The save is loaded, and the session goes on where it was.")
            self.walk(2.0, 400)
            self._rewind()
            self.walk(0.5)
            self.screen.press("b")
            visit.until(lambda: list(self.saves.glob("branch*.save")))
            self.show("branch", "B keeps this moment.")
            self.walk(1.5, 600)
            self.show("elsewhere", "Play goes on, another way than it will go later.")
            self.screen.press("g")
            time.sleep(1.5)
            self.show("back", "G goes back to the moment kept, from which another branch begins.")
            self.walk(1.0, -300)
            if self.settings.real and importlib.util.find_spec("vizdoom"):
                self._compare()
            visit.quit()
        finally:
            visit.stop()

    def _compare(self) -> None:
        """The real game beside the generated world, then in its place, then the generated world again."""
        self.screen.press("F7")
        time.sleep(6.0)  # until it has come to this moment
        self.walk(1.0, 200)
        self.show("both", "F7 shows both worlds, which get the same actions: the generated one and the real game.")
        self.screen.press("Tab")
        self.walk(1.0, -200)
        self.show("real", "Tab plays the real game; what is seen there becomes the session's history.")
        self.screen.press("Tab")
        self.walk(0.5)
        self.show("after", "Tab again, and the network goes on from what was seen.")

    def _rewind(self) -> None:
        self.film.roll(True)
        self.screen.act("keydown", "BackSpace")
        time.sleep(2.0 * self.settings.pace)
        self.show("rewind", "Backspace, held, goes back in time.")
        self.screen.act("keyup", "BackSpace")
        self.film.roll(False)

    def replay(self) -> str:
        """Have the command execute the recording again; what it said."""
        told = run_command([f"replay={self.recording()}", *self._world], self.home)
        sentence = "The recording, executed again: every frame is held against the recorded one."
        self.album.add("replay", printed(["$ python play.py replay=recordings/...", *told]), sentence)
        return told[-1]

    def recording(self) -> Path:
        """The folder of the recording made in the window."""
        return next(path.parent for path in sorted(self.home.glob("recordings/*/recording.json")))

    def _lines(self) -> int:
        """Frames recorded so far."""
        return sum(path.read_bytes().count(b"\n") for path in self.home.glob("recordings/*/actions.jsonl"))


def frames_after_loading(save: Path, recording: Path, settings: Settings) -> int:
    """How many frames that were recorded after a save follow from it, once loaded, by the same actions.

    Raises EngineError if any does not, or none was recorded.
    """
    tape, meta = open_recording(recording), savefile.describe(save)[0]
    first = int(meta["notes"]["number"]) - int(tape.meta["first_frame"])
    if not 0 <= first < len(tape) - 1:
        raise EngineError("nothing was recorded after the save")
    with Engine.load(settings.world, device=settings.device, denoise_steps=meta["denoise_steps"]) as engine:
        frame = engine.restore(save)
        for index in range(first, len(tape)):
            if index > first:
                frame = engine.step(engine.action_spec.decode(tape.actions[index])).frame
            if digest(frame) != tape.digests[index]:
                raise EngineError(f"frame {index} of the recording is another one after loading")
    return len(tape) - 1 - first


def page(album: Album, said: str, num_frames: int, world: str) -> str:
    """The text of session.md."""
    lines = [
        "# A session",
        "",
        f"A session of the world {world}, played in its window by `python -m docs.session`, which makes this page and",
        "its pictures anew: Xvfb is the screen, xdotool presses the keys.",
        "",
        "![The session, moving](media/session.gif)",
    ]
    for number, (file, sentence) in enumerate(album.pages, 1):
        name = re.sub(r"^session_\d+_|\.png$", "", file)
        lines += ["", f"**{number}.** {sentence}", "", f"![{name}](media/{file})"]
    lines += [
        "",
        "## Frames after loading",
        "",
        f"The recording went on after the save. Its {num_frames} frames from there were held against those that follow",
        "from the save, loaded, by the same actions: all are the same in every pixel. Of the whole recording, `replay`",
        f"says: {said}.",
    ]
    return "\n".join(lines) + "\n"


def make(settings: Settings) -> str:
    """Play the session, write its pictures and the page; a sentence about it."""
    for tool in ("Xvfb", "xdotool"):
        if shutil.which(tool) is None:
            raise EngineError(f"{tool} is not installed: apt-get install xvfb xdotool")
    media = settings.out / "media"
    media.mkdir(parents=True, exist_ok=True)
    for old in media.glob("session_*.png"):
        old.unlink()
    world, album = worlds.load(settings.world), Album(media)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        screen = Screen((SCALE * world.frame.width, SCALE * world.frame.height), home)
        try:
            tour = Tour(settings, screen, home, album)
            lines = tour.play()
            album.add(
                "quit", printed(["$ python play.py", *lines]), "Esc quits; the session is saved once more by itself."
            )
            tour.come_back()
            tour.film.end()
        finally:
            screen.close()
        said = tour.replay()
        num_frames = frames_after_loading(tour.saves / "quick.save", tour.recording(), settings)
        write_gif(tour.film.frames, tour.film.every_s, media / "session.gif", MOST_BYTES)
    (settings.out / "session.md").write_text(page(album, said, num_frames, world.title), encoding="utf-8")
    return f"{len(album.pages)} pictures in {media}; {num_frames} frames after loading equal those without; {said}"


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and make the pictures; 0, or 2 with one sentence."""
    return command.run(Settings, __doc__ or "", make, argv)


if __name__ == "__main__":
    sys.exit(main())
