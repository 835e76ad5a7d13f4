"""The real game at a start scene: brought there as the scene was made, then played on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine import world as definitions
from engine.action import Action
from engine.data.starts import load_start, look_around, start_source
from engine.errors import WorldError


class GameOver(WorldError):
    """The real game does not go on: its player died or left the map."""


class RealGame:
    """A world's real game, played from one of its start scenes.

    `pose`: where its present frame is seen from, (x, y, z, angle in degrees); None of a game that does not tell.
    Raises WorldError where the scene names no game, the game or its packages are not installed, or the game leads
    elsewhere than when the scene was made.
    """

    def __init__(self, world_name: str, start: int) -> None:
        self.world, self.start = definitions.load(world_name), start
        self._source = start_source(world_name, start)
        self._env: Any = None
        self.pose: Sequence[float] | None = None
        try:
            import worlds

            self._env = worlds.make_env(world_name, **self._source["game"])
        except ImportError as error:
            raise WorldError(
                f"the real game needs {error.name}, which is not installed: pip install -e '.[doom]'"
            ) from error

    def begin(self) -> np.ndarray:
        """Bring it to the scene, from wherever it is; its frame there, uint8 [height, width, 3]."""
        import worlds
        from engine.data.footage_episode import play

        game, last, spec = self._source["game"], self._source["last_frame"], self.world.action_spec
        player = worlds.make_player(self.world.name, self._env, game["seed"], self._source["tour"])
        choose, count = look_around(player.act, last, spec), last + 1 + self._source.get("looks_around", 0)
        played = play(self._env, spec, choose, count, seed=game["seed"])
        frame = played.frames[-1] if played.palette is None else played.palette[played.frames[-1]]
        if not np.array_equal(frame, load_start(self.world.name, self.start).frames[-1]):
            raise WorldError(f"the real game installed here does not lead to start scene {self.start} as it is shipped")
        self.pose = None if np.isnan(played.poses[-1]).any() else tuple(played.poses[-1].tolist())
        return frame

    def step(self, action: Action) -> np.ndarray:
        """The frame that follows `action`. Raises GameOver once there is none."""
        frame, _, terminated, truncated, info = self._env.step(action)
        self.pose = info.get("pose")
        if terminated or truncated:
            raise GameOver("the real game is over here: its player died or left the map")
        return frame

    def close(self) -> None:
        """End the game."""
        if self._env is not None:
            self._env.close()
            self._env = None
