"""The comparison in short, for the README: python -m docs.compare

Takes from comparison.md what we have, with the test that holds it, what we have not, and what is said there of others.
The README says nothing that the page does not say; the page says more.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- comparison -->\n", "<!-- /comparison -->"
NAMES = ["DIAMOND", "world_engine, Biome", "open-oasis", "Matrix-Game", "WorldMem"]
SHORT = {"yes": "yes", "no": "no", "none found": "–", "unknown": "?"}


def rows(page: str) -> list[list[str]]:
    """The cells of each row of the page's table, its heading left out."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines][1:]


def tests(page: str) -> dict[str, str]:
    """The tests that the page names, by number: path::name."""
    return dict(re.findall(r"^(\d+)\. `(tests/[\w/.]+::\w+)`", page, re.MULTILINE))


def shorten(cell: str) -> str:
    """What another engine is said to have: yes, no, – for none found, ? for unknown, "in part" for the rest."""
    said = next((word for word in ("yes", "none found", "unknown") if cell.startswith(word)), None)
    said = said or ("no" if re.match(r"no\b", cell) else None)
    return SHORT[said] if said else "in part"


def table(page: str) -> str:
    """The README's table: a row for each yes of ours, with its test, and for each no."""
    held = tests(page)
    lines = ["| | this engine | " + " | ".join(NAMES) + " | our test |", "| --- " * 8 + "|"]
    for name, ours, *others in rows(page):
        number = re.search(r"\((\d+)\)", ours)
        if ours == "no":
            lines.append(_row(name, ours, *map(shorten, others), "–"))
        elif number and "yes" in ours:
            path, test = held[number[1]].split("::")
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", ours).replace(f" ({number[1]})", "")
            lines.append(_row(name, plain, *map(shorten, others), f"[`{test}`]({path})"))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def fill(readme: str, page: str) -> str:
    """The README's text with the table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(page) + END + after


def main() -> int:
    """Write the table into the README."""
    if sys.argv[1:]:
        print(f"error: python -m docs.compare takes no settings, not {sys.argv[1]!r}", file=sys.stderr)
        return 2
    path = ROOT / "README.md"
    text, page = path.read_text(encoding="utf-8"), (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        print(f"error: {path} has no place marked for the comparison", file=sys.stderr)
        return 2
    path.write_text(fill(text, page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
