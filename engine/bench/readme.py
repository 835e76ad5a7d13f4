"""Fill the README's tables from the benches' one JSON file: python -m engine.bench.readme [check=true]

The file is {"meta": {name: value}, "tables": {name: {"columns": [...], "rows": [[...]], "note": "..."}}}; "note"
may be left out. A document shows a table between <!-- bench:name --> and <!-- /bench -->, and "meta" as a list.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data import command
from engine.errors import EngineError

ROOT = Path(__file__).resolve().parent.parent.parent
SLOT = re.compile(r"<!-- bench:(?P<name>[\w-]+) -->\n(?P<shown>.*?)<!-- /bench -->", re.DOTALL)
MARK = re.compile(r"<!-- /?bench\b[^>]*-->")
NOT_MEASURED = "*Not measured yet.*"


@dataclass(frozen=True)
class Settings:
    json: Path = ROOT / "docs" / "bench.json"  # what the benches measured
    readme: Path = ROOT / "README.md"  # the document to fill
    check: bool = False  # change nothing; fail if the document is not in sync


def read_figures(path: Path) -> dict[str, Any]:
    """The benches' JSON; empty if they have not run yet. Raises EngineError if the file is not of their format."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"meta": {}, "tables": {}}
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read: {error}") from error
    if not isinstance(figures, dict) or not all(isinstance(figures.get(key), dict) for key in ("meta", "tables")):
        raise EngineError(f'{path} must hold an object with "meta" and "tables"')
    return figures


def fill(text: str, figures: dict[str, Any]) -> str:
    """The document with every table as it is in `figures`. Raises EngineError for marks that do not pair up."""
    slots = SLOT.findall(text)
    if len(MARK.findall(text)) != 2 * len(slots) or any(MARK.search(shown) for _, shown in slots):
        raise EngineError("a <!-- bench:name --> line is not followed by its <!-- /bench -->")
    return SLOT.sub(
        lambda slot: f"<!-- bench:{slot['name']} -->\n{_show(slot['name'], figures)}\n<!-- /bench -->", text
    )


def _show(name: str, figures: dict[str, Any]) -> str:
    if name == "meta":
        lines = [f"- {key}: {_cell(value)}" for key, value in figures["meta"].items()]
        return "\n".join(lines) or NOT_MEASURED
    table = figures["tables"].get(name)
    return NOT_MEASURED if table is None else _table(name, table)


def _table(name: str, table: dict[str, Any]) -> str:
    columns, rows = table["columns"], table["rows"]
    for row in rows:
        if len(row) != len(columns):
            raise EngineError(f"table {name!r} has {len(columns)} columns, and a row of {len(row)}: {row}")
    lines = [_row(columns), _row(["---"] + ["---:"] * (len(columns) - 1)), *(_row(row) for row in rows)]
    note = table.get("note")
    return "\n".join(lines + (["", note] if note else []))


def _row(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: Any) -> str:
    """Text as it is, numbers in at most four figures, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def main(argv: Sequence[str] | None = None) -> int:
    """Fill or check the document; 0 when it is in sync, 2 with one sentence when it is not or on an error."""
    return command.run(Settings, __doc__ or "", _run, argv)


def _run(settings: Settings) -> str:
    old = settings.readme.read_text(encoding="utf-8")
    new = fill(old, read_figures(settings.json))
    if not settings.check:
        settings.readme.write_text(new, encoding="utf-8")
    elif new != old:
        raise EngineError(
            f"{settings.readme} is not in sync with {settings.json}: python -m engine.bench.readme fills it"
        )
    return f"{settings.readme} is in sync with {settings.json}"


if __name__ == "__main__":
    sys.exit(main())
