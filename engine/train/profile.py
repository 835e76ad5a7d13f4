"""Where the time of a training step goes, by kernel."""

from __future__ import annotations

from pathlib import Path

from torch.profiler import profile

WARM = 10  # steps before: compilation, and caches that fill
ROWS = 60


class StepProfile:
    """Wraps every step; profiles `steps` of them after the first WARM and writes the table to `path`."""

    def __init__(self, path: Path, steps: int) -> None:
        self.path, self.first, self.last = path, WARM, WARM + steps
        self.step = 0
        self.profile: profile | None = None

    def __enter__(self) -> None:
        if self.first == self.step < self.last:
            self.profile = profile()
            self.profile.start()

    def __exit__(self, *_: object) -> None:
        self.step += 1
        if self.profile is not None and self.step == self.last:
            self.profile.stop()
            table = self.profile.key_averages().table(sort_by="self_device_time_total", row_limit=ROWS)
            self.path.write_text(table)
            self.profile = None
