"""What the documents point at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("worlds/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def links(path: Path) -> list[str]:
    text = COMMENT.sub("", path.read_text(encoding="utf-8"))
    return [first or second for first, second in LINK.findall(text)]


def anchors(path: Path) -> set[str]:
    """The anchors that a reader's browser gives the document's headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_local_link_leads_somewhere(document):
    for link in links(document):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), f"{document.name} points at {link}"
        assert not anchor or anchor in anchors(target), f"{document.name} points at {link}"


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install -r requirements.txt && python play.py\n" in text
    assert "pip install -r requirements-dev.txt && python -m pytest\n" in text


def test_the_readme_shows_the_window_once_there_is_a_picture_of_it():
    if (ROOT / "docs" / "media" / "window.png").exists():
        assert "docs/media/window.png" in links(ROOT / "README.md")


def test_the_modules_that_the_architecture_names_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:engine/)?((?:model|train|data|play|bench)/\w+\.py)`", text))
    assert named, "no file is named"
    for name in named:
        assert (ROOT / "engine" / name).exists(), f"ARCHITECTURE.md names {name}"
