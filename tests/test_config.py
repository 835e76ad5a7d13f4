"""Settings from defaults, files and overrides, and the sentence that answers a malformed one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from engine import config
from engine.errors import ConfigError

REQUIRED: Any = "???"


@dataclass(frozen=True)
class Optimizer:
    lr: float = 1e-3  # learning rate at the peak
    betas: tuple[float, float] = (0.9, 0.95)


@dataclass(frozen=True)
class Layer:
    width: int = 3
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    device: str = "auto"  # auto, cpu or cuda
    frames: int = 10
    record: Path | None = None
    headless: bool = False
    stage: Literal["codec", "generator"] = "codec"
    optimizer: Optimizer = field(default_factory=Optimizer)
    layers: list[Layer] = field(default_factory=list)
    table: dict[str, Layer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.frames < 0:
            raise ValueError(f"frames must not be negative, and is {self.frames}")


@dataclass(frozen=True)
class Needy:
    world: str = REQUIRED
    seed: int = 0


def write(folder: Path, text: str | bytes, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_defaults_then_files_in_order_then_overrides(tmp_path):
    first = write(tmp_path, "frames: 20\ndevice: cpu\noptimizer: {lr: 0.5}", "first.yaml")
    second = write(tmp_path, "frames: 30", "second.yaml")
    loaded = config.load(Run, [first, second], ["optimizer.betas=[0.1, 0.2]"])
    assert loaded == Run(device="cpu", frames=30, optimizer=Optimizer(0.5, (0.1, 0.2)))
    assert config.load(Run, [first, second], ["frames=40"]).frames == 40


def test_values_take_the_type_of_their_setting(tmp_path):
    loaded = config.load(Run, [], ["device=12", "optimizer.lr=1e-4", f"record={tmp_path}", "headless=true"])
    assert loaded == Run(device="12", optimizer=Optimizer(lr=1e-4), record=tmp_path, headless=True)
    assert config.load(Run, [write(tmp_path, "optimizer: {lr: 1e-4}")]).optimizer.lr == 1e-4


def test_lists_and_tables_of_groups(tmp_path):
    path = write(tmp_path, "layers:\n- {width: 5, names: [a, b]}\n- {}\ntable:\n  x: {width: 7}")
    loaded = config.load(Run, [path], ["table.y.width=8"])
    assert loaded.layers == [Layer(5, ["a", "b"]), Layer()]
    assert loaded.table == {"x": Layer(7), "y": Layer(8)}


def test_an_empty_file_sets_nothing(tmp_path):
    assert config.load(Run, [write(tmp_path, "# only a comment\n")]) == Run()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("fames=3", "unknown setting 'fames'; did you mean 'frames'?"),
        ("--frames=3", "unknown setting '--frames'; did you mean 'frames'?"),
        ("lr=3", "unknown setting 'lr'; did you mean 'optimizer.lr'?"),
        ("optimiser.lr=3", "unknown setting 'optimiser'; did you mean 'optimizer'?"),
        ("optimizer.beta=3", "unknown setting 'optimizer.beta'; did you mean 'optimizer.betas'?"),
        ("zzzz=3", "unknown setting 'zzzz'; known: device, frames, record"),
        ("layers=[{wdth: 3}]", "unknown setting 'layers[0].wdth'; did you mean 'layers[0].width'?"),
        ("layers=[{}, {nmes: 3}]", "unknown setting 'layers[1].nmes'; did you mean 'layers[1].names'?"),
        ("table.x.with=3", "unknown setting 'table.x.with'; did you mean 'table.x.width'?"),
        ("frames=abc", "setting 'frames': a whole number, not 'abc'"),
        ("frames=3.5", "a whole number, not '3.5'"),
        ("frames=", "setting 'frames': it needs a value"),
        ("frames={a: 1}", "setting 'frames'"),
        ("frames=[1,2", "the value cannot be read"),
        ("headless=maybe", "true or false, not 'maybe'"),
        ("stage=codex", "Invalid value 'codex', expected one of ['codec', 'generator']"),
        ("optimizer=3", "setting 'optimizer' is a group (of optimizer.lr, optimizer.betas), not 3"),
        ("optimizer=null", "setting 'optimizer' is a group"),
        ("optimizer.betas=[1]", "setting 'optimizer.betas' takes 2 values, not 1"),
        ("optimizer.betas=3", "setting 'optimizer.betas' is a list"),
        ("optimizer.lr.x=3", "setting 'optimizer.lr'"),
        ("layers=3", "setting 'layers' is a list"),
        ("layers=[3]", "setting 'layers[0]' is a group"),
        ("layers=[{names: one}]", "setting 'layers[0].names' is a list"),
        ("layers=[{width: x}]", "a whole number, not 'x'"),
        ("layers.0.width=3", "setting 'layers' is a list"),
        ("table=3", "setting 'table' is a table"),
        ("device=${nothing}", "Interpolation key 'nothing' not found"),
        ("frames", "a setting is written key=value, not 'frames'"),
        ("=3", "a setting is written key=value, not '=3'"),
        ("", "a setting is written key=value, not ''"),
        ("frames=-1", "frames must not be negative, and is -1"),
    ],
)
def test_a_malformed_override_is_answered_with_one_sentence(override, says):
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        config.load(Run, [], ["device=cpu", override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("optimizer: {lrr: 1}", "unknown setting 'optimizer.lrr'; did you mean 'optimizer.lr'?"),
        ("optimizer: {lr: fast}", "setting 'optimizer.lr': a number, not 'fast'"),
        ("optimizer:", "setting 'optimizer' is a group"),
        ("optimizer.lr: 1", "unknown setting 'optimizer.lr'; did you mean 'optimizer.lr'?"),
        ("1: 2", "unknown setting '1'"),
        ("- frames\n- device", "must hold settings, one `key: value` a line, not a list"),
        ("frames", "must hold settings, one `key: value` a line, not a str"),
        ("frames: [1", "is not YAML"),
        ("? [1, 2]\n: 3", "is not YAML"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
    ],
)
def test_a_malformed_file_is_answered_with_one_sentence_that_names_it(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        config.load(Run, [path])
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ConfigError, match=re.escape(f"there is no file {tmp_path / 'no.yaml'}")):
        config.load(Run, [tmp_path / "no.yaml"])
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path} cannot be read")):
        config.load(Run, [tmp_path])


def test_a_required_setting_left_out_is_named():
    with pytest.raises(ConfigError, match=re.escape("setting 'world' must be given")):
        config.load(Needy, [], ["seed=1"])
    assert config.load(Needy, [], ["world=doom"]) == Needy("doom")


def test_the_command_line_takes_files_and_overrides(tmp_path):
    path = write(tmp_path, "frames: 20\ndevice: cpu")
    assert config.from_command_line(Run, [str(path), "frames=30"]) == Run(device="cpu", frames=30)
    assert config.from_command_line(Run, [], files=[path]) == Run(device="cpu", frames=20)
    assert config.from_command_line(Run, ["record=a.yaml"]).record == Path("a.yaml")


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_prints_every_setting_and_exits(capsys, word):
    with pytest.raises(SystemExit) as caught:
        config.from_command_line(Run, ["frames=3", word], about="Runs.")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Runs.\n")
    for line in ("device=auto", "frames=10", "record=null", "headless=false", "optimizer.betas=[0.9, 0.95]"):
        assert f"  {line}" in printed
    assert re.search(r"optimizer\.lr=0\.001 +learning rate at the peak", printed)
    assert "world=(required)" in config.describe(Needy)


def test_help_shows_values_that_load_takes():
    words = [line.split("  ")[1] for line in config.describe(Run).splitlines()[1:]]
    assert config.load(Run, [], words) == Run()


def test_settings_survive_yaml(tmp_path):
    settings = Run(frames=7, record=tmp_path, layers=[Layer(5, ["a"])], table={"x": Layer(2)})
    assert config.load(Run, [write(tmp_path, config.to_yaml(settings))]) == settings


def test_settings_survive_plain_dicts():
    settings = Run(frames=7, optimizer=Optimizer(0.5), layers=[Layer(5, ["a"])], table={"x": Layer(2)})
    assert config.from_dict(Run, config.to_dict(settings)) == settings
    with pytest.raises(ConfigError, match=re.escape("unknown setting 'optimizer.lrr'; did you mean 'optimizer.lr'?")):
        config.from_dict(Run, {"optimizer": {"lrr": 1}})


def test_to_dict_is_plain():
    plain = config.to_dict(Run(layers=[Layer(1)]))
    assert plain["optimizer"] == {"lr": 1e-3, "betas": (0.9, 0.95)}
    assert plain["layers"] == [{"width": 1, "names": []}]
