"""The window: the frame's shape is kept whatever the window's is."""

import os

import numpy as np
import pygame
import pytest

from engine.play.window import Window, fitted


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ((640, 384), (0, 0, 640, 384)),
        ((1000, 384), (180, 0, 640, 384)),
        ((320, 1000), (0, 404, 320, 192)),
        ((1, 1), (0, 0, 1, 1)),
    ],
)
def test_a_frame_fills_the_window_in_its_own_shape(space, expected):
    assert tuple(fitted((320, 192), space)) == expected


@pytest.fixture
def window():
    made = Window("Toy", (80, 48), scale=None, fullscreen=False, scaling="sharp")
    yield made
    made.close()


def test_it_opens_as_a_whole_multiple_that_fits_the_screen(window):
    screen = pygame.display.get_desktop_sizes()[0]
    width, height = window.surface.get_size()
    assert width % 80 == 0 and (width // 80) * 48 == height
    assert 0.5 * screen[0] < width <= 0.85 * screen[0] or 0.5 * screen[1] < height <= 0.85 * screen[1]


def test_a_frame_is_shown_as_it_is_between_dark_bars(window):
    pygame.display.set_mode((200, 96), pygame.RESIZABLE)
    frame = np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
    window.draw_frame(frame)
    shown = pygame.surfarray.array3d(window.surface).swapaxes(0, 1)
    assert np.array_equal(shown[:, 20:180], frame.repeat(2, 0).repeat(2, 1))
    assert not shown[:, :20].any() and not shown[:, 180:].any()


def test_whole_multiples_are_kept_where_there_is_room_for_one():
    assert tuple(fitted((320, 192), (1000, 900), whole=True)) == (20, 162, 960, 576)
    assert tuple(fitted((320, 192), (639, 900), whole=True)) == (159, 354, 320, 192)
    assert tuple(fitted((320, 192), (160, 900), whole=True)) == (0, 402, 160, 96)


def test_the_ways_of_scaling_are_cycled(window):
    pygame.display.set_mode((200, 120), pygame.RESIZABLE)
    frame = np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
    shown = {}
    for way in ("whole", "smooth", "sharp"):
        assert window.next_scaling().startswith(f"scaling={way}: ")
        window.draw_frame(frame)
        shown[way] = pygame.surfarray.array3d(window.surface).swapaxes(0, 1)
    assert np.array_equal(shown["whole"][12:108, 20:180], frame.repeat(2, 0).repeat(2, 1))
    assert {tuple(pixel) for pixel in shown["sharp"].reshape(-1, 3)} <= {tuple(pixel) for pixel in frame.reshape(-1, 3)}
    assert not np.array_equal(shown["sharp"], shown["smooth"]) and shown["smooth"][:, -1].any()


def test_two_frames_side_by_side_are_fitted_into_the_middle(window):
    pygame.display.set_mode((160, 96), pygame.RESIZABLE)
    window.draw_frame(np.full((48, 160, 3), 200, np.uint8))
    shown = pygame.surfarray.array3d(window.surface)[..., 0]
    assert (shown[:, 24:72] == 200).all() and not shown[:, :24].any() and not shown[:, 72:].any()


def test_the_mouse_is_taken_and_given_back(window):
    window.take_mouse(True)
    assert window.has_mouse and pygame.event.get_grab() and not pygame.mouse.get_visible()
    window.take_mouse(False)
    assert not window.has_mouse and not pygame.event.get_grab() and pygame.mouse.get_visible()


def test_fullscreen_comes_back_to_the_same_size(window):
    before = window.surface.get_size()
    window.toggle_fullscreen()
    assert window.surface.get_size() == pygame.display.get_desktop_sizes()[0]
    window.toggle_fullscreen()
    assert window.surface.get_size() == before


@pytest.mark.parametrize(("said", "driver", "then"), [(None, "x11", "0"), ("1", "x11", "1"), (None, "dummy", None)])
def test_pictures_go_past_opengl_where_they_can(monkeypatch, said, driver, then):
    name = "SDL_FRAMEBUFFER_ACCELERATION"
    monkeypatch.setenv(name, said or "")  # so that it is as before afterwards
    if said is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: driver)
    Window("Toy", (80, 48), scale=1, fullscreen=False, scaling="sharp").close()
    assert os.environ.get(name) == then
