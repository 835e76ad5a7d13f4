"""Frames as palette indices, where a game draws with few colours: a third of the bytes, and exact."""

from __future__ import annotations

import numpy as np

MAX_COLOURS = 256


class PaletteFrames:
    """Collects RGB frames as indices into a palette that grows with the colours met.

    Beyond 256 colours it keeps RGB instead; either way no pixel is changed.
    """

    def __init__(self, num_frames: int, height: int, width: int) -> None:
        self._shape = (num_frames, height, width)
        self._indices: np.ndarray | None = np.empty(self._shape, dtype=np.uint8)
        self._rgb: np.ndarray | None = None
        self._slots = np.full(1 << 24, -1, dtype=np.int16)  # colour code -> index; -1 where not met yet
        self._colours: list[int] = []
        # Codes are read as overlapping little-endian words of 4 bytes, 3 apart: far quicker than shifting planes.
        self._bytes = np.zeros(height * width * 3 + 1, dtype=np.uint8)
        self._words = np.ndarray((height, width), dtype="<u4", buffer=self._bytes, strides=(width * 3, 3))
        self._codes = np.empty((height, width), dtype=np.uint32)
        self._found = np.empty((height, width), dtype=np.int16)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, frame: np.ndarray) -> None:
        """Add one frame, uint8 [height, width, 3]."""
        if self._indices is not None and self._encode(frame):
            self._indices[self._count] = self._found
        else:
            if self._rgb is None:
                self._fall_back()
            assert self._rgb is not None
            self._rgb[self._count] = frame
        self._count += 1

    def arrays(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(indices uint8 [num_frames, height, width], palette uint8 [num_colours, 3]), or (RGB frames, None)."""
        if self._indices is not None:
            return self._indices[: self._count], self._palette()
        assert self._rgb is not None
        return self._rgb[: self._count], None

    def _encode(self, frame: np.ndarray) -> bool:
        """Look every pixel up; False if the frame needs more colours than a palette has."""
        self._bytes[:-1] = frame.reshape(-1)
        np.bitwise_and(self._words, 0xFFFFFF, out=self._codes)
        np.take(self._slots, self._codes, out=self._found, mode="clip")
        if self._found.min() < 0:
            new = np.unique(self._codes[self._found < 0])
            if len(self._colours) + len(new) > MAX_COLOURS:
                return False
            for code in new.tolist():
                self._slots[code] = len(self._colours)
                self._colours.append(code)
            np.take(self._slots, self._codes, out=self._found, mode="clip")
        return True

    def _palette(self) -> np.ndarray:
        codes = np.array(self._colours, dtype="<u4")
        return codes.view(np.uint8).reshape(-1, 4)[:, :3].copy()

    def _fall_back(self) -> None:
        assert self._indices is not None
        self._rgb = np.empty((*self._shape, 3), dtype=np.uint8)
        if self._count:
            self._rgb[: self._count] = self._palette()[self._indices[: self._count]]
        self._indices = None
