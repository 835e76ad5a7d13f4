"""python -m engine.bench [codec next_frame revisit ...] [key=value ...]: measure, and write one JSON file."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections.abc import Sequence

from engine import config
from engine.bench.report import describe_run, merge
from engine.bench.settings import BENCHES, BenchSettings
from engine.bench.subject import Subject
from engine.core import Engine
from engine.errors import ConfigError, EngineError

log = logging.getLogger(__name__)


def run(settings: BenchSettings, command: str) -> None:
    """Run the benches that `settings` name, writing each one's figures as soon as it has them."""
    names = [name.strip().replace("-", "_") for name in settings.bench.split(",") if name.strip()]
    for name in names:
        if name not in BENCHES:
            raise ConfigError(f"there is no bench {name!r} (benches: {', '.join(BENCHES)})")
    engine = Engine.load(
        settings.checkpoint, settings.device, settings.seed, settings.denoise_steps or None, settings.threads or None,
        compile=settings.compile,
    )  # fmt: skip
    subject = Subject(engine, settings)
    for name in names:
        log.info("%s: begins", name)
        begun = time.monotonic()
        found = importlib.import_module(f"engine.bench.{name}").measure(subject)
        seconds = round(time.monotonic() - begun, 1)
        merge(settings.out, name, found, describe_run(subject, command) | {"seconds": seconds}, settings.label)
        log.info("%s: %.0f s", name, seconds)
        for table in found.tables.values():
            for row in [table["columns"], *table["rows"]]:
                log.info("  %s", "  ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and measure; 0 when done, 2 with one sentence when a setting or a file is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = list(sys.argv[1:] if argv is None else argv)
    command = " ".join(["python -m engine.bench", *words])
    named = [word for word in words if "=" not in word and not word.startswith("-") and not word.endswith(".yaml")]
    named = [word for word in named if word != "help"]
    words = [word for word in words if word not in named] + ([f"bench={','.join(named)}"] if named else [])
    try:
        run(config.from_command_line(BenchSettings, words, about=__doc__ or ""), command)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
