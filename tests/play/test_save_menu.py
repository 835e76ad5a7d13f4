"""Saves renamed and deleted on the title screen, by keyboard, mouse and gamepad; never by one key alone."""

import os
from pathlib import Path

import pygame
import pytest
import torch

from engine.data import savefile
from engine.errors import SaveError
from engine.play.cards import Card
from engine.play.save_menu import Act, SaveMenu
from engine.play.saves import Saves
from engine.play.shelf import shelved
from engine.play.title import Asked, Title

MADE_WITH = {"checkpoint_hash": "cafe"}  # as the window's engine says


def press(menu, *keys):
    for key in keys:
        menu.handle(pygame.event.Event(pygame.KEYDOWN, key=key))
    return menu


@pytest.mark.parametrize(
    "keys, chosen",
    [
        ([], Act.PLAY),
        ([pygame.K_DOWN], Act.RENAME),
        ([pygame.K_DOWN] * 3, None),
        ([pygame.K_DOWN] * 2, "asks"),
        ([pygame.K_DOWN] * 2 + [pygame.K_RETURN], None),
        ([pygame.K_DOWN] * 2 + [pygame.K_RETURN, pygame.K_DOWN], Act.DELETE),
    ],
)
def test_a_save_is_deleted_only_after_it_was_asked_again(keys, chosen):
    menu = press(SaveMenu(Card("a", save=Path("a.save"))), *keys, pygame.K_RETURN)
    assert menu.is_open if chosen == "asks" else not menu.is_open and menu.chosen is chosen
    assert press(SaveMenu(Card("a", save=Path("a.save"))), *keys, pygame.K_ESCAPE).chosen is None


@pytest.mark.parametrize("size", [(200, 120), (960, 576), (1920, 1080)])
def test_it_is_clicked_where_it_is_drawn(surface, size):
    menu = SaveMenu(Card("a" * 40, save=Path("a" * 40 + ".save"), when="12 Nov 10:20"))
    menu.draw(pygame.Surface(size), pygame.Rect((0, 0), size))
    menu.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=menu._places[2].center, button=1))
    assert menu.is_open
    menu.draw(pygame.Surface(size), pygame.Rect((0, 0), size))
    menu.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=menu._places[1].center, button=1))
    assert not menu.is_open and menu.chosen is Act.DELETE


def test_the_title_screen_asks_about_saves_alone(surface, tmp_path):
    doom = shelved("doom")
    assert doom
    title = Title([doom], doom, [tmp_path / "a.save"], "machine")
    title.draw(surface)
    clicks = [
        pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=card.place.center, button=3) for card in title._cards.all[:2]
    ]
    delete = pygame.event.Event(pygame.KEYDOWN, key=pygame.K_DELETE)
    assert title.handle(delete) is Asked.SAVE and title.handle(clicks[0]) is Asked.SAVE
    assert title.handle(clicks[1]) is None and title.handle(delete) is None
    title.handle(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_LEFT))
    beside = pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=(1, 1), button=3)
    assert title.handle(beside) is None


def test_what_cannot_be_renamed_or_deleted_is_said(tmp_path):
    saves = Saves(tmp_path)
    (tmp_path / "a.save").write_text("a")
    (tmp_path / "b.save").write_text("b")
    with pytest.raises(SaveError, match="there already"):
        saves.rename(tmp_path / "a.save", "b")
    for change in (lambda: saves.rename(tmp_path / "c.save", "d"), lambda: saves.delete(tmp_path / "c.save")):
        with pytest.raises(SaveError, match="'c' cannot be"):
            change()
    assert saves.rename(tmp_path / "a.save", "d.e").read_text() == "a"
    saves.delete(tmp_path / "d.e.save")
    assert [path.name for path in tmp_path.iterdir()] == ["b.save"]


@pytest.fixture
def kept(tmp_path):
    """Ten saves of the window's world, p9 the newest."""
    folder = tmp_path / "s" / "doom"
    folder.mkdir(parents=True)
    for number in range(10):
        path = folder / f"p{number}.save"
        savefile.write(path, {"frame": torch.zeros(48, 80, 3, dtype=torch.uint8)}, {"world": "toy", **MADE_WITH})
        os.utime(path, (1000 + number, 1000 + number))
    return folder


def test_saves_are_renamed_and_deleted_in_the_window(player, kept, tmp_path):
    def dialog(p):
        return p.game._interlude.dialog

    def steps(p):
        p.until(lambda: p.game and p.game._opening._title.weights.digest == MADE_WITH["checkpoint_hash"])
        p.press(pygame.K_DELETE)
        p.until(lambda: isinstance(dialog(p), SaveMenu))
        for key in (pygame.K_DOWN, pygame.K_RETURN):
            p.press(key)
        p.until(lambda: dialog(p) and not isinstance(dialog(p), SaveMenu))
        p.post(pygame.TEXTINPUT, text="best")
        p.press(pygame.K_RETURN)
        p.until(lambda: (kept / "best.save").exists() and "best" in p.game._opening._note)
        title = p.game._opening._title
        assert title.save.save == kept / "best.save" and not (kept / "p9.save").exists()
        p.press(pygame.K_END)
        for key in (*[pygame.K_HOME], *[pygame.K_RIGHT] * 7, pygame.K_RETURN, pygame.K_END):
            p.press(key)  # to all saves, the oldest
        pad = {"instance_id": 0}
        p.until(lambda: title.save and title.save.save == kept / "p0.save")
        p.post(pygame.CONTROLLERBUTTONDOWN, button=pygame.CONTROLLER_BUTTON_X, **pad)
        p.until(lambda: isinstance(dialog(p), SaveMenu))
        for button in ("DPAD_DOWN", "DPAD_DOWN", "A", "DPAD_DOWN", "A"):
            p.post(pygame.CONTROLLERBUTTONDOWN, button=getattr(pygame, f"CONTROLLER_BUTTON_{button}"), **pad)
        p.until(lambda: not (kept / "p0.save").exists())
        p.until(lambda: p.game._opening._title.save.save == kept / "p1.save")  # still among all saves
        p.press(pygame.K_ESCAPE)
        p.until(lambda: p.game._opening._title._cards is p.game._opening._title._home)

    player.words = [f"saves={tmp_path / 's'}"]
    assert player.play_at_once(steps) == 0
    assert sorted(path.stem for path in kept.iterdir()) == ["best", *(f"p{number}" for number in range(1, 9))]
