"""A world's definition, and the sentence that answers a faulty one."""

import re

import numpy as np
import pytest
import yaml

from engine import world
from engine.errors import WorldError

DEFINITION = """
name: toy
frame: {height: 6, width: 10}
rate: 12.5
keys:
  - {name: go, bind: [w, up], button: GO}
  - {name: stop, bind: [s], button: STOP}
mouse:
  pitch: {limit: 5.0}
  yaw: {limit: 20.0}
"""


def read(folder, **changes):
    definition = yaml.safe_load(DEFINITION)
    definition.update(changes)
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(definition))
    return world.read(path)


def test_doom_is_what_its_footage_and_checkpoint_expect():
    doom = world.load("doom")
    assert doom.frame_shape == (192, 320, 3)
    assert doom.rate == 17.5
    assert doom.action_spec.keys == ("forward", "back", "left", "right", "use", "attack", "run")
    assert doom.action_spec.mouse_limits == (30.0,)
    assert (doom.camera.fov, doom.camera.pixel_aspect) == (100.39, 1.2)


def test_every_world_is_named_like_its_folder_and_can_be_read():
    assert "doom" in world.names()
    assert world.names() == sorted(world.names())
    for name in world.names():
        assert world.load(name).name == name


def test_a_definition_gives_the_action_spec_with_yaw_first(tmp_path):
    toy = read(tmp_path)
    assert toy.action_spec.keys == ("go", "stop")
    assert toy.action_spec.mouse_limits == (20.0, 5.0)
    np.testing.assert_array_equal(toy.action_spec.scale, np.array([1, 1, 20, 5], dtype=np.float32))
    assert toy.frame_shape == (6, 10, 3)
    assert toy.keys[0].bind == ["w", "up"]
    assert toy.camera == world.Camera()


def test_a_world_may_lie_in_any_folder(tmp_path):
    toy = read(tmp_path)
    assert world.load(tmp_path) == toy
    assert world.load(str(tmp_path)) == toy


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dooom", "there is no world 'dooom'; did you mean 'doom'?"),
        ("zzz", "there is no world 'zzz' (worlds here: "),
        ("", "there is no world ''"),
        ("no/such/folder", "there is no world 'no/such/folder'"),
        (None, "there is no world 'None'"),
    ],
)
def test_an_unknown_world_is_answered_with_the_nearest(name, says):
    with pytest.raises(WorldError, match=re.escape(says)):
        world.load(name)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "a world needs a name"),
        ({"frame": {"height": 6}}, "a width above 0 pixels, not 6 and 0"),
        ({"frame": {"hight": 6}}, "unknown setting 'frame.hight'; did you mean 'frame.height'?"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be above 0"),
        ({"rate": "fast"}, "'fast'"),
        ({"camera": {"pixel_aspect": 0.0}}, "camera.pixel_aspect must be above 0"),
        ({"camera": {"fov": 180.0}}, "camera.fov must lie between 0 and 180 degrees"),
        ({"camera": {"pose_unit": 0.0}}, "camera.pose_unit must be above 0"),
        ({"keys": [{"nam": "go"}]}, "unknown setting 'keys[0].nam'; did you mean 'keys[0].name'?"),
        ({"keys": [{"name": "go", "bind": "w"}]}, "setting 'keys[0].bind' is a list"),
        ({"keys": [{"bind": ["w"]}]}, "keys[0] needs a name"),
        ({"keys": [{"name": "go"}, {"name": "go"}]}, "two keys are called 'go'"),
        ({"keys": [{"name": "a", "bind": ["w"]}, {"name": "b", "bind": ["w"]}]}, "'w' is bound to two keys"),
        ({"mouse": {"yawn": {"limit": 3.0}}}, "unknown mouse axis 'yawn' (axes: yaw, pitch)"),
        ({"mouse": {"yaw": {"limt": 3.0}}}, "unknown setting 'mouse.yaw.limt'; did you mean 'mouse.yaw.limit'?"),
        ({"mouse": {"yaw": {"limit": 0.0}}}, "mouse.yaw.limit must be above 0"),
        ({"mouse": {"pitch": {"limit": 3.0}}}, "it needs yaw as well"),
    ],
)
def test_a_faulty_definition_is_answered_with_one_sentence_that_names_the_file(tmp_path, changes, says):
    with pytest.raises(WorldError, match=re.escape(says)) as caught:
        read(tmp_path, **changes)
    assert str(caught.value).startswith(str(tmp_path / "world.yaml"))
    assert "\n" not in str(caught.value)


def test_a_definition_that_is_not_yaml_or_not_there(tmp_path):
    (tmp_path / "world.yaml").write_text("name: [")
    with pytest.raises(WorldError, match="is not YAML"):
        world.read(tmp_path / "world.yaml")
    with pytest.raises(WorldError, match="there is no file"):
        world.read(tmp_path / "none.yaml")
