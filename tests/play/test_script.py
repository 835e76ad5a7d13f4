"""Scripts: what a file says is what is played, and a file that says nonsense is told so in one sentence."""

import itertools
import json

import pytest

from engine.action import Action, ActionSpec
from engine.errors import ActionError, ConfigError
from engine.play import script

SPEC = ActionSpec(keys=("forward", "use"), mouse_limits=(30.0,))


def first(entries, count):
    return list(itertools.islice(script.actions(entries, SPEC), count))


def test_entries_are_held_for_their_frames_and_repeated(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("- {keys: [forward], mouse: [6, 0], frames: 2}\n- {mouse: [-1.5]}\n- {}\n")
    walk, turn, rest = Action(("forward",), (6.0, 0.0)), Action((), (-1.5, 0.0)), Action()
    assert first(script.read(path), 6) == [walk, walk, turn, rest, walk, walk]


def test_json_is_read_too(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"keys": ["use", "forward"], "frames": 3}]))
    assert first(script.read(path), 1) == [Action(("use", "forward"))]


def test_the_tour_moves_in_any_world():
    for spec in (SPEC, ActionSpec(keys=("forward",)), ActionSpec(keys=(), mouse_limits=(2.0, 2.0))):
        tour = list(itertools.islice(script.actions(None, spec), 200))
        for action in tour:
            spec.validate(action)
        assert len(set(tour)) > 1


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", ConfigError, "list of entries"),
        ("keys: [forward]", ConfigError, "list of entries"),
        ("- [", ConfigError, "not YAML"),
        ("- forward", ConfigError, "entry 1"),
        ("- {}\n- {key: [forward]}", ConfigError, "entry 2: unknown word 'key'"),
        ("- {frames: 0}", ConfigError, "from 1 to 1000000000, not 0"),
        ("- {frames: true}", ConfigError, "not True"),
        ("- {keys: forward}", ActionError, "list of names"),
        ("- {mouse: 6}", ActionError, "degrees per frame, not 6"),
        ("- {mouse: [1, 2, 3]}", ActionError, "yaw, pitch"),
        ("- {mouse: [fast]}", ActionError, "numbers"),
    ],
)
def test_nonsense_is_one_sentence(tmp_path, text, error, words):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(error, match=words):
        script.read(path)


@pytest.mark.parametrize("text", ["- {keys: [forwards]}", "- {mouse: [.nan]}", "- {mouse: [31]}", "- {mouse: [0, 1]}"])
def test_an_action_the_world_cannot_take_is_refused_before_it_plays(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ActionError):
        script.actions(script.read(path), SPEC)


def test_an_entry_may_be_held_for_long(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("- {frames: 2}\n- {keys: [forward], frames: 1000000000}\n")
    taken = list(itertools.islice(script.actions(script.read(path), SPEC), 5))
    assert [len(action.keys) for action in taken] == [0, 0, 1, 1, 1]
    path.write_text("- {frames: 1000000001}\n")
    with pytest.raises(ConfigError, match="from 1 to 1000000000, not 1000000001"):
        script.read(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the script"):
        script.read(tmp_path / "none.yaml")
