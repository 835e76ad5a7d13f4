"""The game in a window without a screen: what keys, mouse and gamepad do."""

import json
import threading
import time

import pygame

from engine.data.recording import open_recording
from engine.play import app
from engine.play.window import Window


def test_keys_and_mouse_reach_the_engine(player):
    def steps(p):
        p.post(pygame.KEYDOWN, key=pygame.K_w)
        p.frames(5)
        p.post(pygame.MOUSEMOTION, rel=(100, 0), pos=(0, 0), buttons=(0, 0, 0))
        p.post(pygame.KEYUP, key=pygame.K_w)
        p.frames(5)

    assert player.play(steps, "sensitivity=0.25") == 0
    actions = player.engine.actions
    assert sum(action.keys == ("forward",) for action in actions) >= 3
    assert sum(action.mouse[0] for action in actions) == 25.0
    assert actions[-1].keys == () and player.engine.closed


def test_n_r_and_p(player, tmp_path, capsys):
    def steps(p):
        p.press(pygame.K_r)
        p.frames(10)
        p.press(pygame.K_n)
        p.until(lambda: p.engine.starts == [0, 1])
        p.frames(5)
        p.press(pygame.K_p)
        time.sleep(0.1)
        count = len(p.engine.actions)
        time.sleep(0.1)
        assert len(p.engine.actions) == count
        p.press(pygame.K_e)  # while paused: nobody's key
        time.sleep(0.05)
        p.press(pygame.K_p)
        p.frames(5)

    assert player.play(steps) == 0
    assert not any(action.keys for action in player.engine.actions)
    meta = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("recordings/toy-*/**/recording.json"))]
    assert sorted(one["start"] for one in meta) == [0, 1]
    told = capsys.readouterr().out
    assert told.count("recorded ") == 2 and "replay=FOLDER" in told


def test_record_begins_at_once(player, tmp_path):
    assert player.play(lambda p: p.frames(10), f"record={tmp_path / 'r'}") == 0
    assert len(open_recording(tmp_path / "r")) > 10


def test_saving_loading_branches_and_screenshots(player, tmp_path):
    said = []

    def steps(p):
        for key, says in (
            (pygame.K_F9, "nothing is kept in slot 'mine'"),
            (pygame.K_g, "no moment is kept"),
            (pygame.K_F5, "saved to slot 'mine'"),
            (pygame.K_F9, "loaded slot 'mine'"),
            (pygame.K_b, "saved to slot 'branch "),
            (pygame.K_b, "saved to slot 'branch "),
            (pygame.K_g, "loaded slot 'branch "),
            (pygame.K_F12, "picture in "),
        ):
            p.press(key)
            p.until(lambda says=says: says in p.note())
            said.append(p.note())
            p.frames(2)

    assert player.play(steps, f"saves={tmp_path / 's'}", "slot=mine") == 0
    kept = sorted(path.stem for path in (tmp_path / "s" / "toy").iterdir())
    assert kept[0] == "autosave" and kept[-1] == "mine" and len(kept) == 4
    assert said[-2] == f"loaded slot {kept[2]!r}"  # the later of the two
    pictures = list((tmp_path / "data" / "mag-engine" / "screenshots").glob("toy-*.png"))
    assert [pygame.image.load(picture).get_size() for picture in pictures] == [(80, 48)]


def test_backspace_rewinds_while_it_is_held(player):
    def steps(p):
        p.frames(60)
        p.post(pygame.KEYDOWN, key=pygame.K_BACKSPACE)
        p.until(lambda: p.engine.count < 40)
        count = len(p.engine.actions)
        p.post(pygame.WINDOWFOCUSLOST)
        p.until(lambda: len(p.engine.actions) > count)
        p.post(pygame.KEYDOWN, key=pygame.K_BACKSPACE)
        p.until(lambda: "further" in p.note())
        p.post(pygame.KEYUP, key=pygame.K_BACKSPACE)
        p.frames(3)

    assert player.play(steps) == 0


def test_tab_asks_for_the_real_game_but_not_with_alt(player):
    def steps(p):
        p.post(pygame.KEYDOWN, key=pygame.K_TAB, mod=pygame.KMOD_LALT)
        p.frames(5)
        assert p.note() == ""
        for key in (pygame.K_TAB, pygame.K_F7):
            p.press(key)
            p.until(lambda: "no world 'toy'" in p.note())
            p.worker.say("")
        p.frames(3)

    assert player.play(steps) == 0


def test_escape_frees_the_mouse_then_quits(player):
    seen = []

    def steps(p):
        seen.append(pygame.event.get_grab())
        p.press(pygame.K_ESCAPE)
        p.until(lambda: not pygame.event.get_grab())
        p.post(pygame.MOUSEMOTION, rel=(100, 0), pos=(0, 0), buttons=(0, 0, 0))
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=(5, 5))  # takes the mouse, and is no shot
        p.until(pygame.event.get_grab)
        p.frames(3)
        assert not any(action.keys or any(action.mouse) for action in p.engine.actions)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=(5, 5))
        p.until(lambda: p.engine.actions[-1].keys == ("attack",))
        p.press(pygame.K_ESCAPE)
        p.press(pygame.K_ESCAPE)
        p.until(lambda: p.engine.closed)

    assert player.play(steps) == 0
    assert seen == [True]


def test_help_hud_fullscreen_and_resizing_draw_without_fault(player, monkeypatch):
    sizes = set()
    draw_frame = Window.draw_frame

    def noted(self, frame):
        sizes.add(self.area.size)
        return draw_frame(self, frame)

    monkeypatch.setattr(Window, "draw_frame", noted)

    def steps(p):
        for key in (
            pygame.K_F1,
            pygame.K_F2,
            pygame.K_F3,
            pygame.K_F4,
            pygame.K_F6,
            pygame.K_F8,
            pygame.K_F7,
            pygame.K_TAB,
            pygame.K_f,
            pygame.K_F2,
            pygame.K_f,
            pygame.K_F1,
        ):
            p.press(key)
            p.frames(3)

    assert player.play(steps, "scale=1") == 0
    assert (320, 192) in sizes and len(sizes) == 2


def test_how_the_window_is_shown_is_kept_unless_the_command_line_says_it(player, data_home):
    def change(p):
        p.frames(3)
        for key in (pygame.K_F8, pygame.K_f):
            p.press(key)
        p.until(lambda: p.game.window.fullscreen and "scaling=sharp" in p.note())

    def look(p):
        p.frames(3)
        assert p.game.window.fullscreen and p.game.window.scaling == "sharp"
        p.press(pygame.K_F10)
        p.until(lambda: p.worker.paused)
        for key in (*[pygame.K_DOWN] * 4, pygame.K_RETURN, pygame.K_ESCAPE):
            p.press(key)
        p.until(lambda: not p.game.window.fullscreen)
        assert p.game.window.scaling == "sharp"

    def override(p):
        change(p)
        p.press(pygame.K_F10)
        p.until(lambda: p.worker.paused)
        p.press(pygame.K_ESCAPE)
        p.until(lambda: not p.worker.paused)
        assert p.game.window.fullscreen and p.game.window.scaling == "sharp"

    assert player.play(change) == 0
    kept = (data_home / "settings.yaml").read_text()
    assert "fullscreen: true" in kept and "scaling: sharp" in kept
    assert player.play(look) == 0
    kept = (data_home / "settings.yaml").read_text()
    assert "fullscreen" not in kept and "scaling: sharp" in kept
    assert player.play(override, "fullscreen=false", "scaling=smooth") == 0
    assert (data_home / "settings.yaml").read_text() == kept


def test_a_script_plays_in_the_window(player, tmp_path):
    (tmp_path / "s.yaml").write_text("- {keys: [use], frames: 2}\n- {mouse: [-2]}\n")
    assert player.play(lambda p: p.frames(10), f"script={tmp_path / 's.yaml'}") == 0
    assert [action.keys for action in player.engine.actions[:6]] == [("use",), ("use",), ()] * 2


def test_an_engine_that_fails_in_play_ends_with_one_sentence(player, capsys):
    player.engine.fails_at = 12
    assert player.play(lambda p: p.until(lambda: p.engine.closed)) == 2
    assert capsys.readouterr().err == "play: the network lost its way; start again\n"


def test_the_window_can_be_closed_while_the_engine_loads(engine):
    def load(*args, **options):
        threading.Timer(0.1, lambda: pygame.event.post(pygame.event.Event(pygame.QUIT))).start()
        time.sleep(1.5)
        return engine

    began = time.monotonic()
    assert app.main([], load) == 0
    assert time.monotonic() - began < 1.2
