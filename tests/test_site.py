"""The documentation as a site: every page and link is whole, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers.python"):
    pytest.importorskip(package)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return out


def test_it_builds_strictly_and_shows_what_is_public(site: Path) -> None:
    reference = (site / "reference.html").read_text(encoding="utf-8")
    named = "Engine.step", "Attended", "Recall.pin", "GeneratedEnv.reset", "Recorder.add", "record_game", "SaveError"
    for name in named:
        assert re.search(rf'id="[\w.]*{re.escape(name)}"', reference), f"{name} is not in the reference"
    assert "PPO" in (site / "examples" / "ppo.html").read_text(encoding="utf-8")


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    loading = re.compile(r'<(?:script|img|iframe|link)[^>]*(?:src|href)="(https?:)?//[^"]*"|url\(["\']?(?:https?:)?//')
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        found = loading.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.name} loads {found.group()}"
