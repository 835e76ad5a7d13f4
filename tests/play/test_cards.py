"""Cards: every one can be reached, and their pictures come from files that are whole."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pygame
import pytest
import torch

from engine.data import savefile
from engine.play.cards import Card, Cards, save_cards
from tests.play.player import until

PICTURE = np.arange(48 * 80 * 3, dtype=np.uint8).reshape(48, 80, 3)


@pytest.fixture
def surface():
    pygame.display.init()
    pygame.font.init()
    yield pygame.display.set_mode((640, 384))
    pygame.display.quit()


def key(code):
    return pygame.event.Event(pygame.KEYDOWN, key=code)


def save(folder: Path, name: str, age_s: float = 0.0) -> Path:
    path = savefile.write(folder / f"{name}.save", {"frame": torch.from_numpy(PICTURE)}, {})
    written = time.time() - age_s
    os.utime(path, (written, written))
    return path


@pytest.mark.parametrize("size", [(200, 120), (320, 192), (640, 384), (1900, 1000)])
def test_every_card_comes_into_sight_by_keys_pages_and_the_wheel(surface, size):
    surface = pygame.Surface(size)
    room = pygame.Rect(0, size[1] // 6, size[0], size[1] * 2 // 3)
    steps = {
        "key": key(pygame.K_RIGHT),
        "row": key(pygame.K_DOWN),
        "page": key(pygame.K_PAGEDOWN),
        "wheel": pygame.event.Event(pygame.MOUSEWHEEL, y=-1),
    }
    for event in steps.values():
        cards, seen = Cards([Card(f"place {number}") for number in range(50)], (320, 192)), set()
        for _ in range(50):
            cards.draw(surface, room)
            seen |= {card.label for card in cards.all if card.place.size != (0, 0)}
            chosen = cards.all[cards.selected].place
            assert room.contains(chosen) and chosen.width >= 48
            cards.handle(event)
        assert len(seen) == 50
        cards.handle(key(pygame.K_HOME))
        cards.draw(surface, room)
        assert cards.handle(key(pygame.K_RETURN)) is cards.all[0] and cards.all[0].place.width


def test_saves_show_what_was_seen_last_and_when(surface, tmp_path):
    (tmp_path / "broken.save").write_text("nothing")
    paths = [save(tmp_path, "new"), save(tmp_path, "old", 400 * 86400), save(tmp_path, "branch 2026-11-28 10.00.00")]
    cards = Cards(save_cards([*paths, tmp_path / "broken.save", tmp_path / "gone.save"], {}), (80, 48))

    def all_read():
        cards.draw(surface, surface.get_rect())
        return all(card.picture or card.file is None for card in cards.all)

    until(all_read)
    assert [card.picture is not None for card in cards.all] == [True] * 3 + [False] * 2
    assert cards.all[0].picture
    assert np.array_equal(pygame.surfarray.array3d(cards.all[0].picture), PICTURE.transpose(1, 0, 2))
    assert [card.fault and card.fault.mark for card in cards.all] == [None] * 3 + ["cannot be read"] * 2
    assert [card.fault.says.partition(";")[0] for card in cards.all[3:] if card.fault] == [
        "'broken' is not a saved session, or is cut off",
        "cannot read the saved session 'gone': No such file or directory",
    ]
    assert [len(card.when) for card in cards.all[:3]] == [5, 11, 0] and ":" in cards.all[0].when


def test_only_pictures_in_sight_are_read(surface, tmp_path):
    cards = Cards(save_cards([save(tmp_path, f"place {number}") for number in range(30)], {}), (80, 48))
    cards.draw(surface, surface.get_rect())
    until(lambda: cards._reader and not cards._reader.is_alive())
    assert 12 <= sum(card.picture is not None for card in cards.all) <= 16


def test_a_list_of_saves_does_not_wait_for_torch(tmp_path):
    path = save(tmp_path, "mine")
    code = "import sys; sys.modules['torch'] = None; from engine.data.savefile import describe; describe(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
