"""A Gymnasium action space as keys and mouse axes: what a player holds, in place of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from engine.action import MOUSE_AXES, Action
from engine.errors import ActionError, ConfigError, WorldError
from engine.world import Key, MouseAxis

TURN = 30.0  # degrees per frame of the mouse that stand for the end of a Box's axis
# What a keyboard has for names that games use; others get the first free button. R, N, P, M, F, B, G are the window's.
USUAL_BINDS = {
    "left": ["a", "left"], "right": ["d", "right"], "up": ["w", "up"], "down": ["s", "down"], "fire": ["space"],
    "jump": ["space"], "use": ["e"], "forward": ["w", "up"], "back": ["s", "down"],
}  # fmt: skip
FREE_BINDS = (*"1234567890", *"qetyuiohjklzxcv")


@dataclass(frozen=True)
class Choice:
    """One number of an action, chosen by keys: the value of the first that is held, or `rest` when none is."""

    keys: tuple[str, ...]
    values: tuple[float, ...]
    rest: float

    def read(self, action: Action) -> float:
        return next((value for key, value in zip(self.keys, self.values, strict=True) if key in action.keys), self.rest)

    def write(self, number: float) -> tuple[str, ...]:
        """The keys to hold for the value nearest to `number`."""
        every = (self.rest, *self.values)
        nearest = min(range(len(every)), key=lambda index: abs(every[index] - number))
        return self.keys[nearest - 1 : nearest] if nearest else ()


@dataclass(frozen=True)
class Turn:
    """One number of an action, within -limit..limit, as motion of a mouse axis."""

    axis: int
    limit: float

    def read(self, action: Action) -> float:
        return max(-self.limit, min(self.limit, action.mouse[self.axis] / TURN * self.limit))

    def write(self, number: float) -> float:
        """Degrees per frame."""
        return max(-TURN, min(TURN, number / self.limit * TURN))


@dataclass(frozen=True)
class ActionMap:
    """How actions of a game's own space and engine.Action become one another.

    Discrete, and each number of a MultiDiscrete: a key for each value but the one at rest. MultiBinary: a key for each
    number. Box: its first two axes of a range such as -1..1 are the mouse's; each further one has a key for either end.
    """

    space: spaces.Space
    parts: tuple[Choice | Turn, ...]

    def to_game(self, action: Action) -> Any:
        """The game's action for an engine.Action that fits `keys` and `mouse`."""
        numbers = [part.read(action) for part in self.parts]
        if isinstance(self.space, spaces.Discrete):
            return int(numbers[0])
        return np.array(numbers, dtype=self.space.dtype).reshape(self.space.shape or ())

    def to_action(self, value: Any) -> Action:
        """The engine.Action nearest to an action of the game's space. Raises ActionError for anything else."""
        if not self.space.contains(value):
            raise ActionError(f"the policy gave {value!r}, which is not of the game's action space {self.space}")
        keys: tuple[str, ...] = ()
        mouse = [0.0, 0.0]
        for part, number in zip(self.parts, np.ravel(np.asarray(value, dtype=np.float64)).tolist(), strict=True):
            if isinstance(part, Turn):
                mouse[part.axis] = part.write(number)
            else:
                keys += part.write(number)
        return Action(keys, (mouse[0], mouse[1]))

    @property
    def keys(self) -> list[Key]:
        """Keys for a world's definition, each bound to something on the keyboard while that lasts."""
        free, taken, found = iter(FREE_BINDS), set(), []
        for name in (key for part in self.parts if isinstance(part, Choice) for key in part.keys):
            binds = [bind for bind in USUAL_BINDS.get(name, []) if bind not in taken]
            binds = binds or [bind for bind in [next(free, "")] if bind]
            taken.update(binds)
            found.append(Key(name, binds, name))
        return found

    @property
    def mouse(self) -> dict[str, MouseAxis]:
        """Mouse axes for a world's definition."""
        count = sum(isinstance(part, Turn) for part in self.parts)
        return {axis: MouseAxis(TURN, axis) for axis in MOUSE_AXES[:count]}


def map_actions(env: gymnasium.Env, names: Sequence[str] = (), rest: int = 0) -> ActionMap:
    """The map of a game's action space.

    names: of the keys, in the order of `ActionMap.keys`; by default the game's own (get_action_meanings) or numbers.
    rest: the value of a Discrete that no key stands for, done while none is held. Raises WorldError for a space that
    has no keys, ConfigError for names or a rest that do not fit.
    """
    return map_space(env.action_space, names, rest, getattr(env.unwrapped, "get_action_meanings", list)())


def map_space(
    space: spaces.Space, names: Sequence[str] = (), rest: int = 0, meanings: Sequence[str] = ()
) -> ActionMap:
    """`map_actions` of a space alone; meanings: what a game calls the values of its Discrete space."""
    parts = tuple(_parts(space, rest, meanings))
    keys = [key for part in parts if isinstance(part, Choice) for key in part.keys]
    if not names:
        return ActionMap(space, parts)
    if len(names) != len(keys) or len(set(names)) != len(names):
        raise ConfigError(f"names are {len(keys)} different ones, for {', '.join(keys)}; not {', '.join(names)}")
    following = iter(names)
    named = [
        Choice(tuple(next(following) for _ in part.keys), part.values, part.rest) if isinstance(part, Choice) else part
        for part in parts
    ]
    return ActionMap(space, tuple(named))


def _parts(space: spaces.Space, rest: int, meanings: Sequence[str]) -> Iterator[Choice | Turn]:
    if isinstance(space, spaces.Discrete):
        first, count = int(space.start), int(space.n)
        if not first <= rest < first + count:
            raise ConfigError(f"rest is an action of {space}, from {first} to {first + count - 1}, not {rest}")
        values = [value for value in range(first, first + count) if value != rest]
        known = [str(name).lower() for name in meanings] if len(meanings) == count else []
        yield Choice(tuple(known[v - first] if known else f"action_{v}" for v in values), tuple(values), rest)
    elif isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1:
        for index, (first, count) in enumerate(zip(space.start.tolist(), space.nvec.tolist(), strict=True)):
            values = range(first + 1, first + count)
            yield Choice(tuple(f"choice_{index}_{value}" for value in values), tuple(values), first)
    elif isinstance(space, spaces.MultiBinary):
        for index in range(int(np.prod(space.shape))):
            yield Choice((f"button_{index}",), (1,), 0)
    elif isinstance(space, spaces.Box):
        yield from _axes(space)
    else:
        kinds = "Discrete, MultiDiscrete, MultiBinary or Box"
        raise WorldError(f"the game's action space is {space}; keys and mouse can be made of {kinds}")


def _axes(space: spaces.Box) -> Iterator[Choice | Turn]:
    if not np.isfinite(space.low).all() or not np.isfinite(space.high).all():
        raise WorldError(f"the game's action space {space} has no bounds: wrap it so that it has")
    turns = 0
    for index, (low, high) in enumerate(zip(space.low.ravel().tolist(), space.high.ravel().tolist(), strict=True)):
        rest = max(low, min(high, 0.0))
        if low == -high and turns < len(MOUSE_AXES):
            yield Turn(turns, high)
            turns += 1
        else:
            ends = [(f"axis_{index}_plus", high), (f"axis_{index}_minus", low)]
            kept = [(name, value) for name, value in ends if value != rest]
            yield Choice(tuple(name for name, _ in kept), tuple(value for _, value in kept), rest)
