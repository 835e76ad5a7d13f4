"""The menu over the frame: all that the window's keys do, and the way back to the title screen."""

import pygame
import pytest

from engine.play.play_menu import Leave, PlayMenu


def press(menu, *keys):
    for key in keys:
        menu.handle(pygame.event.Event(pygame.KEYDOWN, key=key))


def test_every_item_is_reached_and_says_what_it_chooses(surface):
    seen = []
    for count in range(40):
        menu = PlayMenu(has_title=True)
        press(menu, *[pygame.K_DOWN] * count, pygame.K_RETURN)
        assert not menu.is_open
        seen += [] if menu.chosen in seen else [menu.chosen]
    assert seen[0] is None and seen[-2:] == [Leave.TITLE, Leave.QUIT]
    assert {pygame.K_F5, pygame.K_F9, pygame.K_m, pygame.K_TAB, pygame.K_F7, pygame.K_F10} < set(seen)
    assert not {pygame.K_ESCAPE, pygame.K_BACKSPACE} & set(seen)
    across = PlayMenu(has_title=False)
    press(across, *[pygame.K_DOWN] * 3, pygame.K_RIGHT, pygame.K_RIGHT, pygame.K_LEFT)
    assert across._selected == 3 and not any(item.value is Leave.TITLE for item in across._items)
    press(across, pygame.K_ESCAPE)
    assert not across.is_open and across.chosen is None


@pytest.mark.parametrize("size", [(200, 120), (320, 192), (960, 576), (1920, 1080)])
def test_it_fits_the_window_and_is_clicked(surface, size):
    menu = PlayMenu(has_title=True)
    menu.draw(pygame.Surface(size), pygame.Rect((0, 0), size))
    assert all(pygame.Rect((0, 0), size).contains(place) for place in menu._places) or size[0] < 300
    menu.handle(pygame.event.Event(pygame.MOUSEMOTION, pos=menu._places[4].center))
    assert menu.is_open and menu._selected == 4
    menu.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=menu._places[-1].center, button=1))
    assert not menu.is_open and menu.chosen is Leave.QUIT


def test_the_menu_rests_the_world_and_does_what_its_keys_do(player):
    def steps(p):
        p.press(pygame.K_RETURN)
        p.until(lambda: p.worker.paused)
        p.press(pygame.K_DOWN)  # record on, off
        p.press(pygame.K_RETURN)
        p.until(lambda: not p.worker.paused and p.worker.view.recording)
        p.frames(3)
        p.press(pygame.K_RETURN)
        p.until(lambda: p.worker.paused)
        p.press(pygame.K_ESCAPE)
        p.until(lambda: not p.worker.paused)
        p.frames(2)
        p.press(pygame.K_RETURN)
        for _ in range(30):
            p.press(pygame.K_DOWN)
        p.press(pygame.K_RETURN)  # quit
        p.until(lambda: p.engine.closed)

    assert player.play(steps) == 0


def test_one_goes_back_to_the_title_screen_and_plays_again(player, tmp_path):
    def steps(p):
        p.until(lambda: p.worker and p.worker.engine and pygame.display.get_surface())
        p.press(pygame.K_RETURN)
        p.frames(5)
        assert pygame.event.get_grab()
        leave(p)
        assert not pygame.event.get_grab() and not p.engine.closed
        count = len(p.engine.actions)
        assert (
            any(card.label == "autosave" for card in p.game._opening._title._cards.all) or p.engine.world.name == "toy"
        )
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_RETURN)
        p.until(lambda: p.engine.starts == [0, 1])
        p.frames(5)
        assert len(p.engine.actions) >= count + 5 and p.worker.view.recording is None

    def leave(p):
        p.press(pygame.K_RETURN)
        p.until(lambda: p.worker.paused)
        for key in (*[pygame.K_DOWN] * 30, pygame.K_UP, pygame.K_RETURN):
            p.press(key)
        p.until(lambda: p.game._opening.is_choosing and p.game._keymap is None)

    player.words = [f"saves={tmp_path / 's'}"]
    assert player.play_at_once(steps) == 0
    assert [path.name for path in (tmp_path / "s" / "toy").iterdir()] == ["autosave.save"]


def test_a_gamepad_goes_through_the_menu_with_its_stick(player):
    pad = {"instance_id": 0}

    def stick(p, value):
        p.post(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_LEFTY, value=value, **pad)

    def steps(p):
        p.post(pygame.CONTROLLERBUTTONDOWN, button=pygame.CONTROLLER_BUTTON_START, **pad)
        p.until(lambda: p.worker.paused)
        stick(p, 30000)
        stick(p, 32767)  # pushed once, however far
        p.until(lambda: p.game._interlude.dialog and p.game._interlude.dialog._selected == 1)
        p.until(lambda: p.game._interlude.dialog._selected == 3)  # held: on and on
        stick(p, 0)
        p.post(pygame.CONTROLLERBUTTONDOWN, button=pygame.CONTROLLER_BUTTON_B, **pad)
        p.until(lambda: not p.worker.paused)
        p.frames(3)
        assert not any(action.keys for action in p.engine.actions)
        stick(p, -32768)
        p.until(lambda: p.engine.actions[-1].keys == ("forward",))
        stick(p, 0)
        p.until(lambda: not p.engine.actions[-1].keys)

    assert player.play(steps) == 0


def test_another_device_chosen_in_play_is_loaded_on_the_title_screen(player):
    def steps(p):
        p.until(lambda: p.worker and p.worker.engine and pygame.display.get_surface())
        p.press(pygame.K_RETURN)
        p.frames(3)
        p.press(pygame.K_F10)
        p.until(lambda: p.worker.paused)
        for key in (pygame.K_DOWN, pygame.K_RIGHT, pygame.K_ESCAPE):
            p.press(key)
        p.until(lambda: "once you come from the title screen" in p.note() and not p.worker.paused)
        assert p.engine.asked == [("auto", None)]
        p.press(pygame.K_RETURN)
        p.until(lambda: p.worker.paused)
        for key in (*[pygame.K_DOWN] * 30, pygame.K_UP, pygame.K_RETURN):
            p.press(key)
        p.until(lambda: len(p.engine.asked) == 2)
        p.until(lambda: p.worker.engine)
        p.press(pygame.K_RETURN)
        p.frames(3)

    player.words = []
    assert player.play_at_once(steps) == 0
    assert player.engine.asked == [("auto", None), ("auto", 1)]
