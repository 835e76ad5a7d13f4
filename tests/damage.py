"""Seeded damage to a folder of files: what a torn disk, a careless copy or a forger leaves behind."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

NESTED: Any = 1
for _ in range(400):
    NESTED = [NESTED]
WILD: list[Any] = [
    None, True, 0, -1, 2, 3.5, 1e-300, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**30, 10**4000, "",
    "x", "0" * 64, "two\nlines \x1b[31m", "../../../..", "/", "x" * 100_000, [], {}, [[]], [1] * 50_000,
    {"a": {"b": NESTED}}, NESTED,
    ["forward", "light"], [30.0], [float("nan")] * 3, [0.0, 0.0, 1e30], {"on": 1, "pinned": [], "forgotten": []},
    {"on": False, "pinned": [0], "forgotten": [10**9]}, {"on": True, "pinned": ["a\nb"], "forgotten": []},
]  # fmt: skip
PLAYLISTS = (
    b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile video-of-elsewhere.mp4\n",
    b"RIFF\x00\x00\x00\x00AVI LIST",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
)


class TooLong(BaseException):
    """No kind of Exception, so that nothing takes it for a damaged file."""


class Payload:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def pickled(mark: Path) -> bytes:
    """A .npy file of objects, which makes `mark` where it is unpickled."""
    file = io.BytesIO()
    np.save(file, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    return file.getvalue()


class Damager:
    """Damages copies of folders, one kind after the other; the same seed does the same damage."""

    def __init__(self, seed: int, mark: Path) -> None:
        self.random, self.mark = np.random.default_rng(seed), mark
        self.kinds: list[Callable[[Path], None]] = [
            self.flip, self.cut, self.json_value, self.blank, self.line_value, self.insert, self.remove, self.swap,
            self.array_shape, self.replace, self.reorder,
        ]  # fmt: skip

    def damage(self, folder: Path, index: int) -> str:
        """Damage a file or two in `folder`; what was done."""
        kind = self.kinds[index % len(self.kinds)]
        kind(folder)
        return f"mutation {index}, {kind.__name__}"

    def one_of(self, choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def file(self, folder: Path, endings: tuple[str, ...] = ("",)) -> Path:
        """A file of the folder, at random; of one of these endings if it has any."""
        files = sorted(path for path in folder.iterdir() if path.is_file())
        return self.one_of([path for path in files if path.name.endswith(endings)] or files)

    def flip(self, folder: Path) -> None:
        path = self.file(folder)
        blob = bytearray(path.read_bytes())
        for _ in range(int(self.random.integers(1, 6))):
            blob[int(self.random.integers(len(blob)))] ^= 1 << int(self.random.integers(8))
        path.write_bytes(blob)

    def cut(self, folder: Path) -> None:
        path = self.file(folder)
        path.write_bytes(path.read_bytes()[: int(self.random.integers(path.stat().st_size))])

    def blank(self, folder: Path) -> None:
        path = self.file(folder)
        blob = path.read_bytes()
        at = int(self.random.integers(len(blob)))
        path.write_bytes(blob[:at] + bytes(min(64, len(blob) - at)) + blob[at + 64 :])

    def insert(self, folder: Path) -> None:
        path = self.file(folder)
        blob = path.read_bytes()
        at = int(self.random.integers(len(blob)))
        path.write_bytes(blob[:at] + self.random.bytes(int(self.random.integers(1, 40))) + blob[at:])

    def remove(self, folder: Path) -> None:
        self.file(folder).unlink()

    def swap(self, folder: Path) -> None:
        one, other = self.file(folder), self.file(folder)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)

    def json_value(self, folder: Path) -> None:
        path = self.file(folder, (".json",))
        tree = json.loads(path.read_text())
        tree[self.one_of([*tree, "recall", "denoise_steps"])] = self.one_of(WILD)
        path.write_text(json.dumps(self.one_of([tree] * 9 + [self.one_of(WILD)])))

    def line_value(self, folder: Path) -> None:
        path = self.file(folder, (".jsonl", ".json"))
        lines = path.read_text().splitlines()
        at = int(self.random.integers(len(lines)))
        tree = json.loads(lines[at]) if path.name.endswith(".jsonl") else {}
        tree[self.one_of([*tree, "recall", "action"])] = self.one_of(WILD)
        lines[at] = json.dumps(tree)
        path.write_text("\n".join(lines) + "\n")

    def reorder(self, folder: Path) -> None:
        path = self.file(folder, (".jsonl", ".json"))
        lines = path.read_text().splitlines()
        self.random.shuffle(lines)
        path.write_text("\n".join(lines * int(self.random.integers(1, 3))))

    def array_shape(self, folder: Path) -> None:
        """A .npy of another shape or kind, or of objects; or its header forged to be huge."""
        path = self.file(folder, (".npy", ".mp4"))
        kind = int(self.random.integers(5))
        if kind == 0:
            path.write_bytes(pickled(self.mark))
        elif kind == 1:
            shape = tuple(int(size) for size in self.random.integers(0, 5, int(self.random.integers(0, 5))))
            with path.open("wb") as file:
                np.save(file, np.zeros(shape, dtype=self.one_of(["uint8", "float32", "float64", "<U3", "complex64"])))
        else:
            shape = self.one_of(
                ["(1000000000, 64, 96, 3)", "(-1, 4)", "(2, 'x')", f"({'9' * 30},)", "(0, 4)", "x", "("]
            )
            kind = self.one_of(["|u1", "<f4", "|O", "<V9", "<M8[s]"])
            header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
            path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))

    def replace(self, folder: Path) -> None:
        """Something else in a file's place."""
        path = self.file(folder)
        content, kind = path.read_bytes(), int(self.random.integers(7))
        path.unlink()
        if kind == 0:
            path.mkdir()
        elif kind == 1:
            os.mkfifo(path)
        elif kind == 2:
            path.symlink_to(self.one_of(["/dev/zero", "/dev/stdin", "/etc/passwd", path, "nothing", "/"]))
        elif kind == 3:
            (folder.parent / f"elsewhere {path.name}").write_bytes(content)
            path.symlink_to(folder.parent / f"elsewhere {path.name}")
        elif kind == 4:
            path.write_bytes(self.one_of(PLAYLISTS))
        elif kind == 5:
            path.write_bytes(pickled(self.mark))
        else:
            path.write_bytes(self.one_of([b"", b"{}", b"[" * 50_000, b"\xff" * 64, b"[]\n" * 99, b"1" + b"0" * 5000]))


def rounds(usual: int) -> int:
    """How often a test damages something: MAG_DAMAGE_ROUNDS=1000 python -m pytest -k mutations"""
    return int(os.environ.get("MAG_DAMAGE_ROUNDS", usual))


def one_sentence(text: str) -> bool:
    """Whether a person can read it: on one line, not long, and no traceback."""
    return text.isprintable() and 10 < len(text) < 600 and "Traceback" not in text


def copied(folder: Path, to: Path) -> Path:
    """A fresh copy of a folder at `to`."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to))


@contextmanager
def within(seconds: float, more_bytes: int = 1 << 30) -> Iterator[None]:
    """Fails what takes longer, and has what asks for more memory than that meet a MemoryError. POSIX alone has it."""
    import resource

    def too_long(*_: object) -> None:
        raise TooLong(f"still not done after {seconds:g} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    former = signal.signal(signal.SIGALRM, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (held + more_bytes, before[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, former)
