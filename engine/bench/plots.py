"""Draw the benches' curves as SVG from their one JSON file: python -m engine.bench.plots

PSNR against the gap of a revisit, against the frames since the return, and picture statistics against time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from engine.bench.readme import read_figures
from engine.bench.settings import ROOT
from engine.data import command
from engine.errors import EngineError

WIDTH, HEIGHT, LEFT, TOP, LEGEND = 760, 360, 60, 40, 200  # pixels
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#7f7f7f", "#17becf")
Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Settings:
    json: Path = ROOT / "docs" / "bench.json"  # what the benches measured
    media: Path = ROOT / "docs" / "media"  # where the curves go
    suffix: str = ""  # of the figures to draw, as given to the benches


def curves(figures: dict[str, Any], suffix: str = "") -> dict[str, tuple[str, str, str, dict[str, Line]]]:
    """For each picture that the figures allow: title, what each axis shows, and the lines by name."""
    held, found = figures.get("figures", {}), {}
    gaps = {int(gap): row["scores"] for gap, row in held.get("revisit" + suffix, {}).items() if gap != "run"}
    names = list(dict.fromkeys(name for scores in gaps.values() for name in scores))
    if len(gaps) > 1:
        lines = {n: [(float(g), gaps[g][n]["psnr"]) for g in sorted(gaps) if n in gaps[g]] for n in names}
        found["revisit_gaps"] = ("Revisit", "gap, frames", "PSNR, dB", lines)
    for gap, scores in gaps.items():
        lines = {name: _line(row["psnr_by_frame"], 1) for name, row in scores.items()}
        found[f"revisit_{gap}"] = (f"Revisit, gap {gap}", "frames since the return", "PSNR, dB", lines)
    found |= _pose_curves(held.get("pose" + suffix, {}))
    drift = held.get("drift" + suffix)
    for index, name in enumerate(drift["statistics"] if drift else ()):
        rows = drift["by_second"]
        lines = {who: _line([row[index] for row in rows[key]]) for key, who in (("own", "generated"), ("real", "real"))}
        found[f"drift_{name}"] = (f"Drift: {name}", "seconds", name, lines)
    return found


def draw(title: str, across: str, up: str, lines: dict[str, Line]) -> str:
    """An SVG picture of lines, a circle at each point, with axes from the least to the greatest value.

    Raises EngineError where there is nothing to draw.
    """
    points = [point for line in lines.values() for point in line]
    if not points:
        raise EngineError(f"there are no figures to draw for {title!r}")
    xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
    evenly = xs[0] > 0 and xs[-1] / xs[0] > 50  # gaps that grow fourfold stand at even distances
    low, high = min(ys), max(ys) + (max(ys) == min(ys))
    right, bottom = WIDTH - LEGEND, HEIGHT - TOP

    def place(x: float, y: float) -> tuple[float, float]:
        span = (xs.index(x) / (len(xs) - 1)) if evenly else (x - xs[0]) / max(xs[-1] - xs[0], 1e-9)
        return LEFT + span * (right - LEFT), bottom - (y - low) / (high - low) * (bottom - TOP)

    marks = xs if evenly else [xs[0], xs[len(xs) // 2], xs[-1]]
    shapes = [_text(place(x, low)[0], bottom + 16, f"{x:g}", "middle") for x in marks]
    shapes += [_text(LEFT - 6, place(xs[0], y)[1] + 4, f"{y:.1f}", "end") for y in (low, (low + high) / 2, high)]
    shapes += [_text(LEFT, 22, f"{title}: {up}", "start", 15), _text(right, bottom + 32, across, "end")]
    shapes.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>')
    for index, (name, line) in enumerate(lines.items()):
        colour, spots = COLOURS[index % len(COLOURS)], [place(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(spots) <= 8:
            shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        shapes.append(_text(right + 14, TOP + 20 * index, name, "start", 12, colour))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *shapes, "</svg>"]) + "\n"


def _pose_curves(pose: dict[str, Any]) -> dict[str, tuple[str, str, str, dict[str, Line]]]:
    found = {}
    for unit, words in (("units", "map units"), ("degrees", "degrees")):
        if "reckoning" in pose:
            lines = {name: _line(row[f"{unit}_by_step"], 1) for name, row in pose["reckoning"].items()}
            found[f"pose_{unit}"] = ("Reckoned pose", "steps", f"error, {words}", lines)
        if "cost" in pose:
            line = [(float(wrong), float(psnr)) for wrong, psnr in pose["cost"][unit]]
            found[f"pose_cost_{unit}"] = (
                "Return with a wrong pose",
                f"wrong by, {words}",
                "PSNR, dB",
                {"this model": line},
            )
    return found


def _line(values: Sequence[float], first: int = 0) -> Line:
    return [(float(index), float(value)) for index, value in enumerate(values, first)]


def _text(x: float, y: float, words: str, anchor: str, size: int = 12, colour: str = "#333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}"'
    return f'<text {place} text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def main(argv: Sequence[str] | None = None) -> int:
    """Draw every curve; 0 when done, 2 with one sentence when a file cannot be read or written."""
    return command.run(Settings, __doc__ or "", _run, argv)


def _run(settings: Settings) -> str:
    found = curves(read_figures(settings.json), settings.suffix)
    settings.media.mkdir(parents=True, exist_ok=True)
    for name, curve in found.items():
        path = settings.media / f"bench_{name}{settings.suffix}.svg"
        path.write_text(draw(*curve), encoding="utf-8")
    return f"{len(found)} pictures drawn in {settings.media}"


if __name__ == "__main__":
    sys.exit(main())
