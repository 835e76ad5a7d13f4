"""The house rules that can be read off the source: who imports whom, and what must not be left lying about."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("worlds/**/*.py"), ROOT / "play.py"])
TEXTS = {".py", ".md", ".yaml", ".toml", ".txt", ".json", ".sh", ""}
FOLDERS = ("engine", "worlds", "tests", "docs", "assets", "checkpoints", ".ci")

# Downward only: an area may import the areas of its own line and of every line below it; the first line's areas
# may not import one another.
FRONTS = ("play", "env", "bench", "train")
ENGINES = ("core", "session", "snapshot", "batch")
LAYERS = (ENGINES, ("checkpoint", "data"), ("model", "worlds"), ("world", "config", "action"), ("errors",))
STRANGERS = {"model": {"worlds"}, "worlds": {"model"}}  # of one line, and yet apart

# Where a third-party package may be imported: folders and files, by the beginning of the path.
HOMES = {
    "pygame": ("engine/play/",),
    "gymnasium": ("engine/env.py", "engine/data/footage", "worlds/"),
    "vizdoom": ("worlds/",),
    "flash_attn": ("engine/model/attention.py",),
    "imageio": ("engine/data/",),
    "imageio_ffmpeg": ("engine/data/",),
    "minari": ("engine/data/",),
    "omegaconf": ("engine/config.py",),
    "flip_evaluator": ("engine/bench/metrics.py",),
}
# Import names that differ from their distribution's.
DISTRIBUTIONS = {"pygame": "pygame-ce", "yaml": "pyyaml", "PIL": "pillow"}
# What `from engine import name` takes from which area.
PUBLIC = {"Action": "action", "ActionSpec": "action", "EngineError": "errors", "Engine": "core", "Step": "core"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES if path.exists()}


@cache
def syntax(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(module: str, within: ast.AST) -> Iterator[str]:
    """Full names of everything imported inside `within`, a submodule where `from` names one."""
    for node in ast.walk(within):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")
            if MODULES[module].name != "__init__.py":
                package = package[:-1]
            base = ".".join([*package[: len(package) - node.level + 1], node.module or ""]).strip(".")
            base = base if node.level else node.module or ""
            yield from (f"{base}.{alias.name}" for alias in node.names)


def area_of(name: str) -> str | None:
    """The area that a full name belongs to; None for third parties, `engine` for the package itself."""
    parts = name.split(".")
    if parts[0] in ("worlds", "play"):
        return parts[0]
    if parts[0] != "engine":
        return None
    return PUBLIC.get(parts[1], parts[1]) if len(parts) > 1 else "engine"


def allowed(area: str) -> set[str]:
    if area in FRONTS:
        return {area}.union(*LAYERS)
    level = next(index for index, layer in enumerate(LAYERS) if area in layer)
    return set().union(*LAYERS[level:]) - STRANGERS.get(area, set())


def test_every_module_has_its_place_in_the_layers():
    placed = {*FRONTS, *(area for layer in LAYERS for area in layer), "engine"}
    assert {area_of(module) for module in MODULES} <= placed


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"engine"}))
def test_imports_go_downward_only(module):
    area = area_of(module)
    assert area is not None
    targets = {area_of(name): name for name in imported(module, syntax(module))}
    wrong = [targets[target] for target in targets if target is not None and target not in allowed(area)]
    assert not wrong, f"{module} may not import {', '.join(wrong)}"


def test_modules_do_not_import_in_circles():
    def owner(name: str) -> str | None:
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        return name or None

    graph = {}
    for module in set(MODULES) - {"engine"}:
        top = [node for node in syntax(module).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        found = {owner(name) for node in top for name in imported(module, node)}
        graph[module] = found - {None, module, "engine"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_third_parties_are_imported_only_where_they_live(module):
    path = MODULES[module].relative_to(ROOT).as_posix()
    for name in imported(module, syntax(module)):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or path.startswith(homes), f"{path} may not import {name}: it belongs in {homes}"


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + sum(project["optional-dependencies"].values(), [])
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def test_every_third_party_import_is_declared():
    names = {name.split(".")[0] for module in MODULES for name in imported(module, syntax(module))}
    third = names - set(sys.stdlib_module_names) - {"engine", "worlds", "play"}
    missing = {name for name in third if canonicalize_name(DISTRIBUTIONS.get(name, name)) not in declared()}
    assert not missing, f"pyproject.toml does not name {missing}"


def pins(file: str) -> dict[str, str]:
    """What a file of requirements pins, with what the files that it takes in pin."""
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-r ")]
    taken_in = [pins(line.removeprefix("-r ").strip()) for line in lines if line.startswith("-r ")]
    own = {canonicalize_name(item.name): str(item.specifier) for item in found}
    return {name: pin for pinned in (*taken_in, own) for name, pin in pinned.items()}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt", "requirements-docs.txt"])
def test_requirements_pin_exact_versions_within_the_declared_ranges(file):
    assert pins(file)
    for name, specifier in pins(file).items():
        assert re.fullmatch(r"==[\d.]+", specifier), f"{name} is not pinned: {specifier!r}"
        if name in declared():
            assert declared()[name].specifier.contains(specifier[2:]), f"{name}{specifier} is out of range"


def test_requirements_hold_what_playing_and_testing_need():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    playing = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    testing = {canonicalize_name(Requirement(line).name) for line in project["optional-dependencies"]["dev"]}
    assert playing == set(pins("requirements.txt"))
    assert testing <= set(pins("requirements-dev.txt"))
    assert "pygame" not in {*declared(), *pins("requirements.txt"), *pins("requirements-dev.txt")}


@pytest.mark.parametrize("statement", ["import engine", "from engine import Action, ActionSpec, EngineError"])
def test_importing_the_engine_pulls_in_no_heavy_package(statement):
    heavy = ("torch", "pygame", "gymnasium", "vizdoom", "imageio", "imageio_ffmpeg")
    code = f"import sys\n{statement}\nprint([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_public_names_are_listed_and_unknown_ones_refused():
    import engine

    assert set(engine.__all__) == set(PUBLIC)
    with pytest.raises(AttributeError, match="nothing"):
        engine.nothing  # noqa: B018


def calls(module: str) -> Iterator[str]:
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_is_unpickled_evaluated_or_swallowed(module):
    names = {name.split(".")[0] for name in imported(module, syntax(module))}
    assert not names & {"pickle", "dill", "shelve", "marshal", "joblib"}
    assert not {"eval", "exec"} & set(calls(module))
    for node in ast.walk(syntax(module)):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{module}:{node.lineno}: bare except"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            pytest.fail(f"{module}:{node.lineno}: torch.load unpickles; weights are safetensors")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"engine"}))
def test_modules_say_what_they_are_for(module):
    assert not syntax(module).body or ast.get_docstring(syntax(module)), f"{module} has no docstring"


LEFT_OVERS = {
    "unfinished work": re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b"),
    "a path of one machine": re.compile(r"(?<![\w.])/(home|root|Users|work|mnt)/\w"),
    "a package registry": re.compile(r"index-url|find-links"),
    "a merge left undone": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
}


def texts() -> list[Path]:
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [path for path in [*ROOT.iterdir(), *inside] if path.is_file() and path.suffix in TEXTS]
    return [
        path
        for path in found
        if path != Path(__file__).resolve() and path.name != ".git" and "__pycache__" not in path.parts
    ]


def test_no_text_holds_left_overs():
    wrong = []
    for path in texts():
        text = path.read_text(encoding="utf-8", errors="replace")
        for what, pattern in LEFT_OVERS.items():
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {what}: {match.group()}")
    assert not wrong, "\n".join(wrong)
