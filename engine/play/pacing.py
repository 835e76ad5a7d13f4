"""Time: when the next frame is due, how many a second there are, and whether that is too few."""

from __future__ import annotations

from collections import deque

RATE_WINDOW_S = 2.0
SLOW_SHARE = 0.8  # of the world's rate
SLOW_AFTER_S = 5.0
# A step may begin early by this share of a period, to make up for a late one before it. More would let a stall be
# followed by a visible burst.
CATCH_UP = 0.25


class Pacer:
    """Says when steps may begin so that there are `rate` a second; after a stall it goes on from there."""

    def __init__(self, rate: float):
        self._period = 1.0 / rate
        self._due = float("-inf")

    def wait_s(self, now: float) -> float:
        """Seconds from `now` until the next step is due; 0 if it is due already."""
        return max(0.0, self._due - now)

    def begin(self, now: float) -> None:
        """A step begins `now`."""
        lateness = min(max(0.0, now - self._due), CATCH_UP * self._period)
        self._due = now - lateness + self._period


class RateMeter:
    """Frames per second over the last two seconds, and whether they have long been too few."""

    def __init__(self, rate: float):
        self._rate = rate
        self.restart()

    def restart(self) -> None:
        """Forget the past: after a pause or a new start."""
        self._times: deque[float] = deque()
        self._slow_since: float | None = None
        self.is_slow = False

    def tick(self, now: float) -> None:
        """A frame came `now`."""
        self._times.append(now)
        while len(self._times) > 2 and now - self._times[0] > RATE_WINDOW_S:
            self._times.popleft()
        if len(self._times) < 2 or self.frames_per_s >= SLOW_SHARE * self._rate:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = self._times[-2]
        self.is_slow = self._slow_since is not None and now - self._slow_since > SLOW_AFTER_S

    @property
    def frames_per_s(self) -> float:
        """0 before the second frame."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(1e-9, self._times[-1] - self._times[0])
