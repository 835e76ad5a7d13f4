"""The HUD: what it says when, and that it says nothing when it is off."""

import dataclasses
from pathlib import Path

import numpy as np
import pygame
import pytest

from engine.play.hud import NOTE_S, Hud, HudState
from engine.play.loading import LoadingScreen
from engine.play.view import Note, View
from engine.world import FrameSize, Key, World

WORLD = World(name="toy", title="Toy", frame=FrameSize(48, 80), rate=20.0, keys=[Key("forward", ["w"])])
QUIET = HudState(View(np.zeros((48, 80, 3), np.uint8)), Note(), False, True, False, False)


@pytest.fixture
def drawn():
    """The pixels, [width, height, 3], that a state lights on a dark window of 640x384 at a time of 100 s."""
    pygame.font.init()

    def draw(hud=None, **changes) -> np.ndarray:
        surface = pygame.Surface((640, 384))
        state = dataclasses.replace(QUIET, **changes)
        (hud or Hud(WORLD)).draw(surface, surface.get_rect(), state, now=100.0)
        return pygame.surfarray.array3d(surface)

    return draw


def view(**changes) -> View:
    return dataclasses.replace(QUIET.view, **changes)


def test_a_clean_picture_is_clean(drawn):
    assert not drawn().any()


def test_each_thing_is_shown_in_its_place(drawn):
    assert drawn(show_figures=True)[:320, :40].any()
    assert drawn(view=view(recording=Path("r")))[560:, :40, 0].max() > 200
    assert drawn(paused=True)[200:440, :40].any()
    assert drawn(show_keys=True)[200:440, 100:280].any()
    assert drawn(note=Note("hello", 99.0))[200:440, 340:].any()
    assert drawn(has_mouse=False)[200:440, 340:].any()
    assert drawn(view=view(is_slow=True))[200:440, 340:].any()


def test_a_note_goes_by_itself(drawn):
    note = Note("hello", 100.0 - NOTE_S - 0.1)
    assert not drawn(note=note).any()
    hud = Hud(WORLD)
    assert hud.changes_at(dataclasses.replace(QUIET, note=Note("x", 99.0)), 100.0) == 99.0 + NOTE_S
    assert hud.changes_at(dataclasses.replace(QUIET, note=note), 100.0) == float("inf")


def test_figures_are_those_of_the_view_but_not_of_every_frame(drawn):
    hud = Hud(WORLD)
    one = drawn(hud, show_figures=True, view=view(latency_ms=10.0, info={"memory_entries": 5}))
    assert np.array_equal(one, drawn(hud, show_figures=True, view=view(latency_ms=99.0)))
    assert not np.array_equal(one, drawn(show_figures=True, view=view(latency_ms=99.0)))


def test_notes_longer_than_the_window_are_written_smaller(drawn):
    lit = np.flatnonzero(drawn(note=Note("a rather long sentence " * 5, 99.0)).max(axis=(1, 2)))
    assert 0 < lit.min() < 60 and 580 < lit.max() < 639


def test_the_table_of_keys_fits_a_small_window():
    pygame.font.init()
    surface = pygame.Surface((320, 192))
    Hud(WORLD).draw(surface, surface.get_rect(), dataclasses.replace(QUIET, show_keys=True), now=0.0)
    lit = np.flatnonzero(pygame.surfarray.array3d(surface).max(axis=(0, 2)))
    assert lit.min() > 0 and lit.max() < 191


def test_the_loading_picture_moves_and_fits_any_window():
    pygame.display.init()
    pygame.display.set_mode((80, 48))
    pygame.font.init()
    screen, pictures = LoadingScreen("Toy"), []
    for size, elapsed_s in (((640, 384), 0.0), ((640, 384), 0.4), ((200, 300), 0.4)):
        surface = pygame.Surface(size)
        screen.draw(surface, elapsed_s)
        pictures.append(pygame.surfarray.array3d(surface))
    assert not np.array_equal(pictures[0], pictures[1])
    pygame.display.quit()
