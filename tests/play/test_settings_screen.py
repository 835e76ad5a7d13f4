"""The settings screen: by keyboard, mouse and gamepad, from the title screen and in play."""

import pygame
import pytest
import yaml

from engine.play.choices import CHOICES
from engine.play.preferences import Kept
from engine.play.settings import Preferences
from engine.play.settings_screen import SettingsScreen
from tests.play.fake_engine import WORLD

LABELS = [choice.label for choice in CHOICES]


@pytest.fixture
def screen(tmp_path):
    """A screen and the surface it is drawn on."""
    pygame.display.init()
    pygame.font.init()
    surface = pygame.display.set_mode((640, 384))
    kept = Kept(tmp_path / "settings.yaml", Preferences(), ())
    made = SettingsScreen(kept, WORLD, playing=False)
    made.draw(surface)
    yield made
    pygame.display.quit()


def press(screen, *keys):
    for key in keys:
        screen.handle(pygame.event.Event(pygame.KEYDOWN, key=key))
    screen.draw(pygame.display.get_surface())


def go_to(screen, label):
    while screen._row.label != label:
        press(screen, pygame.K_DOWN)


def click(screen, place, button=1):
    screen.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=button, pos=place.center))
    screen.draw(pygame.display.get_surface())


def test_every_setting_is_changed_by_arrows_and_kept(screen):
    for label, expected in zip(LABELS, ("cpu", 1, 0.15, "sharp", True, 120.0), strict=True):
        go_to(screen, label)
        press(screen, pygame.K_RIGHT)
        assert getattr(screen._kept.current, screen._row.choice.name) == expected
        press(screen, pygame.K_LEFT)
    assert screen._kept.current == Preferences() and not screen.note


def test_arrows_stop_at_the_ends_and_enter_goes_round(screen):
    press(screen, pygame.K_LEFT)
    assert screen._kept.current.device == "auto"
    for expected in ("cpu", "cuda", "auto"):
        press(screen, pygame.K_RETURN)
        assert screen._kept.current.device == expected


@pytest.mark.parametrize(
    ("value", "by", "expected"), [(0.13, 1, 0.15), (0.13, -1, 0.12), (9.0, 1, 0.5), (0.001, -1, 0.03)]
)
def test_from_a_value_that_is_not_offered_one_comes_to_the_nearest(value, by, expected):
    choice = next(choice for choice in CHOICES if choice.name == "sensitivity")
    assert choice.beside(value, by, wraps=False) == expected


def test_devices_and_steps_that_are_not_offered_are_left_too(screen):
    device, steps = CHOICES[:2]
    assert device.beside("cuda:1", 1, wraps=True) == "auto"
    assert (steps.beside(3, 1, wraps=False), steps.beside(3, -1, wraps=False)) == (4, 2)


def test_the_mouse_changes_choices_and_keys(screen):
    rows = {row.label: row for row in screen._rows}
    click(screen, rows["Scaling"].place)
    assert screen._kept.current.scaling == "sharp"
    click(screen, rows["Scaling"].place, 3)
    assert screen._kept.current.scaling == "smooth"
    click(screen, rows["left"].cells[1])
    screen.handle(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=(0, 0)))
    click(screen, rows["Back"].place, 3)  # wherever it is: the right button is the new key
    assert screen._kept.current.keys == {"toy": {"left": ["a", "mouse3"]}} and screen.is_open
    click(screen, rows["left"].cells[1], 3)
    assert screen._kept.current.keys == {}
    click(screen, rows["Back"].place)
    assert not screen.is_open


def test_keys_are_bound_and_conflicts_said(screen):
    go_to(screen, "use")
    press(screen, pygame.K_RETURN, pygame.K_r)
    assert screen.note == "R is the window's (record on, off): press another key"
    press(screen, pygame.K_a)
    assert screen.note == "A is for use now, and E for left"
    assert screen._kept.current.keys == {"toy": {"left": ["e"], "use": ["a"]}}
    press(screen, pygame.K_RETURN, pygame.K_ESCAPE)
    assert screen.is_open and screen._kept.current.keys == {"toy": {"left": ["e"], "use": ["a"]}}
    press(screen, pygame.K_RETURN, pygame.K_e)
    assert screen._kept.current.keys == {}
    press(screen, pygame.K_RIGHT, pygame.K_RETURN)
    screen.handle(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RETURN, pad=True))  # no key of the keyboard
    press(screen, pygame.K_q, pygame.K_LEFT, pygame.K_DELETE)
    assert screen._kept.current.keys == {"toy": {"use": ["q"]}}
    press(screen, pygame.K_ESCAPE)
    assert not screen.is_open


def test_all_is_as_at_first_only_after_asking_once_more(screen):
    press(screen, pygame.K_RIGHT)
    go_to(screen, "left")
    press(screen, pygame.K_RETURN, pygame.K_q)
    go_to(screen, "Reset to defaults")
    press(screen, pygame.K_RETURN)
    assert screen._kept.current.device == "cpu" and "once more" in screen.note
    press(screen, pygame.K_UP, pygame.K_DOWN, pygame.K_RETURN)
    assert screen._kept.current.device == "cpu"
    press(screen, pygame.K_RETURN)
    assert screen._kept.current == Preferences() and "Q" not in str(screen._own.keys)


def test_what_the_command_line_holds_fast_is_said(tmp_path, screen):
    kept = Kept(tmp_path / "settings.yaml", Preferences(device="cpu"), ("device", "keys"))
    other = SettingsScreen(kept, WORLD, playing=False)
    assert other._hint().startswith("device=cpu on the command line holds in this run")
    press(other, pygame.K_RIGHT, pygame.K_RIGHT)
    assert kept.current.device == "cpu" and kept.chosen.device == "cuda"
    go_to(other, "use")
    assert other._hint().startswith("keys on the command line holds")


def test_small_windows_show_the_selected_row(screen):
    surface = pygame.display.set_mode((200, 120))
    for _ in screen._rows:
        press(screen, pygame.K_DOWN)
        screen.draw(surface)
        assert screen._row.place.height and surface.get_rect().contains(screen._row.place)


def written(data_home):
    return yaml.safe_load((data_home / "settings.yaml").read_text())


def test_from_the_title_screen_another_device_is_loaded_at_once(player, data_home):
    def steps(p):
        p.until(lambda: p.game and p.worker and p.worker.engine and p.game._opening.is_choosing)
        p.press(pygame.K_F10)
        p.press(pygame.K_RIGHT)
        p.until(lambda: p.game._interlude.dialog and p.game._kept.current.device == "cpu")
        p.press(pygame.K_ESCAPE)
        p.until(lambda: p.engine.asked == [("auto", None), ("cpu", None)])
        p.press(pygame.K_F10)
        p.press(pygame.K_ESCAPE)  # nothing changed: nothing is loaded
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_RETURN)
        p.frames(3)

    player.words = []
    assert player.play_at_once(steps) == 0
    assert written(data_home) == {"device": "cpu"} and player.engine.starts == [1]
    assert player.engine.asked == [("auto", None), ("cpu", None)]
    assert player.play_at_once(lambda p: p.until(lambda: len(p.engine.asked) == 3)) == 0
    assert player.engine.asked[-1] == ("cpu", None)
    assert player.play(lambda p: p.frames(3), "device=auto", "title=false") == 0
    assert player.engine.asked[-1] == ("auto", None)


def test_a_broken_file_is_told_on_the_title_screen_until_another_is_written(player, data_home):
    data_home.mkdir(parents=True)
    (data_home / "settings.yaml").write_text("scaling: [")

    def steps(p):
        p.until(lambda: p.game and "your settings are not used" in p.game._opening._title.note)
        p.press(pygame.K_F10)
        p.press(pygame.K_DOWN)
        p.press(pygame.K_DOWN)
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_ESCAPE)
        p.until(lambda: p.game._kept.current.sensitivity == 0.15 and not p.game._opening._title.note)

    player.words = []
    assert player.play_at_once(steps) == 0
    assert written(data_home) == {"sensitivity": 0.15}


def test_the_mouse_and_the_gamepad_open_it_from_the_title_screen(player, data_home):
    def by_mouse(p):
        p.until(lambda: p.game and p.game._opening.is_choosing and p.game._opening._title._corner.width)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=p.game._opening._title._corner.center)
        p.until(lambda: p.game._interlude.dialog)

    def by_pad(p):
        p.until(lambda: p.game and p.game._opening.is_choosing)
        for button in ("Y", "DPAD_DOWN", "DPAD_RIGHT", "B"):
            p.post(pygame.CONTROLLERBUTTONDOWN, button=getattr(pygame, f"CONTROLLER_BUTTON_{button}"), instance_id=0)
        p.until(lambda: p.game._kept.current.denoise_steps == 1 and not p.game._interlude.dialog)

    player.words = []
    for steps in (by_mouse, by_pad):
        player.game = None
        assert player.play_at_once(steps) == 0
    assert written(data_home) == {"denoise_steps": 1}


def test_in_play_the_world_rests_and_what_can_holds_at_once(player, data_home):
    def steps(p):
        p.post(pygame.KEYDOWN, key=pygame.K_w)
        p.frames(3)
        p.press(pygame.K_F10)
        p.until(lambda: p.worker.paused and not pygame.event.get_grab())
        count = len(p.engine.actions)
        for _ in range(2):
            p.press(pygame.K_DOWN)
        p.press(pygame.K_RIGHT)
        p.until(lambda: p.game._kept.current.sensitivity == 0.15)
        while p.game._interlude.dialog._row.label != "use":
            p.press(pygame.K_DOWN)
            p.until(lambda: not pygame.event.peek(pygame.KEYDOWN))
        p.press(pygame.K_RETURN)
        p.press(pygame.K_q)
        p.until(lambda: p.game._kept.current.keys)
        p.press(pygame.K_UP)
        assert len(p.engine.actions) == count
        p.press(pygame.K_ESCAPE)
        p.until(lambda: not p.worker.paused and pygame.event.get_grab())
        p.frames(3)
        assert p.engine.actions[-1].keys == ()  # W was let go of meanwhile
        p.post(pygame.MOUSEMOTION, rel=(100, 0), pos=(0, 0), buttons=(0, 0, 0))
        p.post(pygame.KEYDOWN, key=pygame.K_q)
        p.until(lambda: p.engine.actions[-1].keys == ("use",))
        p.press(pygame.K_e)
        p.frames(3)

    assert player.play(steps) == 0
    assert sum(action.mouse[0] for action in player.engine.actions) == pytest.approx(15.0)
    assert written(data_home) == {"sensitivity": 0.15, "keys": {"toy": {"use": ["q"]}}}
    player.engine.actions.clear()

    def again(p):
        p.post(pygame.KEYDOWN, key=pygame.K_q)
        p.until(lambda: p.engine.actions[-1].keys == ("use",))

    assert player.play(again) == 0


def test_a_pause_of_the_players_own_outlasts_it(player):
    def steps(p):
        p.press(pygame.K_p)
        p.until(lambda: p.worker.paused)
        p.press(pygame.K_F10)
        p.until(lambda: p.game._interlude.dialog)
        p.press(pygame.K_F10)
        p.until(lambda: not p.game._interlude.dialog)
        count = len(p.engine.actions)
        p.worker.post(lambda: p.worker.say("through"))
        p.until(lambda: p.note() == "through")
        assert p.worker.paused and len(p.engine.actions) == count

    assert player.play(steps) == 0
