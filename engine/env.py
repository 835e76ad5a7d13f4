"""The generated worlds as Gymnasium environments: import this, and `gymnasium.make("mag/Doom-v0")` knows them.

Observation and action spaces are those of the real games (worlds/spaces.py), so a policy moves from one to the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv
from gymnasium.vector.utils import iterate

from engine import world as worlds
from engine.action import Action
from engine.batch import Seat, SessionBatch
from engine.core import Engine
from engine.errors import ActionError, ConfigError, SessionError
from worlds.spaces import action_space, observation_space

Pose = tuple[float, float, float, float]
Reward = Callable[[np.ndarray, Pose, dict[str, Any]], float]  # of frame, pose and info
Ending = Callable[[np.ndarray, Pose, dict[str, Any]], bool]


class Explore:
    """A reward: `worth` for every cell of the ground that the camera enters for the first time in an episode.

    cell: side of a cell, in the game's units. Where one is follows from the pose that the network believes.
    """

    def __init__(self, cell: float = 128.0, worth: float = 1.0) -> None:
        if not isinstance(cell, (int, float)) or not 0 < cell < math.inf:
            raise ConfigError(f"cell is a length above 0, not {cell!r}")
        if not isinstance(worth, (int, float)) or not math.isfinite(worth):
            raise ConfigError(f"worth is a finite number, not {worth!r}")
        self.cell, self.worth = cell, worth
        self.seen: set[tuple[int, int]] = set()

    def reset(self, pose: Pose) -> None:
        """Begin an episode: the cell at `pose` counts as seen."""
        self.seen = {self._cell(pose)}

    def __call__(self, frame: np.ndarray, pose: Pose, info: dict[str, Any]) -> float:
        cell = self._cell(pose)
        if cell in self.seen:
            return 0.0
        self.seen.add(cell)
        return self.worth

    def _cell(self, pose: Pose) -> tuple[int, int]:
        return math.floor(pose[0] / self.cell), math.floor(pose[1] / self.cell)


class GeneratedEnv(gymnasium.Env):
    """A generated world. Observations: RGB uint8 [height, width, 3]; actions: an engine.Action, or {"keys", "mouse"}.

    world: a world's name or a checkpoint's folder; or engine: one that is loaded, which the caller closes.
    actions: a list of them makes the action space Discrete, for learners that know no dictionaries.
    reward, ending: functions of (frame, pose, info), called once a step; without them rewards are 0 and nothing
    ends. One with a method reset(pose) has it called when an episode begins. max_frames: steps after which an
    episode is truncated. start: where episodes begin, as `Engine.reset` takes it. info: "pose", "frame_index",
    "memory_entries", "memory_bytes" as in `Step.info`. device, denoise_steps, threads: as in `Engine.load`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}

    def __init__(
        self, world: str = "doom", *, engine: Engine | None = None, actions: Sequence[Action] | None = None,
        reward: Reward | None = None, ending: Ending | None = None, max_frames: int | None = None,
        start: int | np.ndarray = 0, device: str = "auto", denoise_steps: int | None = None, threads: int | None = None,
        render_mode: str | None = "rgb_array",
    ) -> None:  # fmt: skip
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode is rgb_array or None, not {render_mode!r}")
        if max_frames is not None and (type(max_frames) is not int or max_frames < 1):
            raise ConfigError(f"max_frames is a whole number from 1, not {max_frames!r}")
        for name, function in (("reward", reward), ("ending", ending)):
            if function is not None and not callable(function):
                raise ConfigError(f"{name} is a function of (frame, pose, info), not {function!r}")
        self._owns_engine = engine is None
        self.engine = engine or Engine.load(world, device=device, denoise_steps=denoise_steps, threads=threads)
        self.world = self.engine.world
        self.metadata = {**self.metadata, "render_fps": self.world.rate}
        self.action_space = action_space(self.engine.action_spec) if actions is None else _listed(actions)
        self.actions = None if actions is None else [self._checked(action) for action in actions]
        self.observation_space = observation_space(self.world)
        self.render_mode, self.max_frames, self.start = render_mode, max_frames, start
        self.reward, self.ending = reward, ending
        self._frame: np.ndarray | None = None
        self._num_steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode, with options={"start": an index or an image} elsewhere than at the environment's start.

        The same `seed`, start and actions give the same episode. Without a seed each episode has its own, drawn from
        the environment's generator. Raises EngineError kinds.
        """
        super().reset(seed=seed)
        options = {} if options is None else options
        if not isinstance(options, dict):
            raise ConfigError(f'options is a table such as {{"start": 0}}, not {options!r}')
        if odd := sorted(options.keys() - {"start"}):
            raise ConfigError(f'reset knows the option "start", not {odd[0]!r}')
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        self._frame = self.engine.reset(options.get("start", self.start), seed=drawn)
        self._num_steps = 0
        info = self.engine.info
        for function in (self.reward, self.ending):
            begin = getattr(function, "reset", None)
            if begin is not None:
                begin(info["pose"])
        return self._frame, info

    def step(self, action: Action | dict[str, Any] | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Generate the frame that follows `action`. Raises ActionError, or SessionError before `reset`."""
        step = self.engine.step(self.to_action(action))
        self._frame, info = step.frame, step.info
        self._num_steps += 1
        reward = 0.0 if self.reward is None else _number(self.reward(step.frame, info["pose"], info))
        ended = self.ending is not None and bool(self.ending(step.frame, info["pose"], info))
        truncated = self.max_frames is not None and self._num_steps >= self.max_frames
        return step.frame, reward, ended, truncated, info

    def to_action(self, action: Action | dict[str, Any] | int) -> Action:
        """The engine.Action that an action of the environment stands for. Raises ActionError."""
        if isinstance(action, Action):
            return action
        if self.actions is None or isinstance(action, dict):
            return self.engine.action_spec.from_space(action)  # type: ignore[arg-type]
        if not self.action_space.contains(action):
            raise ActionError(f"an action is a number from 0 to {len(self.actions) - 1} here, not {action!r}")
        return self.actions[int(action)]

    def _checked(self, action: Action) -> Action:
        self.engine.action_spec.validate(action)
        return action

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """The present frame; None for an environment made with render_mode None."""
        if self.render_mode is None:
            return None
        if self._frame is None:
            raise SessionError("render comes after reset")
        return self._frame

    def close(self) -> None:
        """Close the engine, unless it was given."""
        if self._owns_engine:
            self.engine.close()


def _number(reward: Any) -> float:
    """What a reward function gave. Raises ConfigError if it is no finite number: a learner would go on with it."""
    try:
        value = float(reward)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a reward function gives a number, not {reward!r}") from error
    if not math.isfinite(value):
        raise ConfigError(f"a reward function gives a finite number, not {value}")
    return value


def _listed(actions: Sequence[Action]) -> gymnasium.spaces.Discrete:
    if not isinstance(actions, Sequence) or isinstance(actions, str) or not actions:
        raise ConfigError("actions is a list of at least one engine.Action")
    return gymnasium.spaces.Discrete(len(actions))


class GeneratedVectorEnv(SyncVectorEnv):
    """`num_envs` sessions of one generated world on one network in memory, as a Gymnasium vector environment.

    Sessions are stepped in turn: each equals, to the bit, a `GeneratedEnv` of the same seed and actions. batched: all
    of them in one pass of the network, equal but for rounding. settings: those of `GeneratedEnv`; `make_reward` and
    `make_ending` are called once for each session, for functions that remember.
    """

    def __init__(
        self, num_envs: int = 1, world: str = "doom", *, engine: Engine | None = None, device: str = "auto",
        denoise_steps: int | None = None, threads: int | None = None, make_reward: Callable[[], Reward] | None = None,
        make_ending: Callable[[], Ending] | None = None, batched: bool = False, **settings: Any,
    ) -> None:  # fmt: skip
        if type(num_envs) is not int or num_envs < 1:
            raise ConfigError(f"num_envs is a whole number from 1, not {num_envs!r}")
        for name, made in (("make_reward", make_reward), ("make_ending", make_ending)):
            if made is not None and not callable(made):
                raise ConfigError(f"{name} is called once for each session, to make a function, and is {made!r}")
        self._shared = engine or Engine.load(world, device=device, denoise_steps=denoise_steps, threads=threads)
        self._owns_engine = engine is None
        self._batch = SessionBatch(self._shared, num_envs) if batched else None
        rows = iter(range(num_envs))

        def make() -> GeneratedEnv:
            own = dict(settings)
            if make_reward is not None:
                own["reward"] = make_reward()
            if make_ending is not None:
                own["ending"] = make_ending()
            single: Any = self._shared.share() if self._batch is None else Seat(self._batch, next(rows))
            return GeneratedEnv(engine=single, **own)

        super().__init__([make] * num_envs)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step every session by its action. Raises ActionError, in a batch before any session is stepped."""
        if self._batch is not None:
            envs: list[Any] = [env.unwrapped for env in self.envs]
            pairs = zip(envs, iterate(self.action_space, actions), strict=True)
            self._batch.step([env.to_action(action) for env, action in pairs])
        return super().step(actions)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the engine, unless it was given."""
        super().close_extras(**kwargs)
        for env in self.envs:
            env.unwrapped.engine.close()  # pyright: ignore[reportAttributeAccessIssue]
        if self._owns_engine:
            self._shared.close()


def register_worlds() -> None:
    """Give every world a name that `gymnasium.make` and `make_vec` know: mag/Doom-v0 for doom.

    mag/World-v0 is the one for worlds elsewhere, given as world="games/pole".
    """
    ids: dict[str, dict[str, Any]] = {"World": {}, **{name.capitalize(): {"world": name} for name in worlds.names()}}
    for name, kwargs in ids.items():
        gymnasium.register(
            id=f"mag/{name}-v0",
            entry_point="engine.env:GeneratedEnv",
            vector_entry_point="engine.env:GeneratedVectorEnv",
            kwargs=kwargs,
        )


register_worlds()
