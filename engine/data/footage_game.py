"""Any Gymnasium environment as a game to record: its pictures at one size, its actions as keys and mouse."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np

from engine.action import Action
from engine.data.footage_spaces import ActionMap, map_actions
from engine.errors import ConfigError, EngineError, WorldError

LARGEST = (192, 320)  # height and width of frames, where none are asked for
MULTIPLE = 32  # pixels; what the network's sides are multiples of
LONGEST_HOLD = 12  # frames for which a random player may hold an action

Policy = Callable[[Any, dict[str, Any]], Any]  # of observation and info: an action of the game's space


class Game(gymnasium.Env):
    """A game whose observations are its pictures, uint8 [height, width, 3], and whose actions are engine.Actions.

    An episode that ends begins again in the same step, so that a recording shows what a player would see. observation
    and info are the game's own of the present frame. Raises WorldError for a game that draws no RGB pictures.
    """

    def __init__(self, env: gymnasium.Env, actions: ActionMap, size: tuple[int, int]) -> None:
        self.env, self.actions, self.size = env, actions, size
        self.observation: Any = None
        self.info: dict[str, Any] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode."""
        self.observation, self.info = self.env.reset(seed=seed, options=options)
        return self._seen()

    def step(self, action: Action) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold `action` for a frame; the reward is the game's."""
        self.observation, reward, ended, truncated, self.info = self.env.step(self.actions.to_game(action))
        if ended or truncated:
            self.observation, self.info = self.env.reset()
        frame, info = self._seen()
        return frame, float(reward), False, False, info

    def close(self) -> None:
        self.env.close()

    def _seen(self) -> tuple[np.ndarray, dict[str, Any]]:
        return shrink(picture(self.env), self.size), self.info


def open_game(env_id: str, settings: dict[str, Any]) -> gymnasium.Env:
    """`gymnasium.make` with pictures. env_id: as Gymnasium knows it, module:Name-v0 if a module registers it.

    Raises WorldError in one sentence for whatever goes wrong.
    """
    try:
        return gymnasium.make(env_id, render_mode="rgb_array", **settings)
    except EngineError:
        raise
    except Exception as error:  # a game of strangers may raise anything
        raise WorldError(f"the game {env_id!r} cannot be made: {' '.join(str(error).split())}") from error


def picture(env: gymnasium.Env) -> np.ndarray:
    """What the game draws now, uint8 [height, width, 3]. Raises WorldError if that is no RGB picture."""
    drawn: Any = env.render()
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or drawn.ndim != 3 or drawn.shape[2] != 3:
        found = f"{drawn.dtype} {drawn.shape}" if isinstance(drawn, np.ndarray) else type(drawn).__name__
        raise WorldError(f"a game's render() gives RGB pictures, uint8 [height, width, 3], not {found}")
    return drawn


def fit(height: int, width: int) -> tuple[int, int]:
    """The size of frames for pictures of this size: their shape as nearly as may be, within LARGEST."""
    scale = min(1.0, LARGEST[0] / height, LARGEST[1] / width)
    rows, columns = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return rows, columns


def shrink(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, 3] -> [height, width, 3]: each pixel is the mean of the area that it covers."""
    if frame.shape[:2] == size:
        return frame
    rows, columns = (_areas(*sides) for sides in zip(frame.shape[:2], size, strict=True))
    high = np.tensordot(rows, frame.astype(np.float32), axes=1)
    mean = np.einsum("hwc,vw->hvc", high, columns, optimize=True)
    return np.clip(np.rint(mean), 0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _areas(old: int, new: int) -> np.ndarray:
    """float32 [new, old]: the share of each old pixel in each new one."""
    edges = np.arange(new + 1) * (old / new)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(old)[None]
    shared = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return (shared / shared.sum(axis=1, keepdims=True)).astype(np.float32)


def find_policy(name: str, env: gymnasium.Env, seed: int) -> Policy:
    """The player called `name`: "random", or module:function, a function of (observation, info) that gives an action.

    Raises ConfigError if there is no such function.
    """
    if name == "random":
        return _at_random(env, seed)
    module, _, function = name.partition(":")
    if not module or not function:
        raise ConfigError(f"policy is random, or module:function as in my_game:play, not {name!r}")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"there is no policy {name!r}: {error}") from error
    if not callable(found):
        raise ConfigError(f"the policy {name!r} is not a function of (observation, info)")
    return found


def _at_random(env: gymnasium.Env, seed: int) -> Policy:
    """Random actions, each held for a while: a key tapped for one frame teaches little."""
    env.action_space.seed(seed)
    chance = random.Random(f"hold/{seed}")
    held: list[Any] = []

    def act(observation: Any, info: dict[str, Any]) -> Any:
        if not held:
            held.extend([env.action_space.sample()] * chance.randint(1, LONGEST_HOLD))
        return held.pop()

    return act


def game_of(
    env_id: str, settings: dict[str, Any], names: list[str], rest: int, size: tuple[int, int] | None = None
) -> Game:
    """The game `env_id`, its pictures shrunk to `size` (height, width), by default to what `fit` says."""
    env = open_game(env_id, settings)
    try:
        actions = map_actions(env, names, rest)
        if size is None:
            env.reset(seed=0)
            height, width = picture(env).shape[:2]
            size = fit(height, width)
        return Game(env, actions, size)
    except BaseException:
        env.close()
        raise
