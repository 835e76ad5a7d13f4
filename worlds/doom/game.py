"""The real game as a Gymnasium environment: exact frames, two tics each, with the player's pose."""

from __future__ import annotations

import contextlib
import difflib
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from engine import world as worlds_on_disk
from engine.action import Action
from engine.errors import SessionError, WorldError
from worlds.doom.maps import FLAVOURS, MAP_NAME, DoomMap, generate
from worlds.doom.udmf import map_names
from worlds.spaces import action_space, observation_space

TICS_PER_FRAME = 2
CROP = slice(8, 392)  # rows of the game's 640x400 picture, of which a square of four becomes one pixel
SETTLING_TICS = 12  # the game ignores turning before
ANGLE_STEP = 360.0 / 65536  # the game's finest turn, degrees
DEPTH_STEP, DEPTH_BIAS = 7.2, 2.0  # map units: what the game's 8-bit depth counts in; fitted by warping frames
SKY_DEPTH, SKY = 106, 4096.0  # the depth that the game writes for the sky, and what is told in its place
SHIPPED = ("freedoom1", "freedoom2")  # WADs that come with ViZDoom, by name
NO_BOB = "+movebob 0 +stillbob 0"  # so that a pose has one picture, walking or standing


class DoomEnv(gymnasium.Env):
    """ViZDoom on a generated map, or on a map of a WAD file.

    Observations: RGB uint8 [192, 320, 3], each pixel the mean of four of the game's. It draws textures by single
    points, so that its own picture at this size flickers: a frame moved to where the camera is next
    resembles the one drawn there by 25 dB, and by 30 with four points (docs/log.md).
    Actions: an engine.Action, or {"keys", "mouse"} as in the action space.
    info["pose"]: (x, y, z, angle), the eye's place in map units, degrees anticlockwise.
    With `depth`, info["depth"]: float32 [192, 320], distance along the line of sight's axis, map units.
    With `calm`, monsters stand still and never attack, but can be shot.
    Rewards are 0. An episode is terminated when the player leaves the map. Nothing hurts the player.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 17.5}
    render_mode = "rgb_array"

    def __init__(
        self, seed: int = 0, flavour: str = "static", wad: str | Path | None = None, map: str | None = None,
        depth: bool = False, calm: bool = False,
    ) -> None:  # fmt: skip
        self.world = worlds_on_disk.load("doom")
        self.spec_of_actions = self.world.action_spec
        self.action_space = action_space(self.spec_of_actions)
        self.observation_space = observation_space(self.world)
        self._attack = self.spec_of_actions.keys.index("attack")
        self.flavour, self.depth = flavour, depth
        self.map: DoomMap | None = None
        self._frame: np.ndarray | None = None
        self._game: Any = None
        if flavour not in FLAVOURS:
            raise WorldError(f"there is no flavour {flavour!r} (flavours: {', '.join(FLAVOURS)})")
        self._folder = Path(tempfile.mkdtemp(prefix="doom-"))
        try:
            if wad is None and map is None:
                self.map = generate(seed, flavour)
                path = self._folder / "map.wad"
                path.write_bytes(self.map.wad(calm))
                map = MAP_NAME
            elif calm:
                raise WorldError("calm monsters are those of generated maps: leave out wad and map")
            else:
                path, map = find_map(wad, map)
            self._start_game(path, map, seed)
        except BaseException:
            self.close()
            raise

    def _start_game(self, wad: Path, map_name: str, seed: int) -> None:
        vizdoom = import_vizdoom()
        game = vizdoom.DoomGame()
        game.set_doom_config_path(str(self._folder / "game.ini"))
        game.set_doom_game_path(str(_freedoom()))
        if wad != _freedoom():
            game.set_doom_scenario_path(str(wad))
        game.set_doom_map(map_name)
        game.set_screen_resolution(vizdoom.ScreenResolution.RES_640X400)
        game.set_screen_format(vizdoom.ScreenFormat.RGB24)
        for part in ("hud", "minimal_hud", "crosshair", "messages", "screen_flashes", "decals", "particles"):
            getattr(game, f"set_render_{part}")(False)
        game.set_render_corpses(self.flavour == "monsters")
        game.set_render_weapon(self.flavour == "monsters")  # a shot should be seen
        game.set_depth_buffer_enabled(self.depth)
        game.set_window_visible(False)
        game.set_sound_enabled(False)
        buttons = [key.button for key in self.world.keys] + [axis.button for axis in self.world.mouse.values()]
        game.set_available_buttons([getattr(vizdoom.Button, name) for name in buttons])
        pose = ("CAMERA_POSITION_X", "CAMERA_POSITION_Y", "CAMERA_POSITION_Z", "CAMERA_ANGLE")
        game.set_available_game_variables([getattr(vizdoom.GameVariable, name) for name in pose])
        game.set_mode(vizdoom.Mode.PLAYER)
        game.set_episode_timeout(0)
        game.set_episode_start_time(SETTLING_TICS)
        game.set_seed(seed % 2**31)
        game.add_game_args(NO_BOB + ("" if self.flavour == "monsters" else " +nomonsters 1"))
        try:
            with contextlib.chdir(self._folder):  # the game leaves files where it starts
                game.init()
        except (vizdoom.ViZDoomErrorException, vizdoom.ViZDoomUnexpectedExitException) as error:
            reason = " ".join(str(error).split())
            raise WorldError(f"the game cannot start map {map_name!r} of {wad}: {reason}") from error
        self._game = game

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the map anew; `seed` feeds the game's chance (monsters), not the map."""
        super().reset(seed=seed)
        game = self._open_game()
        if seed is not None:
            game.set_seed(seed % 2**31)
        game.new_episode()
        if self.flavour == "monsters" or self.map is None:
            game.send_game_command("god")
        return self._observe()

    def step(self, action: Action | dict[str, Any]) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold the keys and turn by the mouse's degrees over one frame. Raises ActionError for an impossible action."""
        game = self._open_game()
        if self._frame is None:
            raise SessionError("step comes after reset")
        if not isinstance(action, Action):
            action = self.spec_of_actions.from_space(action)
        values = self.spec_of_actions.encode(action).astype(float).tolist()
        keys = values[: len(self.world.keys)]
        if self.flavour != "monsters":
            keys[self._attack] = 0.0  # with nothing to fight, a shot would only leave marks
        mouse = [_delta_per_tic(degrees) for degrees in values[len(keys) :]]
        if not game.is_episode_finished():
            game.make_action(keys + mouse, TICS_PER_FRAME)
        if game.is_episode_finished():
            return self._frame, 0.0, True, False, self._info
        frame, info = self._observe()
        return frame, 0.0, False, False, info

    def look_from(self, pose: tuple[float, float, float, float]) -> tuple[np.ndarray, dict[str, Any]]:
        """Put the player at once to a pose, its place rounded to whole map units: the frame and info from there.

        Takes the time of two frames. Where nobody can stand, the player stays; info["pose"] tells.
        """
        game = self._open_game()
        angle = self._info["pose"][3]
        game.send_game_command(f"warp {round(pose[0])} {round(pose[1])}")
        turn = _delta_per_tic((angle - pose[3] + 180.0) % 360.0 - 180.0)
        still = [0.0] * len(self.world.keys)
        game.make_action([*still, turn], TICS_PER_FRAME)
        game.make_action([*still, 0.0], TICS_PER_FRAME)  # the eyes take three tics to rise to their height
        return self._observe()

    def render(self) -> np.ndarray:  # type: ignore[override]
        """The last frame."""
        if self._frame is None:
            raise SessionError("render comes after reset")
        return self._frame

    def close(self) -> None:
        """End the game and remove its files. Closing twice does nothing."""
        if self._game is not None:
            self._game.close()
            self._game = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open_game(self) -> Any:
        if self._game is None:
            raise SessionError("this environment is closed: make a new one")
        return self._game

    def _observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        state = self._game.get_state()
        self._frame = _mean_of_four(state.screen_buffer[CROP])
        self._info: dict[str, Any] = {"pose": tuple(float(value) for value in state.game_variables)}
        if self.depth:
            self._info["depth"] = _distance(state.depth_buffer[CROP][::2, ::2])
        return self._frame, self._info


def _mean_of_four(picture: np.ndarray) -> np.ndarray:
    """uint8 [2 * height, 2 * width, 3] -> [height, width, 3], new memory: the game draws its next into the old."""
    rows = np.add(picture[::2], picture[1::2], dtype=np.uint16)
    pairs = rows.reshape(len(rows), -1, 2, 3)
    return ((pairs[:, :, 0] + pairs[:, :, 1] + 2) >> 2).astype(np.uint8)


def _distance(depth: np.ndarray) -> np.ndarray:
    """The game's depth buffer, uint8 [height, width] -> map units, float32. The sky is far away."""
    distance = (depth + np.float32(DEPTH_BIAS)) * np.float32(DEPTH_STEP)
    above = len(depth) // 2
    distance[:above][depth[:above] == SKY_DEPTH] = SKY
    return distance


def _delta_per_tic(degrees: float) -> float:
    """What to ask of the game in each tic to turn by `degrees` in a frame, to within 0.006 degrees.

    The game rounds angles down to steps of its 16-bit circle: half a step more makes that exact, both ways.
    """
    steps = round(degrees / TICS_PER_FRAME / ANGLE_STEP)
    return (steps + 0.5) * ANGLE_STEP if steps else 0.0


def import_vizdoom() -> Any:
    """The vizdoom package. Raises WorldError saying how to install it."""
    try:
        import vizdoom
    except ImportError as error:
        raise WorldError("the real Doom needs ViZDoom: pip install vizdoom==1.3.2") from error
    return vizdoom


def _freedoom(part: str = "freedoom2") -> Path:
    """Freedoom, which comes with ViZDoom."""
    return Path(import_vizdoom().__file__).parent / f"{part}.wad"


def all_maps(wad: str | Path | None) -> tuple[Path, list[str]]:
    """A WAD's path (Freedoom 2 without one) and its maps, in order. Raises WorldError for a file that is no WAD."""
    path = _freedoom(str(wad)) if wad in SHIPPED else Path(wad).resolve() if wad is not None else _freedoom()
    try:
        maps = map_names(path)
    except (OSError, struct.error) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise WorldError(f"the WAD {path} cannot be read: {what}") from error
    if not maps:
        raise WorldError(f"{path} is not a WAD file with maps in it")
    return path, maps


def find_map(wad: str | Path | None, map_name: str | None) -> tuple[Path, str]:
    """The WAD's path (Freedoom 2 without one) and the map's name (its first map without one).

    Raises WorldError for a file that is no WAD, or has no such map.
    """
    path, maps = all_maps(wad)
    name = (map_name or maps[0]).upper()
    if name not in maps:
        near = difflib.get_close_matches(name, maps, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise WorldError(
            f"{path.name} has no map {map_name!r}{hint} (it has {len(maps)}, from {maps[0]} to {maps[-1]})"
        )
    return path, name
