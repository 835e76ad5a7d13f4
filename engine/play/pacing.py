"""Time: when the next frame is due, how many a second there are, and whether that is too few."""

from __future__ import annotations

from collections import deque

RATE_WINDOW_S = 2.0
SLOW_SHARE = 0.8  # of the world's rate
SLOW_AFTER_S = 5.0
# A step that begins late by at most this share of a period does not delay those after it. One that is later is a stall:
# to make up for it would be a burst.
CATCH_UP = 0.25
MEASURED_S = 0.5  # a rate over less time says nothing


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
        lateness = max(0.0, now - self._due)
        self._due = now + self._period - (lateness if lateness <= CATCH_UP * self._period else 0.0)


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
        if not 0 < self.frames_per_s < SLOW_SHARE * self._rate:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = self._times[-2]
        self.is_slow = self._slow_since is not None and now - self._slow_since > SLOW_AFTER_S

    @property
    def frames_per_s(self) -> float:
        """0 while it is too early to say."""
        span = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / span if span >= MEASURED_S else 0.0
