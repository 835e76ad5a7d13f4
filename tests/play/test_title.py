"""The title screen in the window: worlds, saves and start scenes to choose from."""

import pygame
import pytest

from engine.play.title import Title


def test_the_title_screen_offers_starts_and_goes_on_from_the_last_save(player, tmp_path):
    saves = tmp_path / "s"

    def choose_second_start(p):
        p.until(lambda: p.worker and p.worker.engine and pygame.display.get_init() and pygame.display.get_surface())
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_RETURN)
        p.frames(10)
        p.press(pygame.K_F5)
        p.until(lambda: "saved" in p.note())

    def continue_the_save(p):
        p.until(lambda: p.worker and p.worker.engine)
        p.press(pygame.K_RETURN)
        p.until(lambda: "no saved session" in p.note() or "is not a saved" in p.note())
        p.press(pygame.K_DOWN)
        p.press(pygame.K_UP)
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_RETURN)
        p.frames(3)

    player.words = [f"saves={saves}"]
    assert player.play_at_once(choose_second_start) == 0
    assert player.engine.starts == [1]
    count = player.engine.count
    (saves / "doom").mkdir()  # the window's world is doom, the engine's a toy that stands in for it
    (saves / "toy" / "autosave.save").rename(saves / "doom" / "autosave.save")
    (saves / "doom" / "broken.save").write_text("nothing")
    assert player.play_at_once(continue_the_save) == 0
    assert player.engine.starts == [1] and player.engine.count >= count + 3


def test_a_click_chooses_and_escape_leaves_the_title_screen(player, monkeypatch):
    titles = []
    draw = Title.draw
    monkeypatch.setattr(Title, "draw", lambda self, surface: (titles.append(self), draw(self, surface)))

    def click(p):
        p.until(lambda: titles and titles[-1]._cards[2].place.width and titles[-1]._cards[11].picture)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=titles[-1]._cards[2].place.center)
        p.frames(3)

    def leave(p):
        p.until(lambda: titles)
        p.press(pygame.K_ESCAPE)

    player.words = []
    assert player.play_at_once(click) == 0 and player.engine.starts == [2]
    titles.clear()
    assert player.play_at_once(leave) == 0 and player.engine.starts == [2]


def test_a_gamepad_chooses_walks_looks_and_rewinds(player):
    pad = {"instance_id": 0}

    def steps(p):
        p.until(lambda: p.worker and p.worker.engine and pygame.display.get_surface())
        p.post(pygame.CONTROLLERBUTTONDOWN, button=pygame.CONTROLLER_BUTTON_DPAD_RIGHT, **pad)
        p.post(pygame.CONTROLLERBUTTONDOWN, button=pygame.CONTROLLER_BUTTON_A, **pad)
        p.frames(5)
        p.post(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_LEFTY, value=-32768, **pad)
        p.post(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_RIGHTX, value=32767, **pad)
        p.frames(40)
        p.post(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_TRIGGERLEFT, value=32767, **pad)
        p.until(lambda: p.engine.count < 20)
        p.post(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_TRIGGERLEFT, value=0, **pad)
        p.until(lambda: p.note().endswith("s back") and not p.worker._rewinding)

    player.words = []
    assert player.play_at_once(steps) == 0
    assert player.engine.starts == [1]
    walked = [action for action in player.engine.actions if action.keys == ("forward",)]
    assert len(walked) > 30 and walked[20].mouse[0] == pytest.approx(220 / player.engine.world.rate)
