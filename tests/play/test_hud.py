"""The HUD: what it says when, and that it says nothing when it is off."""

import dataclasses
from pathlib import Path

import numpy as np
import pygame
import pytest

from engine.model.recall import Recall
from engine.play.chart import LatencyPanel, MapPanel, Track, thinned
from engine.play.hud import SLOW_S, Hud, HudState
from engine.play.loading import LoadingScreen
from engine.play.memory_panel import MemoryPanel
from engine.play.view import BOTH, GENERATED, NOTE_S, REAL, MemoryView, Note, View
from engine.session import Attended
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
    assert drawn(view=view(info={"memory_on": False}))[200:440, :40].any()
    assert drawn(show_keys=True)[200:440, 100:280].any()
    assert drawn(note=Note("hello", 99.0))[200:440, 340:].any()
    assert drawn(has_mouse=False)[200:440, 340:].any()
    assert drawn(view=view(is_slow=True))[200:440, 340:].any()


def test_what_to_change_is_said_where_it_is_too_slow():
    slow = dataclasses.replace(QUIET, view=view(is_slow=True, frames_per_s=8.04))

    def says(*drawn_with):
        return Hud(WORLD, *drawn_with)._sentences(slow, 0.0)[0][0]

    start = "8.0 of 20 frames/s: too slow. Try "
    assert says("cpu", 3) == start + "2 denoise steps a frame (F10), a GPU, fewer other programs"
    assert says("cpu", 2) == start + "1 denoise step a frame (F10), a GPU, fewer other programs"
    assert says("cpu", 1) == start + "a GPU, fewer other programs"
    assert says("cuda", 1) == start + "fewer other programs"


def test_that_it_is_too_slow_is_not_said_for_ever():
    slow, hud = dataclasses.replace(QUIET, view=view(is_slow=True, frames_per_s=8.0)), Hud(WORLD)
    assert [bool(hud._sentences(slow, 100.0 + past)) for past in (0.0, SLOW_S - 1, SLOW_S + 1)] == [True, True, False]
    assert not hud._sentences(QUIET, 200.0) and hud._sentences(slow, 201.0)


def test_signs_do_not_cover_the_figures(drawn):
    off = view(info={"memory_entries": 123456, "memory_bytes": 123e6, "memory_on": False}, consistency=0.5)
    on = dataclasses.replace(off, info={**off.info, "memory_on": True})
    figures, signed = drawn(view=on, show_figures=True), drawn(view=off, show_figures=True)
    assert np.array_equal(figures[:, :30], signed[:, :30]) and not np.array_equal(figures, signed)
    assert not np.array_equal(drawn(view=on)[:, :30], drawn(view=off)[:, :30])


def test_the_world_shown_is_named(drawn):
    real = np.zeros((48, 80, 3), np.uint8)
    assert drawn(view=view(shows=REAL, real=real))[200:440, :40].any()
    assert drawn(view=view(shows=BOTH))[200:440, :40].any()
    both = drawn(view=view(shows=BOTH, real=real))
    assert both[:100, :40].any() and both[320:440, :40].any() and not both[200:320].any()
    assert not drawn(view=view(shows=GENERATED)).any()


def test_names_side_by_side_do_not_cover_the_panels(drawn):
    shown = {"show_graph": True, "picture": pygame.Rect(0, 60, 640, 192)}
    at = {"number": 1, "latency_ms": 70.0}
    alone = drawn(view=view(**at), **shown)
    named = drawn(view=view(shows=BOTH, real=np.zeros((48, 80, 3), np.uint8), **at), **shown)
    assert np.array_equal(alone[:200, :96], named[:200, :96]) and alone[:200, 48:96].any()
    assert named[:200, 96:130].any() and named[320:440, 66:96].any()


def test_the_map_and_the_graph_are_at_the_sides(drawn):
    info = {"pose": (3.0, 4.0, 0.0, 90.0)}
    shown = drawn(show_map=True, view=view(info=info))
    assert shown[500:, 40:200].any() and not shown[:400].any()
    shown = drawn(show_graph=True, view=view(number=1, latency_ms=70.0))
    assert shown[:200, 40:110].any() and not shown[240:].any()


def test_the_line_of_the_graph_says_how_long_a_frame_lasts():
    pygame.font.init()
    widths = []
    for rate in (20.0, 0.5):  # 50 ms, 2000 ms
        above = pygame.surfarray.array3d(LatencyPanel(dataclasses.replace(WORLD, rate=rate)).draw(240, 72))[:, :33]
        orange = np.argwhere(above[..., 0].astype(int) - above[..., 2] > 100)[:, 0]
        widths.append(np.ptp(orange))
    assert 10 < widths[0] < widths[1] < 100


def test_the_track_follows_the_session_and_goes_back_with_it():
    track = Track(1.0)

    def at(number, x, session=0):
        track.note(view(number=number, session=session, info={"pose": (x, 0.0, 0.0, 0.0)}))

    for number in range(10):
        at(number, number / 2)
    assert [point[1] for point in track.points] == [0, 1, 2, 3, 4]
    at(5, 2.5)
    assert [point[1] for point in track.points] == [0, 1, 2]
    track.note(view(number=6, info={"pose": (float("nan"), 0.0, 0.0, 0.0)}))
    at(7, 50.0, session=1)
    assert [point[1] for point in track.points] == [50]
    for number in range(8, 20000):
        at(number, 50.0 + number, session=1)
    assert 900 < len(track.points) <= 2000


def test_the_view_cone_points_where_one_looks():
    pygame.font.init()
    panel, lit = MapPanel(WORLD), []
    for angle in (0.0, 90.0, 180.0, 270.0):
        picture = panel.draw(200, view(info={"pose": (0.0, 0.0, 0.0, angle)}))
        warm = pygame.surfarray.array3d(picture)[..., 0].astype(int) - pygame.surfarray.array3d(picture)[..., 2]
        where = np.argwhere(warm > 100).mean(axis=0) - 100
        lit.append((round(where[0] / 10), round(where[1] / 10)))
    assert lit[0] == (-lit[2][0], 0) and lit[1] == (0, -lit[3][1])
    assert lit[0][0] > 0 and lit[1][1] < 0  # east is right, north is up


def attended(entry, x, y, angle=0.0) -> Attended:
    return Attended(entry, 0, (x, y, 0.0, angle), 0.5, np.zeros((24, 40, 3), np.uint8))


def test_the_map_shows_remembered_places_and_those_attended_to():
    pygame.font.init()
    panel = MapPanel(WORLD)
    info = {"pose": (0.0, 0.0, 0.0, 0.0)}

    def blue(memory):
        pixels = pygame.surfarray.array3d(panel.draw(400, view(info=info, memory=memory))).astype(int)
        where = np.argwhere(pixels[..., 2] - pixels[..., 0] > 60)
        return where, pixels[where[:, 0], where[:, 1]].max() if len(where) else 0

    assert not len(blue(None)[0])
    places = np.array([[-100.0, -20.0, 0.0], [100.0, 20.0, 0.0], [100.0, 20.0, 0.0]], np.float32)
    where, brightest = blue(MemoryView((), places, Recall(), 4))
    assert (where.min(axis=0) < (100, 210)).all() and (where.max(axis=0) > (300, 170)).all() and brightest < 200
    assert not len(where[(abs(where[:, 0] - 200) < 60)]), "nothing is in the middle"
    assert blue(MemoryView((attended(1, 100.0, 20.0),), places, Recall(), 4))[1] > 250


def test_the_memory_panel_shows_how_much_was_attended_to_each_entry():
    pygame.font.init()
    panel, area = MemoryPanel(), pygame.Rect(0, 0, 640, 384)

    def widths(*weights):
        """Of the light bar below each picture, as a share of the widest that fits."""
        shown = tuple(
            dataclasses.replace(attended(entry, 0.0, 0.0), slot=entry, weight=weight)
            for entry, weight in enumerate(weights)
        )
        surface = pygame.Surface(area.size)
        panel.draw(surface, area, MemoryView(shown, np.zeros((4, 3), np.float32), Recall(), 4), 16, False)
        rows = [(place, surface.subsurface(place.x, place.bottom + 1, place.width, 12)) for place, _ in panel._spots]
        bars = [(pygame.surfarray.array3d(below).min(axis=2) > 200).sum(axis=0).max() for _, below in rows]
        return [bar / place.width for bar, (place, _) in zip(bars, rows, strict=True)]

    assert widths(0.01, 0.02, 0.04) == pytest.approx([0.25, 0.5, 1.0], abs=0.05)
    assert widths(0.02, 0.02) == pytest.approx([1.0, 1.0], abs=0.05)
    assert max(widths(None, None, None)) < 0.2  # no bar, a dash


def test_places_are_thinned_but_none_is_lost_sight_of():
    places = np.random.default_rng(0).uniform(-8, 8, (20_000, 2)).astype(np.float32)
    few = thinned(places, 1.0)
    assert 16 * 16 <= len(few) <= 17 * 17 and all(any((place == one).all() for one in places) for place in few[:5])
    assert len(thinned(places[:0], 1.0)) == 0


def test_a_note_goes_by_itself(drawn):
    assert Note("x" * 120, 0.0).gone == 10.0  # it takes that long to read
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
