"""Games of strangers: each action space becomes keys and mouse and back, pictures shrink, mistakes are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete  # noqa: E402

from engine import world as worlds  # noqa: E402
from engine.action import Action, ActionSpec  # noqa: E402
from engine.data import own_game  # noqa: E402
from engine.data.episode import find_episodes, open_episode  # noqa: E402
from engine.data.footage_game import Game, find_policy, fit, shrink  # noqa: E402
from engine.data.footage_spaces import map_actions  # noqa: E402
from engine.data.own_game import OwnGameConfig, record_game  # noqa: E402
from engine.errors import ActionError, ConfigError, EngineError, RecordingError, WorldError  # noqa: E402
from worlds.spaces import action_space  # noqa: E402


class Counter(gymnasium.Env):
    """A game that shows how many steps it has lived and what was done; it ends after three."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}
    observation_space = Discrete(1)
    render_mode = "rgb_array"

    def __init__(self, space: Any = None, render_mode: str | None = None, picture: Any = None) -> None:
        self.action_space = space or Discrete(3)
        self.picture = picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.life, self.done = 0, 0
        return 0, {"life": self.life}

    def step(self, action):
        self.life, self.done = self.life + 1, action
        return 0, 1.0, self.life == 3, False, {"life": self.life}

    def render(self):
        if self.picture is not None:
            return self.picture
        frame = np.zeros((64, 96, 3), np.uint8)
        frame[..., 0], frame[..., 1] = self.life, np.ravel(self.done)[0]
        return frame


class Located(Counter):
    """The same, with a camera that goes ahead."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0], {"pose": (0.0, 0.0, 0.0, 0.0)}

    def step(self, action):
        return *super().step(action)[:-1], {"pose": (float(self.life), 0.0, 0.0, 0.0)}


gymnasium.register("Counter-v0", Counter)
gymnasium.register("Located-v0", Located)

SPACES = [
    (Discrete(4), 3, 0),
    (Discrete(3, start=-1), 2, 0),
    (MultiDiscrete([3, 2]), 3, 0),
    (MultiBinary(4), 4, 0),
    (Box(-2.0, 2.0, (1,), np.float32), 0, 1),
    (Box(np.array([-1, 0, -1, -3, 2], np.float32), np.array([1, 1, 1, 3, 5], np.float32)), 4, 2),
]


@pytest.mark.parametrize(("space", "num_keys", "num_axes"), SPACES, ids=str)
def test_every_space_becomes_keys_and_mouse_and_back(space: Any, num_keys: int, num_axes: int) -> None:
    actions = map_actions(Counter(space))
    assert (len(actions.keys), len(actions.mouse)) == (num_keys, num_axes)
    spec = ActionSpec(tuple(key.name for key in actions.keys), tuple(axis.limit for axis in actions.mouse.values()))
    space.seed(0)
    for _ in range(30):
        action = actions.to_action(space.sample())
        played = actions.to_game(spec.decode(spec.encode(action)))
        assert space.contains(played)
        again = actions.to_action(played)
        assert again.keys == action.keys and np.allclose(again.mouse, action.mouse, atol=1e-4)
    if not isinstance(space, Box):
        value = space.sample()
        np.testing.assert_array_equal(actions.to_game(actions.to_action(value)), value)
    assert space.contains(actions.to_game(Action()))


def test_a_world_without_keys_has_a_space() -> None:
    spec = ActionSpec((), (30.0,))
    sample = action_space(spec).sample()
    assert spec.from_space(sample).keys == () and sample["keys"].shape == (0,)


def test_what_keys_mean() -> None:
    steer = map_actions(Counter(Box(np.array([-1, 0], np.float32), np.array([1, 2], np.float32))))
    np.testing.assert_allclose(steer.to_game(Action(("axis_1_plus",), (15.0, 0.0))), [0.5, 2.0])
    assert steer.to_action(np.array([-1, 0.3], np.float32)) == Action((), (-30.0, 0.0))
    numbered = map_actions(Counter(Discrete(3)), rest=1)
    assert [key.name for key in numbered.keys] == ["action_0", "action_2"]
    assert numbered.to_game(Action()) == 1 and numbered.to_game(Action(("action_0", "action_2"))) == 0
    named = map_actions(Counter(MultiBinary(3)), names=["left", "fire", "dance"])
    assert [key.bind for key in named.keys] == [["a", "left"], ["space"], ["1"]]
    game = Counter(Discrete(2))
    game.get_action_meanings = lambda: ["NOOP", "UP"]  # type: ignore[attr-defined]
    assert map_actions(game).keys[0].name == "up"


@pytest.mark.parametrize(
    ("space", "settings", "error", "says"),
    [
        (Dict({"a": Discrete(2)}), {}, WorldError, "keys and mouse can be made of Discrete"),
        (Box(-np.inf, np.inf, (2,)), {}, WorldError, "no bounds"),
        (Discrete(3), {"rest": 3}, ConfigError, "from 0 to 2, not 3"),
        (Discrete(3), {"names": ["left"]}, ConfigError, "2 different ones, for action_1, action_2; not left"),
        (MultiBinary(2), {"names": ["a", "a"]}, ConfigError, "different"),
    ],
)
def test_spaces_and_names_that_do_not_fit(space: Any, settings: dict, error: type[EngineError], says: str) -> None:
    with pytest.raises(error, match=says):
        map_actions(Counter(space), **settings)


def test_pictures_are_means_of_what_they_cover() -> None:
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    means = frame.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrink(frame, (2, 3)), means, atol=0.5)
    assert shrink(frame, (4, 6)) is frame
    random = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert abs(shrink(random, (32, 64)).mean() - random.mean()) < 0.5
    np.testing.assert_array_equal(shrink(np.full((5, 7, 3), 9, np.uint8), (8, 32)), np.full((8, 32, 3), 9))
    assert [fit(*size) for size in ((400, 600), (210, 160), (64, 96), (10, 1000))] == [
        (192, 288), (192, 160), (64, 96), (32, 320)
    ]  # fmt: skip


def test_an_episode_that_ends_begins_again() -> None:
    env = Counter()
    game = Game(env, map_actions(env), (64, 96))
    game.reset(seed=0)
    lives = [int(game.step(Action(("action_2",)))[0][0, 0, 0]) for _ in range(5)]
    assert lives == [1, 2, 0, 1, 2] and game.info == {"life": 2}


def test_a_random_player_holds_what_it_does() -> None:
    env = Counter()
    plays = []
    for _ in range(2):
        act = find_policy("random", env, 5)
        plays.append([act(0, {}) for _ in range(200)])
    assert plays[0] == plays[1]
    changes = np.count_nonzero(np.diff(plays[0]))
    assert 10 < changes < 80 and set(plays[0]) == {0, 1, 2}


def record(tmp_path: Path, **more: Any) -> Path:
    common = {"env": f"{__name__}:Counter-v0", "out": str(tmp_path / "g"), "episodes": 1, "frames": 32, "workers": 1}
    return record_game(OwnGameConfig(**{**common, **more}))


def test_what_is_recorded_is_what_the_game_got(tmp_path: Path) -> None:
    out = record(tmp_path)
    episode = open_episode(find_episodes(out / "train")[0])
    frames = episode.frames()
    done = episode.actions @ [1, 2]
    begins = frames[:, 0, 0, 0] == 0  # after an end the game shows what it shows at first
    np.testing.assert_array_equal(frames[:, 0, 0, 1][~begins], done[~begins])
    assert episode.meta["seed"] == 0 and episode.meta["env"] == f"{__name__}:Counter-v0"
    assert not episode.poses.any(), "a game without poses and mouse is seen from one place"
    world = worlds.load(out)
    assert world.name == "counter" and world.rate == 7.0 and world.folder == str(out)


def test_the_camera_is_as_told(tmp_path: Path) -> None:
    camera = worlds.load(record(tmp_path, fov=70.0, pose_unit=32.0)).camera
    assert (camera.fov, camera.pixel_aspect, camera.pose_unit) == (70.0, 1.0, 32.0)


def test_a_changed_bind_is_kept_and_another_game_refused(tmp_path: Path) -> None:
    out = record(tmp_path)
    text = (out / "world.yaml").read_text().replace("'1'", "z")
    (out / "world.yaml").write_text(text)
    (out / "train.yaml").write_text("world: mine")
    record(tmp_path, episodes=2)
    assert (out / "world.yaml").read_text() == text and (out / "train.yaml").read_text() == "world: mine"
    with pytest.raises(RecordingError, match="other actions or frames"):
        record(tmp_path, names=["up", "down"])


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"env": ""}, ConfigError, "env is needed"),
        ({"env": "NoSuchGame-v0"}, WorldError, "'NoSuchGame-v0' cannot be made"),
        ({"env": "no_such_module:Game-v0"}, WorldError, "no_such_module"),
        ({"game": {"colour": 3}}, WorldError, "colour"),
        ({"game": {"picture": 3}}, WorldError, "uint8 .height, width, 3., not int"),
        ({"frames": 5}, ConfigError, "frames is at least 32"),
        ({"height": 64}, ConfigError, "64 and 0"),
        ({"height": 60, "width": 96}, ConfigError, "multiples of 32"),
        ({"policy": "clever"}, ConfigError, "module:function"),
        ({"policy": "no_such_module:play"}, ConfigError, "no_such_module"),
        ({"policy": "math:pi"}, ConfigError, "not a function"),
        ({"policy": "math:sqrt"}, ConfigError, "fails at once"),
        ({"policy": "builtins:print"}, ActionError, "not of the game's action space"),
        ({"out": "/proc/none"}, RecordingError, "/proc/none"),
    ],
)
def test_mistakes_are_answered(tmp_path: Path, more: dict, error: type[EngineError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        record(tmp_path, **more)
    assert "\n" not in str(caught.value) and not (tmp_path / "g").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert own_game.main(["env=NoSuchGame-v0"]) == 2
    assert "error: the game 'NoSuchGame-v0' cannot be made" in capsys.readouterr().err


def test_memory_counts_first_where_the_game_tells_poses(tmp_path: Path) -> None:
    for env, told in (("Counter-v0", "false"), ("Located-v0", "true")):
        out = record(tmp_path / env, env=f"{__name__}:{env}")
        assert f"trusts_memory: {told}\n" in (out / "train.yaml").read_text()
