"""The Python snippets of the guides run as they stand, with the toy world in Doom's place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import engine.env  # noqa: F401  # registers the worlds before the toy is all there is
from engine import checkpoint
from engine import world as worlds
from engine.core import Engine
from tests.toy import record_play

DOCS = Path(__file__).resolve().parent.parent / "docs"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOY_KEYS = {'"left"': '"forward"', '"right"': '"light"'}  # keys that only Doom has


def snippets(name: str) -> list[str]:
    return SNIPPET.findall((DOCS / name).read_text(encoding="utf-8"))


@pytest.fixture
def toy_as_doom(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for Doom gets the toy's checkpoint; files are written to an empty folder."""
    found = checkpoint.find
    monkeypatch.setattr(checkpoint, "find", lambda name: found("toy" if str(name) == "doom" else name))
    monkeypatch.setattr(worlds, "names", lambda: ["doom", "toy"])
    monkeypatch.chdir(tmp_path)


RUN_HERE = ["../README.md", "api.md", "agents.md", "playing.md"]


@pytest.mark.parametrize("name", RUN_HERE)
def test_snippets_run(toy_as_doom: None, name: str) -> None:
    record_play(Path("out/walk"), 0, 12)  # which the guide to playing has made by a command
    space: dict[str, object] = {}
    parts = snippets(name)
    assert parts
    for part in parts:
        for key, other in TOY_KEYS.items():
            part = part.replace(key, other)
        exec(compile(part, f"docs/{name}", "exec"), space)


def test_every_page_with_snippets_is_run() -> None:
    pages = [path for path in [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")] if SNIPPET.search(path.read_text())]
    assert {path.name for path in pages} == {Path(name).name for name in RUN_HERE} | {"own_game.md"}


def test_the_guides_name_every_public_method() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for name in vars(Engine):
        assert name.startswith("_") or re.search(rf"\b{name}\b", text), f"docs/api.md does not mention Engine.{name}"
