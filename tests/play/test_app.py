"""The command: without a window, and every failure one sentence and exit code 2."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.data import side_by_side
from engine.data.recording import open_recording
from engine.play import app


def test_headless_plays_records_and_says_how_fast(engine, tmp_path, capsys):
    script = tmp_path / "s.yaml"
    script.write_text("- {keys: [forward], mouse: [6, 0], frames: 2}\n- {}\n")
    engine.step_s = 0.005
    words = ["headless=true", "frames=30", f"script={script}", f"record={tmp_path / 'r'}", "seed=4", "start=1"]
    assert app.main(words, engine.load) == 0
    out = capsys.readouterr().out
    told = re.search(r"30 frames in [\d.]+ s: ([\d.]+) frames/s overall, ([\d.]+) frames/s median", out)
    assert told and 5 < float(told[1]) < 200 and 5 < float(told[2]) < 200
    assert re.search(r"latency p50 [\d.]+ ms, p95 [\d.]+ ms", out)
    assert [len(action.keys) for action in engine.actions] == [1, 1, 0] * 10
    assert engine.starts == [1] and engine.closed
    read = open_recording(tmp_path / "r")
    assert len(read) == 31 and read.meta["seed"] == 4
    assert np.array_equal(read.actions[1:], [engine.world.action_spec.encode(action) for action in engine.actions])


def test_headless_has_a_tour_of_its_own(engine):
    assert app.main(["headless=true", "frames=60"], engine.load) == 0
    assert {action.keys for action in engine.actions} > {("forward",)} or len(set(engine.actions)) > 1


def test_graphs_and_compiling_are_what_the_command_line_says(engine):
    for word, graphs in ((), True), (("graphs=false",), False), (("graphs=true",), True):
        assert app.main(["headless=true", "frames=1", *word], engine.load) == 0
        assert engine.graphs is graphs and engine.compile is False
    assert app.main(["headless=true", "frames=1", "compile=true"], engine.load) == 0
    assert engine.compile is True


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("world=dom", "there is no world 'dom'; did you mean 'doom'?"),
        ("world=a/b", "there is no checkpoint 'a/b'"),
        ("start=77", "there is no start 77: world 'doom' ships 0 to "),
    ],
)
def test_what_there_is_not_is_said_before_a_missing_display(word, says):
    root = Path(app.__file__).parents[2]
    told = {key: value for key, value in os.environ.items() if "DISPLAY" not in key} | {"SDL_VIDEODRIVER": "x11"}
    done = subprocess.run([sys.executable, "play.py", word], cwd=root, env=told, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(f"play: {says}") and done.stderr.count("\n") == 1


def test_headless_needs_no_pygame():
    code = (
        "import sys; sys.path.insert(0, 'tests/play'); sys.modules['pygame'] = None\n"
        "from fake_engine import FakeEngine; from engine.play.app import main\n"
        "raise SystemExit(main(['headless=true', 'frames=2'], FakeEngine().load))"
    )
    root = Path(app.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frame=3"], "unknown setting 'frame'; did you mean 'frames'?"),
        (["frames=many"], "frames"),
        (["frames=0"], "at least 1, not 0"),
        (["start=-1"], "at least 0, not -1"),
        (["sensitivity=nan"], "a number above 0, not nan"),
        (["scaling=blurred"], "one of smooth, sharp, whole, not 'blurred'"),
        (["autosave_seconds=-1"], "0 for never, or more, not -1"),
        (["scale=0"], "a number above 0, not 0"),
        (["replay=a", "export=b"], "replay and export are not done in one run"),
        (["replay=a", "record=b"], "replay and record are not done in one run"),
        (["beside=true"], "name the recording, export=DIR"),
        (["script=/none.yaml"], "cannot read the script /none.yaml"),
        (["world=nowhere"], "there is no world 'nowhere'"),
        (["start=7"], "starts 0 to 2"),
        (["record=/dev/null/r"], "cannot record to /dev/null/r"),
    ],
)
@pytest.mark.parametrize("headless", ["true", "false"])
def test_every_error_is_one_sentence_and_exit_code_2(engine, capsys, words, says, headless):
    assert app.main([f"headless={headless}", "title=false", *words], engine.load) == 2
    err = capsys.readouterr().err
    assert says in err and err.startswith("play: ") and err.count("\n") == 1
    assert "Traceback" not in err


def test_a_fault_of_the_engine_is_one_sentence_too(engine, capsys):
    engine.fails_at, engine.failure = 3, MemoryError("no room")
    for headless in ("true", "false"):
        assert app.main([f"headless={headless}", "title=false"], engine.load) == 2
        err = capsys.readouterr().err
        assert "MemoryError: no room" in err and err.count("\n") == 1


@pytest.fixture
def recorded(engine, tmp_path):
    """A short recording, and its folder."""
    assert app.main(["headless=true", "frames=12", "start=1", "seed=5", f"record={tmp_path / 'r'}"], engine.load) == 0
    return tmp_path / "r"


def test_a_replay_says_whether_every_frame_is_the_same(engine, recorded, capsys):
    capsys.readouterr()
    assert app.main([f"replay={recorded}"], engine.load) == 0
    assert capsys.readouterr().out == "all 13 frames are the same\n"
    assert engine.starts == [1, 1] and engine.seed == 5
    rows = (recorded / "actions.jsonl").read_text().splitlines()
    rows[7] = json.dumps({**json.loads(rows[7]), "digest": "0" * 16})
    (recorded / "actions.jsonl").write_text("\n".join(rows))
    assert app.main([f"replay={recorded}"], engine.load) == 1
    assert "12 of 13 frames are the same, frame 7 is not" in capsys.readouterr().out
    engine.device, engine.checkpoint_hash = "cuda", "beef"
    assert app.main([f"replay={recorded}"], engine.load) == 1
    said = "not the same replay: checkpoint was cafe, is beef; device was cpu, is cuda; 12 of 13"
    assert capsys.readouterr().out.startswith(said) and engine.closed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"world": "other"}, "is a recording of world 'other', not of 'toy'"),
        ({"start": 9}, "start 9: this world has starts 0 to 2"),
        ({"first_frame": 9}, "begins at frame 9 of its session"),
        ({"mouse_limits": [4.0]}, "other actions"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(engine, recorded, capsys, change, says):
    meta = json.loads((recorded / "recording.json").read_text())
    (recorded / "recording.json").write_text(json.dumps({**meta, **change}))
    assert app.main([f"replay={recorded}"], engine.load) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_exports_come_from_the_command(engine, recorded, capsys):
    capsys.readouterr()
    assert app.main([f"export={recorded}", "format=gif", "every=3"], engine.load) == 0
    assert capsys.readouterr().out == f"exported to {recorded / 'export.gif'}\n"
    assert app.main([f"export={recorded}", "format=avi"], engine.load) == 2
    assert "exported as gif, mp4, png, not 'avi'" in capsys.readouterr().err


def test_an_export_has_the_real_game_beside_it_where_there_is_one(engine, recorded, capsys, monkeypatch):
    capsys.readouterr()
    asked = []
    assert app.main([f"export={recorded}", "beside=true", "format=gif"], engine.load) == 2
    assert "of world 'toy', whose real game is not known here" in capsys.readouterr().err
    monkeypatch.setattr(side_by_side, "export_side_by_side", lambda *told: asked.append(told) or "done")
    assert app.main([f"export={recorded}", "beside=true", "format=gif", "every=3"], engine.load) == 0
    assert asked == [(str(recorded), "gif", 3)] and capsys.readouterr().out == "done\n"


def test_help_prints_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        app.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for name in app.Settings.__dataclass_fields__:
        assert f"\n  {name}=" in out
        assert name in app.ABOUT or name in ("device", "seed", "hud"), f"{name} is explained nowhere"


def test_no_display_is_one_sentence(engine, capsys, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    assert app.main([], engine.load) == 2
    err = capsys.readouterr().err
    assert "no window can be opened" in err and "headless=true" in err and err.count("\n") == 1


def test_a_window_larger_than_there_are_is_one_sentence(engine, capsys):
    assert app.main(["scale=1e9", "title=false"], engine.load) == 2
    assert "setting 'scale': at most 51 for frames of 320x192, not 1e+09" in capsys.readouterr().err


@pytest.mark.parametrize("slot", ["../x", ".x", "a/b", "x" * 61])
def test_a_slot_that_is_no_name_is_refused(engine, capsys, slot):
    assert app.main([f"slot={slot}"], engine.load) == 2
    assert "a slot's name" in capsys.readouterr().err
