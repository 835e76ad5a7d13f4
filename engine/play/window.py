"""The window on the screen: its size, the frame scaled into it with its shape kept, and who has the mouse."""

from __future__ import annotations

import os

import numpy as np
import pygame

from engine.errors import ConfigError
from engine.play.view import SCALINGS

SHARE_OF_SCREEN = 0.85  # of its height or width, whichever is reached first
LARGEST = 16384  # pixels; wider windows are none
BORDER = (0, 0, 0)
REPEAT_AFTER_MS, REPEAT_EVERY_MS = 400, 40  # of a key that is held while one types


class Window:
    """One resizable window; opens as the largest whole multiple of the frame that fits the screen well."""

    def __init__(self, title: str, frame_size: tuple[int, int], scale: float | None, fullscreen: bool, scaling: str):
        """`frame_size`: (width, height) in pixels. `scaling`: one of SCALINGS.

        Raises ConfigError where no window can be opened.
        """
        self._frame_size, self.scaling, self.fullscreen = frame_size, scaling, fullscreen
        try:
            pygame.display.init()
            # Without a display SDL falls back on one that nobody sees.
            if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
                raise pygame.error("no display")
            pygame.font.init()
            if pygame.display.get_driver() == "x11":
                # A picture this small is sent as it is: by way of OpenGL it takes longer, above all where that is
                # computed by the cores that also draw the world. SDL reads this when a window opens.
                os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
            self._window_size = self._opening_size(scale)
            self._set_mode()
        except pygame.error as error:
            raise ConfigError(f"no window can be opened here ({error}); headless=true plays without one") from error
        pygame.display.set_caption(title)
        pygame.display.set_icon(_icon())
        self.has_mouse = False
        self.take_text(False)

    @property
    def surface(self) -> pygame.Surface:
        """The whole window, in its present size."""
        surface = pygame.display.get_surface()
        assert surface
        return surface

    @property
    def area(self) -> pygame.Rect:
        """Where the frame lies in the window: as large as its shape allows, in the middle."""
        return fitted(self._frame_size, self.surface.get_size(), self.scaling == "whole")

    def set_frame_size(self, frame_size: tuple[int, int]) -> None:
        """Show frames of another (width, height) from now on."""
        self._frame_size = frame_size

    def draw_frame(self, frame: np.ndarray) -> pygame.Rect:
        """Scale a picture, uint8 [height, width, 3], into the window; where it lies. The rest becomes dark.

        One of another shape than the frames, such as two of them, is fitted into the middle.
        """
        height, width = frame.shape[:2]
        picture = pygame.image.frombuffer(np.ascontiguousarray(frame).data, (width, height), "RGB")
        surface = self.surface
        area = fitted((width, height), surface.get_size(), self.scaling == "whole")
        if area.size != surface.get_size():
            surface.fill(BORDER)
        scaled = pygame.transform.smoothscale if self.scaling == "smooth" else pygame.transform.scale
        scaled(picture.convert(surface), area.size, surface.subsurface(area))
        return area

    def next_scaling(self) -> str:
        """Scale frames in the next way from now on; a sentence about it."""
        ways = list(SCALINGS)
        self.scaling = ways[(ways.index(self.scaling) + 1) % len(ways)]
        return f"scaling={self.scaling}: {SCALINGS[self.scaling]}"

    def toggle_fullscreen(self) -> None:
        if not self.fullscreen:
            self._window_size = self.surface.get_size()
        self.fullscreen = not self.fullscreen
        self._set_mode()
        self.take_mouse(self.has_mouse)

    def show_as(self, scaling: str, fullscreen: bool) -> None:
        """Be scaled so, and as large, from now on."""
        self.scaling = scaling
        if fullscreen != self.fullscreen:
            self.toggle_fullscreen()

    def take_mouse(self, take: bool) -> None:
        """Hide the mouse and read its motion without end, or give it back to the desktop."""
        self.has_mouse = take
        pygame.event.set_grab(take)
        pygame.mouse.set_visible(not take)
        pygame.mouse.set_relative_mode(take)
        pygame.event.clear(pygame.MOUSEMOTION)  # the jump into the middle is nobody's motion

    def take_text(self, take: bool) -> None:
        """Have what is typed come as text too, and keys that are held again and again; or no more."""
        (pygame.key.start_text_input if take else pygame.key.stop_text_input)()
        pygame.key.set_repeat(*((REPEAT_AFTER_MS, REPEAT_EVERY_MS) if take else ()))

    def close(self) -> None:
        pygame.display.quit()

    def _opening_size(self, scale: float | None) -> tuple[int, int]:
        width, height = self._frame_size
        if scale is None:
            screen = pygame.display.get_desktop_sizes()[0]
            fits = min(SHARE_OF_SCREEN * screen[0] / width, SHARE_OF_SCREEN * screen[1] / height)
            scale = max(1, int(fits))
        if scale * max(width, height) > LARGEST:
            most = LARGEST / max(width, height)
            raise ConfigError(f"setting 'scale': at most {most:.0f} for frames of {width}x{height}, not {scale:g}")
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _set_mode(self) -> None:
        if self.fullscreen:
            pygame.display.set_mode((0, 0), pygame.FULLSCREEN)
        else:
            pygame.display.set_mode(self._window_size, pygame.RESIZABLE)


def fitted(size: tuple[int, int], space: tuple[int, int], whole: bool = False) -> pygame.Rect:
    """The largest rectangle of the shape of `size` inside `space`, centred; at least a pixel each way.

    `whole`: a whole multiple of `size`, where `space` has room for one.
    """
    scale = min(space[0] / size[0], space[1] / size[1])
    scale = int(scale) if whole and scale >= 1 else scale
    width, height = max(1, int(size[0] * scale + 1e-6)), max(1, int(size[1] * scale + 1e-6))
    return pygame.Rect((space[0] - width) // 2, (space[1] - height) // 2, width, height)


def _icon() -> pygame.Surface:
    """Frames behind one another, each remembered a little less."""
    icon = pygame.Surface((64, 64), pygame.SRCALPHA)
    for step, alpha in enumerate((70, 130, 255)):
        rect = pygame.Rect(6 + 8 * step, 22 - 8 * step, 36, 36)
        pygame.draw.rect(icon, (255, 176, 64, alpha), rect, border_radius=6)
        pygame.draw.rect(icon, (20, 22, 30, 255), rect, width=2, border_radius=6)
    return icon
