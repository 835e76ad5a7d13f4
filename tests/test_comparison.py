"""The comparison claims what tests hold: every yes of ours has a number, and every number a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from docs import compare

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
HELD = {int(number): test for number, test in re.findall(r"^(\d+)\. `(tests/[\w/.]+::\w+)`", TEXT, re.MULTILINE)}


def ours() -> dict[str, str]:
    """The first two cells of each row."""
    rows = [line.split("|")[1:3] for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line]
    return {name.strip(): said.strip() for name, said in rows[1:]}


def test_every_yes_of_ours_names_its_test() -> None:
    claimed = {name: said for name, said in ours().items() if "yes" in said}
    assert len(claimed) > 12
    for name, said in claimed.items():
        stated = re.findall(r"\((\d+)\)", said)
        unproven = "not measured" in said or "all those named" in said
        assert stated or unproven, f"{name}: {said} names no test"
        assert all(int(number) in HELD for number in stated), name


def test_the_tests_exist() -> None:
    assert list(HELD) == list(range(1, len(HELD) + 1))
    for test in HELD.values():
        path, name = test.split("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_the_readme_says_in_short_what_the_page_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert compare.fill(readme, TEXT) == readme, "python -m docs.compare writes it anew"
    rows = compare.rows(compare.table(TEXT))
    assert len(rows) > 20 and all(len(row) == 8 for row in rows)
    assert [row[0] for row in rows if row[1] == "no"] == ["Text prompt"]
    for name, said, *others, test in rows:
        assert said == "no" or re.fullmatch(r"\[`test_\w+`\]\(tests/[\w/]+\.py\)", test), name
        assert set(others) <= {"yes", "no", "–", "?", "in part"}, name


def test_others_are_shortened_to_no_more_than_was_said() -> None:
    shortened = {
        "yes (3.0)": "yes", 'yes: "if you only have CPU", a faster configuration': "yes", "no: asserts CUDA": "no",
        "none found; a picture": "–", "unknown; 3.0 generates 40 at a time": "?", "buttons on a web page": "in part",
        "not said": "in part",
    }  # fmt: skip
    assert {cell: compare.shorten(cell) for cell in shortened} == shortened
