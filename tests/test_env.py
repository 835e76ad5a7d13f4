"""A generated world as Gymnasium sees it: the contract is checked by Gymnasium, the frames by equality."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pygame
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

import engine.env as env_module  # noqa: E402
from engine import Action, Engine  # noqa: E402
from engine.batch import SessionBatch  # noqa: E402
from engine.env import Explore, GeneratedEnv, GeneratedVectorEnv  # noqa: E402
from engine.errors import ActionError, ConfigError, EngineError, SessionError  # noqa: E402
from tests.test_core import PIXELS, WALK, assert_equal_frames  # noqa: E402
from worlds.spaces import action_space, observation_space  # noqa: E402

SAMPLE: dict[str, Any] = {"keys": np.array([1, 0], dtype=np.int8), "mouse": np.array([5.0], dtype=np.float32)}


@pytest.fixture
def env(toy_engine: Engine) -> Iterator[GeneratedEnv]:
    yield GeneratedEnv(engine=toy_engine)


def samples(env: Any, count: int, seed: int = 0) -> list[dict[str, Any]]:
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


def test_doom_is_registered_and_worlds_can_be_chosen(toy) -> None:
    assert gymnasium.spec("mag/Doom-v0").kwargs == {"world": "doom"}
    made: Any = gymnasium.make("mag/Doom-v0", world="toy", device="cpu", max_frames=3)
    frame, info = made.reset(seed=1)
    assert frame.shape == (64, 96, 3) and info["frame_index"] == 6
    ends = [made.step(SAMPLE)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]
    made.close()
    with pytest.raises(EngineError, match="closed"):
        made.unwrapped.reset()


def test_gymnasium_finds_no_fault(toy) -> None:
    made = gymnasium.make("mag/Doom-v0", world="toy", device="cpu", reward=Explore(0.05))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space.*")  # ours is in degrees
        check_env(made.unwrapped, skip_render_check=False)


def test_gymnasium_shows_it_in_a_window(toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*HumanRendering.*")
        shown = gymnasium.make("mag/Doom-v0", world="toy", device="cpu", render_mode="human")
    frame, _ = shown.reset(seed=0)
    window: Any = shown
    seen = pygame.surfarray.array3d(window.window).swapaxes(0, 1)
    np.testing.assert_array_equal(seen, frame)
    frame = shown.step(shown.action_space.sample())[0]
    np.testing.assert_array_equal(pygame.surfarray.array3d(window.window).swapaxes(0, 1), frame)
    shown.close()


def test_the_spaces_are_those_of_the_real_environment(env: GeneratedEnv) -> None:
    assert env.action_space == action_space(env.world.action_spec)
    assert env.observation_space == observation_space(env.world)
    assert env.metadata["render_fps"] == 10 and GeneratedEnv.metadata["render_fps"] == 30


def test_its_frames_are_the_engines(env: GeneratedEnv, toy_engine: Engine) -> None:
    frame, info = env.reset(seed=4, options={"start": 1})
    seen = [frame, *(env.step(action)[0] for action in WALK)]
    np.testing.assert_array_equal(env.render(), seen[-1])
    other = toy_engine.share()
    expected = [other.reset(1, seed=4), *(other.step(action).frame for action in WALK)]
    assert_equal_frames(expected, seen)
    assert info["frame_index"] == 6 and env.engine.info == other.info


def test_samples_and_actions_are_the_same(env: GeneratedEnv) -> None:
    env.reset(seed=4)
    by_sample = env.step(SAMPLE)
    env.reset(seed=4)
    by_action = env.step(Action(("forward",), (5.0, 0.0)))
    np.testing.assert_array_equal(by_sample[0], by_action[0])
    assert by_sample[1:] == by_action[1:]


def test_a_seed_fixes_the_episodes_that_follow(env: GeneratedEnv) -> None:
    def episodes() -> list[np.ndarray]:
        env.reset(seed=7)
        first = env.step(SAMPLE)[0]
        env.reset()
        return [first, env.step(SAMPLE)[0]]

    one = episodes()
    assert_equal_frames(one, episodes())
    assert not np.array_equal(one[0], one[1])


def test_rewards_and_endings_are_functions_of_frame_pose_and_info(toy_engine: Engine) -> None:
    calls = []

    def reward(frame: np.ndarray, pose: tuple, info: dict) -> float:
        calls.append((frame, pose, info))
        return len(calls) / 2

    env = GeneratedEnv(engine=toy_engine, reward=reward, ending=lambda frame, pose, info: info["frame_index"] == 8)
    env.reset(seed=0)
    assert not calls
    steps = [env.step(SAMPLE) for _ in range(2)]
    assert [step[1] for step in steps] == [0.5, 1.0] and [step[2] for step in steps] == [False, True]
    assert calls[1][0] is steps[1][0] and calls[1][1] == steps[1][4]["pose"] and calls[1][2] is steps[1][4]


def test_exploring_pays_once_for_each_cell(toy_engine: Engine) -> None:
    explore = Explore(cell=2.0, worth=3.0)
    explore.reset((0.5, 0.5, 0.0, 0.0))
    where = [(1.9, 0.0), (2.0, 0.0), (0.0, 0.0), (2.5, 1.0), (-0.1, 0.0)]
    frame = np.zeros((64, 96, 3), dtype=np.uint8)
    assert [explore(frame, (x, y, 9.0, 0.0), {}) for x, y in where] == [0.0, 3.0, 0.0, 0.0, 3.0]
    env = GeneratedEnv(engine=toy_engine, reward=explore)
    env.reset(seed=0)
    assert len(explore.seen) == 1, "an episode begins with its own cell seen"
    with pytest.raises(ConfigError, match="above 0"):
        Explore(cell=0)


def test_a_list_of_actions_makes_the_space_discrete(toy_engine: Engine) -> None:
    env = GeneratedEnv(engine=toy_engine, actions=WALK)
    assert env.action_space == gymnasium.spaces.Discrete(4)
    env.reset(seed=1)
    numbered = [env.step(np.int64(index))[0] for index in (0, 2, 3)]  # type: ignore[arg-type]
    env.reset(seed=1)
    assert_equal_frames(numbered, [env.step(WALK[index])[0] for index in (0, 2, 3)])
    for action in (4, -1, 0.5, None, "forward"):
        with pytest.raises(ActionError, match="0 to 3"):
            env.step(action)  # type: ignore[arg-type]
    with pytest.raises(ActionError, match="jump"):
        GeneratedEnv(engine=toy_engine, actions=[Action(("jump",))])
    with pytest.raises(ConfigError, match="at least one"):
        GeneratedEnv(engine=toy_engine, actions=[])


def test_wrong_uses_say_so(env: GeneratedEnv, toy_engine: Engine) -> None:
    with pytest.raises(SessionError, match="reset"):
        env.step(SAMPLE)
    with pytest.raises(SessionError, match="render comes after reset"):
        env.render()
    env.reset(options={"start": PIXELS[0]})
    for action in (None, 3, {"keys": [1, 0]}, SAMPLE | {"mouse": [31.0]}, SAMPLE | {"keys": [1]}):
        with pytest.raises(ActionError):
            env.step(action)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="ships 0 to 1"):
        env.reset(options={"start": 5})
    with pytest.raises(ConfigError, match="'begin'"):
        env.reset(options={"begin": 5})
    wrong: list[dict[str, Any]] = [{"render_mode": "human"}, {"max_frames": 0}, {"reward": 3}, {"ending": "never"}]
    for settings in wrong:
        with pytest.raises(ConfigError, match=next(iter(settings))):
            GeneratedEnv(engine=toy_engine, **settings)
    with pytest.raises(ConfigError, match="num_envs"):
        GeneratedVectorEnv(0, engine=toy_engine)


def test_a_given_engine_is_not_closed(env: GeneratedEnv, toy_engine: Engine) -> None:
    env.close()
    env.reset()
    assert GeneratedEnv(engine=toy_engine, render_mode=None).render() is None


def test_a_vector_environment_equals_single_ones(toy_engine: Engine) -> None:
    settings: dict[str, Any] = {"max_frames": 4, "start": 1}
    together = GeneratedVectorEnv(3, engine=toy_engine, make_reward=lambda: Explore(0.05), **settings)
    frames, infos = together.reset(seed=[3, 4, 5])
    apart = [GeneratedEnv(engine=toy_engine.share(), reward=Explore(0.05), **settings) for _ in range(3)]
    for row, env in enumerate(apart):
        np.testing.assert_array_equal(env.reset(seed=3 + row)[0], frames[row])
    together.action_space.seed(0)
    over = [False] * 3
    for _ in range(7):
        actions = together.action_space.sample()
        frames, rewards, ended, truncated, infos = together.step(actions)
        for row, env in enumerate(apart):
            own = {"keys": actions["keys"][row], "mouse": actions["mouse"][row]}
            if over[row]:  # Gymnasium's vector environments begin the next episode in the step after the last
                frame, info = env.reset()
                expected = (frame, 0.0, False, False, info)
            else:
                expected = env.step(own)
            np.testing.assert_array_equal(frames[row], expected[0])
            assert (rewards[row], ended[row], truncated[row]) == expected[1:4]
            assert infos["frame_index"][row] == expected[4]["frame_index"]
            over[row] = expected[2] or expected[3]
    together.close()
    toy_engine.reset(0)


def apart_by(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_a_batch_equals_single_ones_but_for_rounding(exact_engine: Engine) -> None:
    def ending(frame: np.ndarray, pose: tuple, info: dict) -> bool:
        return info["frame_index"] == 9

    settings: dict[str, Any] = {"max_frames": 6, "start": 1, "ending": ending}
    together = GeneratedVectorEnv(3, engine=exact_engine, make_reward=lambda: Explore(0.05), batched=True, **settings)
    apart = [GeneratedEnv(engine=exact_engine.share(), reward=Explore(0.05), **settings) for _ in range(3)]
    together.reset(seed=[3, 4, 5])
    for row, env in enumerate(apart):
        env.reset(seed=3 + row)
    together.action_space.seed(0)
    over = [False] * 3
    for _ in range(12):
        actions = together.action_space.sample()
        frames, rewards, ended, truncated, infos = together.step(actions)
        for row, env in enumerate(apart):
            own = {"keys": actions["keys"][row], "mouse": actions["mouse"][row]}
            if over[row]:
                frame, info = env.reset()
                expected = (frame, 0.0, False, False, info)
            else:
                expected = env.step(own)
            # Rounding may put a number that the bank keeps in five bits one step aside.
            assert apart_by(frames[row], expected[0]) < 0.05
            np.testing.assert_allclose(infos["pose"][row], expected[4]["pose"], atol=0.1)
            assert (ended[row], truncated[row]) == expected[2:4]
            for name in ("frame_index", "memory_entries", "memory_bytes"):
                assert infos[name][row] == expected[4][name]
            over[row] = expected[2] or expected[3]
    with pytest.raises(ActionError, match="0 or 1|out of range"):
        together.step({"keys": actions["keys"], "mouse": np.full((3, 1), 99.0)})


def test_a_session_of_a_batch_begins_anew_among_others(exact_engine: Engine) -> None:
    batch = SessionBatch(exact_engine, 2)
    with pytest.raises(SessionError, match="session 1 of the batch has not begun"):
        batch.begin(0)
        batch.step(WALK[:2])
    batch.begin(1, 1, seed=1)
    first = [batch.step(WALK[:2])[0] for _ in range(4)]
    begun = batch.begin(0, 0, seed=9)
    single = exact_engine.share()
    np.testing.assert_array_equal(begun, single.reset(0, seed=9))
    other = batch.info(1)
    assert batch.info(0) == single.info
    frames = batch.step(WALK[:2])
    expected = single.step(WALK[0])
    assert apart_by(frames[0], expected.frame) < 0.02 < 6 < apart_by(frames[0], frames[1])
    assert batch.info(1)["frame_index"] == other["frame_index"] + 1
    assert batch.info(0)["frame_index"] == expected.info["frame_index"]
    assert not np.array_equal(first[0], frames[0])


def test_make_vec_shares_one_network(toy) -> None:
    how: dict[str, Any] = {"vectorization_mode": "vector_entry_point", "world": "toy", "device": "cpu"}
    made: Any = gymnasium.make_vec("mag/Doom-v0", num_envs=2, **how)
    engines = [env.unwrapped.engine for env in made.envs]
    assert engines[0].model is engines[1].model and engines[0] is not engines[1]
    frames, _ = made.reset(seed=0)
    assert frames.shape == (2, 64, 96, 3)
    made.close()
    with pytest.raises(SessionError, match="closed"):
        engines[0].reset(0)


def test_registering_twice_is_harmless() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env_module.register_worlds()
    assert "mag/Doom-v0" in gymnasium.registry and gymnasium.spec("mag/World-v0").kwargs == {}
