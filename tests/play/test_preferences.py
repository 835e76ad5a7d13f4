"""A player's settings: kept whole, below the command line, and never in the way of playing."""

import pytest

from engine import config
from engine.play import app
from engine.play.preferences import HEAD, Kept
from engine.play.settings import Preferences, Settings


def kept_in(tmp_path, *words):
    return Kept(tmp_path / "deep" / "settings.yaml", config.from_command_line(Settings, words), config.named(words))


def test_what_is_chosen_is_there_again_and_only_what_differs_is_written(tmp_path):
    keys = {"doom": {"use": ["q", "left ctrl"]}, "2": {"no": ["1", "ö"]}}
    assert kept_in(tmp_path).current == Preferences()
    kept = kept_in(tmp_path)
    assert kept.choose(device="cpu", denoise_steps=4, keys=keys) == ""
    assert kept.choose(sensitivity=0.3) == ""
    again = kept_in(tmp_path)
    assert again.current == kept.current == Preferences(device="cpu", denoise_steps=4, sensitivity=0.3, keys=keys)
    text = (tmp_path / "deep" / "settings.yaml").read_text(encoding="utf-8")
    assert "scaling" not in text and "autosave" not in text
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["settings.yaml"]
    assert again.reset() == "" and kept_in(tmp_path).current == Preferences()
    assert (tmp_path / "deep" / "settings.yaml").read_text() == HEAD


def test_the_command_line_wins_in_its_run_only(tmp_path):
    (tmp_path / "more.yaml").write_text("autosave_seconds: 5\n")
    kept_in(tmp_path).choose(device="cpu", sensitivity=0.3, autosave_seconds=30.0)
    words = "sensitivity=0.12", "seed=3", str(tmp_path / "more.yaml")
    given = kept_in(tmp_path, *words)
    assert given.fixed == {"sensitivity", "autosave_seconds"}
    settings = given.over(config.from_command_line(Settings, words))
    assert (settings.sensitivity, settings.device, settings.seed) == (0.12, "cpu", 3)
    assert settings.autosave_seconds == 5.0
    given.choose(sensitivity=0.4)
    assert given.current.sensitivity == 0.12 and kept_in(tmp_path).current.sensitivity == 0.4


def test_settings_are_named_by_the_command_line_and_its_files(tmp_path):
    (tmp_path / "more.yaml").write_text("autosave_seconds: 5\nkeys: {doom: {use: [q]}}\n")
    named = config.named([str(tmp_path / "more.yaml"), "device=cpu", "keys.toy.use=[x]"])
    assert named == {"autosave_seconds", "keys", "device"}


BROKEN = (
    ("sensitivity: 0.2\ndevice: [cpu\n", "settings.yaml is not YAML: line 3: expected "),
    ("- cpu", "must hold settings"),
    ("divice: cpu", "did you mean 'device'?"),
    ("sensitivity: wild", "sensitivity"),
    ("sensitivity: -1", "a number above 0, not -1"),
    ("scaling: blurred", "one of smooth, sharp, whole"),
    ("autosave_seconds: -5", "0 for never, or more"),
    ("keys: {doom: {use: e}}", "is a list"),
    (b"\xff\xfe\x00", "is not YAML"),
)


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_a_broken_file_is_one_sentence_and_the_defaults(tmp_path, text, says):
    file = tmp_path / "deep" / "settings.yaml"
    file.parent.mkdir()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    kept = kept_in(tmp_path)
    assert kept.current == Preferences()
    assert kept.fault.startswith("your settings are not used: ") and says in kept.fault and "\n" not in kept.fault
    assert len(kept.fault) < 160 + len(str(file))  # one line of the title screen
    kept.choose(scaling="sharp")
    assert kept_in(tmp_path).current.scaling == "sharp"
    broken = file.with_name("settings.yaml.broken").read_bytes()  # for the one who wrote it
    assert broken == (text if isinstance(text, bytes) else text.encode())


def test_where_nothing_can_be_kept_the_choice_holds_until_the_end(tmp_path):
    (tmp_path / "deep").write_text("a file, no folder")
    kept = kept_in(tmp_path)
    assert "cannot be kept in" in kept.choose(scaling="sharp") and kept.current.scaling == "sharp"


def test_play_goes_on_with_a_broken_file_and_says_so_once(player, data_home, capsys):
    data_home.mkdir(parents=True)
    (data_home / "settings.yaml").write_text("device: [")
    assert player.play(lambda p: p.until(lambda: "your settings are not used" in p.note())) == 0
    err = capsys.readouterr().err
    assert err.startswith("play: your settings are not used: ") and err.count("\n") == 1 and player.engine.closed


def test_a_device_that_is_not_there_today_is_a_note_but_an_error_on_the_command_line(player, data_home, monkeypatch):
    from engine.core import Engine

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data_home.mkdir(parents=True)
    (data_home / "settings.yaml").write_text("device: cuda\n")
    assert player.play(lambda p: p.until(lambda: "device 'cuda' is not there" in p.note())) == 0
    assert player.engine.device_asked == "auto"
    assert app.main(["device=cuda", "title=false"], Engine.load) == 2


def test_what_is_kept_is_for_the_window(engine, data_home, tmp_path):
    data_home.mkdir(parents=True)
    (data_home / "settings.yaml").write_text("denoise_steps: 4\n")
    assert app.main(["headless=true", "frames=1"], engine.load) == 0
    assert engine.steps_asked is None
