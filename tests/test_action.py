"""An action's encoding, and the sentence that answers a malformed action."""

import math
import re

import numpy as np
import pytest

from engine import world
from engine.action import Action, ActionSpec
from engine.errors import ActionError, EngineError

YAW = ActionSpec(keys=("forward", "back", "fire"), mouse_limits=(30.0,))
LOOK = ActionSpec(keys=("forward",), mouse_limits=(30.0, 12.5))
STILL = ActionSpec(keys=("forward", "back"))


def test_encoding_puts_keys_in_the_spec_order_then_the_mouse():
    encoded = YAW.encode(Action(keys=("fire", "forward"), mouse=(-6.5, 0.0)))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [1.0, 0.0, 1.0, -6.5]
    assert LOOK.encode(Action(mouse=(1.5, -2.5))).tolist() == [0.0, 1.5, -2.5]
    assert STILL.encode(Action()).tolist() == [0.0, 0.0]


def test_encoded_actions_are_taken_as_if_they_had_been_decoded():
    vectors = np.array([[0.7, 0.2, 1.0, -30.0], [0.0, 0.5, 0.0, 2.5]])
    expected = [YAW.encode(YAW.decode(vector)) for vector in vectors]
    np.testing.assert_array_equal(YAW.encoded(vectors), expected)
    assert STILL.encoded(np.ones((3, 2))).shape == (3, 2)
    for wrong, says in ((np.zeros((2, 3)), "shape"), ([[0, 0, 0, 1], [0, 0, 0, 31]], "31 is out of range"),
                        ([[0, np.nan, 0, 0]], "0 or 1"), ([[0, 0, 0, np.inf]], "finite")):  # fmt: skip
        with pytest.raises(ActionError, match=says):
            YAW.encoded(np.asarray(wrong))


def test_a_key_held_twice_counts_once():
    assert YAW.encode(Action(keys=("back", "back"))).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_size_and_scale_follow_the_spec():
    assert (YAW.size, LOOK.size, STILL.size) == (4, 3, 2)
    assert LOOK.scale.tolist() == [1.0, 30.0, 12.5]
    limit = LOOK.encode(Action(keys=("forward",), mouse=(-30.0, 12.5))) / LOOK.scale
    assert limit.tolist() == [1.0, -1.0, 1.0]


@pytest.mark.parametrize("spec", [YAW, LOOK, STILL])
def test_decode_inverts_encode_at_the_limits(spec):
    limits = [*spec.mouse_limits, 0.0, 0.0]
    for keys in ((), spec.keys):
        for sign in (-1.0, 0.0, 1.0):
            action = Action(keys, (sign * limits[0], -sign * limits[1]))
            assert spec.decode(spec.encode(action)) == action


def test_decode_takes_a_limit_that_float32_rounds_up():
    spec = ActionSpec(keys=(), mouse_limits=(0.1,))
    assert float(np.float32(0.1)) > 0.1
    assert spec.decode(spec.encode(Action(mouse=(0.1, 0.0)))).mouse[0] == float(np.float32(0.1))


def test_decode_holds_a_key_from_a_half():
    assert YAW.decode([0.5, 0.49, 1.0, 3.0]) == Action(("forward", "fire"), (3.0, 0.0))


@pytest.mark.parametrize(
    "vector",
    [[], [0.0] * 3, [0.0] * 5, [[0.0] * 4], ["a", 0, 0, 0], [[1], 0, 0, 0], [math.nan, 0, 0, 0], [0, 0, 0, math.inf]],
)
def test_decode_refuses_what_is_no_encoding(vector):
    with pytest.raises(ActionError):
        YAW.decode(vector)


@pytest.mark.parametrize(
    ("spec", "action", "says"),
    [
        (YAW, Action(keys=("foward",)), "unknown key 'foward'; did you mean 'forward'?"),
        (YAW, Action(keys=("Forward",)), "did you mean 'forward'?"),
        (YAW, Action(keys=("zzz",)), "unknown key 'zzz' (this world's keys: forward, back, fire)"),
        (YAW, Action(keys=(3,)), "unknown key 3"),  # type: ignore[arg-type]
        (YAW, Action(keys="forward"), "write ('forward',)"),  # type: ignore[arg-type]
        (YAW, Action(keys=None), "keys is a tuple of names, not None"),  # type: ignore[arg-type]
        (YAW, Action(mouse=(math.nan, 0.0)), "mouse yaw must be a finite number of degrees, not nan"),
        (YAW, Action(mouse=(0.0, math.nan)), "mouse pitch must be a finite number"),
        (YAW, Action(mouse=(-math.inf, 0.0)), "not -inf"),
        (YAW, Action(mouse=(30.1, 0.0)), "mouse yaw 30.1 is out of range: at most 30 degrees a frame"),
        (YAW, Action(mouse=(0.0, 1.0)), "mouse pitch 1 is out of range: not an axis of this world: give 0"),
        (LOOK, Action(mouse=(0.0, -13.0)), "mouse pitch -13 is out of range: at most 12.5"),
        (STILL, Action(mouse=(1.0, 0.0)), "mouse yaw 1 is out of range: not an axis of this world"),
        (YAW, Action(mouse=(1.0,)), "mouse is (yaw, pitch) in degrees, not (1.0,)"),  # type: ignore[arg-type]
        (YAW, Action(mouse=(1.0, 0.0, 0.0)), "mouse is (yaw, pitch)"),  # type: ignore[arg-type]
        (YAW, Action(mouse=5.0), "mouse is (yaw, pitch)"),  # type: ignore[arg-type]
        (YAW, Action(mouse=None), "mouse is (yaw, pitch)"),  # type: ignore[arg-type]
        (YAW, Action(mouse="12"), "mouse is (yaw, pitch)"),  # type: ignore[arg-type]
        (YAW, {"keys": [], "mouse": []}, "an action is an engine.Action, not dict"),
    ],
)
def test_a_malformed_action_is_answered_with_one_sentence(spec, action, says):
    with pytest.raises(ActionError, match=re.escape(says)) as caught:
        spec.encode(action)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, EngineError)


def test_mouse_may_be_any_pair_of_numbers():
    assert LOOK.encode(Action(mouse=np.array([2.0, 3.0]))).tolist() == [0.0, 2.0, 3.0]  # type: ignore[arg-type]
    assert LOOK.encode(Action(mouse=(2, 3))).tolist() == [0.0, 2.0, 3.0]


def test_clip_brings_the_mouse_within_the_world():
    action = Action(("fire",), (-99.0, 7.0))
    assert YAW.clip(action) == Action(("fire",), (-30.0, 0.0))
    assert LOOK.clip(action) == Action(("fire",), (-30.0, 7.0))
    assert STILL.clip(action) == Action(("fire",), (0.0, 0.0))
    YAW.validate(YAW.clip(action))


@pytest.mark.parametrize("mouse", [(math.nan, 0.0), (math.inf, 0.0), (0.0, -math.inf), None, (1.0,)])
def test_clip_refuses_what_has_no_nearest_motion(mouse):
    with pytest.raises(ActionError):
        YAW.clip(Action(mouse=mouse))


def test_a_space_sample_becomes_its_action():
    sample = {"keys": np.array([0, 1, 1], dtype=np.int8), "mouse": np.array([-4.0], dtype=np.float32)}
    assert YAW.from_space(sample) == Action(("back", "fire"), (-4.0, 0.0))
    assert STILL.from_space({"keys": [1, 0], "mouse": []}) == Action(("forward",))


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"keys": [0, 0, 0]}, 'a dict with "keys" and "mouse"'),
        (None, 'a dict with "keys" and "mouse"'),
        ([1, 2], 'a dict with "keys" and "mouse"'),
        ({"keys": ["w", 0, 0], "mouse": [0.0]}, 'a dict with "keys" and "mouse"'),
        ({"keys": [0, 0, 0, 5], "mouse": []}, '"keys" has 3 numbers in this world, not 4'),
        ({"keys": [0, 0, 0], "mouse": [0.0, 0.0]}, '"mouse" has 1 numbers in this world, not 2'),
        ({"keys": [0, 0, 0], "mouse": [math.nan]}, "mouse yaw must be a finite number"),
        ({"keys": [0, 0, 0], "mouse": [31.0]}, "out of range"),
    ],
)
def test_a_malformed_space_sample_is_answered_with_one_sentence(sample, says):
    with pytest.raises(ActionError, match=re.escape(says)):
        YAW.from_space(sample)


def test_every_world_takes_and_returns_its_own_keys():
    for name in world.names():
        spec = world.load(name).action_spec
        limits = [*spec.mouse_limits, 0.0, 0.0]
        action = Action(spec.keys, (limits[0], limits[1]))
        assert spec.decode(spec.encode(action)) == action
        assert len(spec.encode(action)) == spec.size
