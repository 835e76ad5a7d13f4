"""What a bench found: scores, tables, and the one JSON file that holds them all."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.bench import metrics
from engine.bench.readme import read_figures
from engine.bench.settings import ROOT
from engine.bench.subject import Subject
from engine.data.machine import processor
from engine.errors import EngineError

CEILING = 60.0  # dB: what equal frames score, so that a mean stays finite
LONGEST = 80  # characters of a fact in the summary
COLUMNS = ("PSNR, dB", "SSIM", "FLIP")


@dataclass(frozen=True)
class Found:
    """Tables as engine/bench/readme.py reads them, by name, and the raw figures behind them."""

    tables: dict[str, dict[str, Any]]
    figures: dict[str, Any] = field(default_factory=dict)


class Scores:
    """PSNR, SSIM and FLIP of what several contenders drew, gathered batch by batch."""

    def __init__(self, subject: Subject) -> None:
        self.with_flip = subject.settings.flip and find_spec("flip_evaluator") is not None
        self.found: dict[str, dict[str, list[np.ndarray]]] = {}

    def add(self, name: str, frames: np.ndarray, truth: np.ndarray) -> None:
        """Score frames uint8 [.., height, width, 3] of the contender `name`."""
        scores = {"psnr": metrics.psnr(frames, truth, CEILING), "ssim": metrics.ssim(frames, truth)}
        if self.with_flip:
            scores["flip"] = metrics.flip(frames, truth)
        kept = self.found.setdefault(name, {key: [] for key in ("psnr", "ssim", "flip")})
        for key, values in scores.items():
            kept[key].append(values)

    def all(self, name: str, key: str) -> np.ndarray | None:
        """Every score of a contender, batches joined along the first axis; None if it was not taken."""
        parts = self.found[name][key]
        return np.concatenate([np.atleast_1d(part) for part in parts]) if parts else None

    def means(self, name: str) -> list[float | None]:
        """Mean PSNR, SSIM and FLIP, a table's cells."""
        columns = [self.all(name, key) for key in ("psnr", "ssim", "flip")]
        return [None if column is None else round(float(column.mean()), 4) for column in columns]

    def figures(self) -> dict[str, Any]:
        """For each contender its means, and its PSNR per sequence where there are sequences."""
        result = {}
        for name in self.found:
            psnr, (mean, ssim, flip) = self.all(name, "psnr"), self.means(name)
            assert psnr is not None
            row: dict[str, Any] = {"psnr": mean, "ssim": ssim, "flip": flip, "frames": int(psnr.size)}
            if psnr.ndim > 1:
                each = psnr.mean(axis=tuple(range(1, psnr.ndim)))
                row["psnr_by_sequence"] = [round(float(value), 3) for value in each]
                row["psnr_error"] = round(float(each.std(ddof=1) / len(each) ** 0.5), 3) if len(each) > 1 else None
            result[name] = row
        return result


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> dict[str, Any]:
    """A table as the JSON holds it; columns without any value are left out."""
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] is not None for row in rows)]
    body = [[row[i] for i in kept] for row in rows]
    return {"columns": [columns[i] for i in kept], "rows": body} | ({"note": note} if note else {})


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of times, and frames a second at the median."""
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(milliseconds, (50, 95, 99)))
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "fps": round(1e3 / p50, 2)}


def merge(path: Path, name: str, found: Found, run: dict[str, Any], suffix: str = "") -> None:
    """Put a bench's result into the JSON at `path` in place of its last one. Raises EngineError if it cannot."""
    figures = read_figures(path)
    held = figures.setdefault("figures", {})
    held[name + suffix] = {"run": run, **found.figures}
    figures["tables"] |= {key + suffix: value for key, value in found.tables.items()}
    figures["meta"] = _meta({key: value["run"] for key, value in held.items()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror or error}") from error


def describe_run(subject: Subject, command: str) -> dict[str, Any]:
    """What a reader needs to run it again: command, hardware, checkpoint, commit, date."""
    return {
        "hardware": hardware(subject.model.device),
        "software": f"Python {platform.python_version()}, PyTorch {torch.__version__}",
        "precision": str(subject.model.dtype).removeprefix("torch."),
        "checkpoint": subject.engine.checkpoint_hash,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "command": command,
        "settings": json.loads(json.dumps(dataclasses.asdict(subject.settings), default=_short))
        | {"wad": Path(subject.settings.wad).name},
    }


def hardware(device: torch.device) -> str:
    """The device's name, with its cores where it is a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"


def commit() -> str:
    """The git commit that ran, with a plus sign where its sources were changed since; empty outside of git."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "engine", "worlds"], cwd=ROOT, capture_output=True, text=True
        )
    except OSError:
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _short(value: Any) -> str:
    """A path as a reader may know it: within the project, or its last part."""
    path = Path(value)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _meta(runs: dict[str, dict[str, Any]]) -> dict[str, str]:
    """One line for each fact about the runs; where they differ, which bench says what."""
    meta = {}
    for key in ("hardware", "software", "precision", "checkpoint", "commit", "date"):
        said: dict[str, list[str]] = {}
        for name, run in runs.items():
            said.setdefault(str(run.get(key, ""))[:LONGEST], []).append(name)
        alone = len(said) == 1
        meta[key] = "; ".join(value if alone else f"{value} ({', '.join(names)})" for value, names in said.items())
    return meta
