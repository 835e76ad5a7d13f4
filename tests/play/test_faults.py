"""Saves that cannot be gone on from: which they are, and what is said of them."""

import json
import os

import pygame
import pytest
import torch

from engine import checkpoint
from engine.data import savefile
from engine.play.cards import Cards, save_cards
from engine.play.faults import faults
from engine.play.shelf import Weights, shelved, weights
from engine.play.title import MOST_SAVES, Title

OWN, OTHER = Weights("toy", "cafe"), Weights("toy", "beef")


def save(path, made_with=OWN, age_s=0):
    """A save with nothing in it but a picture; the older ones have the greater age."""
    frame = torch.full((48, 80, 3), 90, dtype=torch.uint8)
    savefile.write(path, {"frame": frame}, {"world": made_with.world, "checkpoint_hash": made_with.digest})
    os.utime(path, (10_000 - age_s, 10_000 - age_s))
    return path


@pytest.fixture
def kept(tmp_path):
    """One save of each kind, by its name."""
    (tmp_path / "torn.save").write_text("nothing")
    kinds = {"own": OWN, "old": Weights("toy", "0ld"), "tuned": OTHER, "foreign": Weights("quake", "cafe")}
    paths = [save(tmp_path / f"{name}.save", made_with) for name, made_with in kinds.items()]
    return [*paths, tmp_path / "torn.save", tmp_path / "gone.save"]


def test_each_fault_is_said_in_one_sentence_without_a_path(kept, tmp_path):
    found = {path.stem: fault for path, fault in faults(kept, OWN, {OWN: "Toy", OTHER: "Toy, tuned"}).items()}
    assert {name: fault.mark for name, fault in found.items()} == {
        "old": "another checkpoint",
        "tuned": "another checkpoint",
        "foreign": "another world",
        "torn": "cannot be read",
        "gone": "cannot be read",
    }
    assert "'Toy, tuned': turn to that world" in found["tuned"].says and "world=FOLDER" in found["old"].says
    for name, fault in found.items():
        assert f"{name!r}" in fault.says and str(tmp_path) not in fault.says and len(fault.says) < 120


def test_before_the_weights_are_known_only_what_cannot_be_read_is_at_fault(kept):
    assert [path.stem for path in faults(kept, None, {})] == ["torn", "gone"]


def test_weights_are_told_by_the_manifest_that_is_loaded(tmp_path):
    shipped = checkpoint.read_manifest(checkpoint.find("doom"))
    assert weights("doom") == Weights(shipped.world, shipped.digest)
    assert weights(str(tmp_path)) is None
    for file in ("checkpoint/manifest.json", "manifest.json"):  # the second goes before the first
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(json.dumps({"world": "toy", "digest": file}))
        assert weights(str(tmp_path)) == Weights("toy", file)
        assert checkpoint.find(tmp_path) == (tmp_path / file).parent
    (tmp_path / "manifest.json").write_text("{")
    assert weights(str(tmp_path)) is None


def test_faulty_saves_stand_behind_the_others_and_never_crowd_out_the_start_scenes(tmp_path):
    doom = shelved("doom")
    assert doom

    def labels(good, bad):
        bads = [save(tmp_path / f"bad {number}.save", OTHER) for number in range(bad)]
        goods = [save(tmp_path / f"good {number}.save") for number in range(good)]
        found = faults([*bads, *goods], OWN, {})
        title = Title([doom], doom, [*bads, *goods], "machine", found)
        assert not title._home.current.fault and len(title._saves.all) == good + bad
        return [card.label for card in title._home.all[: MOST_SAVES + 1]], title._home.selected

    assert labels(2, 1)[0][:4] == ["good 0", "good 1", "bad 0", "Start 0"]
    assert labels(0, 1)[0][:2] == ["bad 0", "Start 0"] and labels(0, 1)[1] == 1
    assert labels(0, 30)[0][:5] == ["bad 0", "bad 1", "bad 2", "All saves", "Start 0"]
    assert labels(12, 30)[0] == [*(f"good {number}" for number in range(7)), "All saves", "Start 0"]
    assert labels(6, 2)[0][5:] == ["good 5", "bad 0", "bad 1", "Start 0"]


def test_a_faulty_save_looks_dimmer_than_it_was(surface, tmp_path):
    path = save(tmp_path / "a.save", OTHER)

    def brightness(found):
        cards = Cards(save_cards([path], found), (80, 48))
        cards.draw(surface, surface.get_rect())
        assert cards._reader
        cards._reader.join()
        cards.draw(surface, surface.get_rect())
        return surface.get_at(cards.all[0].place.move(8, 8).topleft)[0]

    assert brightness(faults([path], OWN, {})) < brightness({}) == 90


@pytest.mark.parametrize("has_others", [True, False])
def test_enter_never_picks_an_older_checkpoints_autosave_and_choosing_it_says_why(player, tmp_path, has_others):
    folder = tmp_path / "s" / "doom"  # the window's world is doom, the engine's a toy that stands in for it
    folder.mkdir(parents=True)
    stale = save(folder / "autosave.save", OTHER)

    def title(p):
        return p.game._opening._title

    def is_refused(p):
        return p.game._opening._note.startswith("'autosave' opens only") and p.game._opening.is_choosing

    def choose_it(p):
        p.until(lambda: p.game and title(p) and title(p).weights == OWN and title(p)._corner.width)
        assert title(p)._cards.selected == 1 and title(p)._cards.all[0].save == stale
        pad = {"instance_id": 0}
        moves = {
            "keyboard": lambda: (p.press(pygame.K_HOME), p.press(pygame.K_RETURN)),
            "mouse": lambda: p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=title(p)._cards.all[0].place.center),
            "gamepad": lambda: [
                p.post(pygame.CONTROLLERBUTTONDOWN, button=getattr(pygame, f"CONTROLLER_BUTTON_{button}"), **pad)
                for button in ("DPAD_LEFT", "A")
            ],
            "menu": lambda: (p.press(pygame.K_HOME), p.press(pygame.K_DELETE), p.press(pygame.K_RETURN)),
        }
        for move in moves.values():
            move()
            p.until(lambda: is_refused(p))
            p.press(pygame.K_RIGHT)
            p.until(lambda: not p.game._opening._note and title(p)._cards.selected == 1)
            assert not player.engine.starts and not p.note()
        p.press(pygame.K_RETURN)
        p.frames(3)

    def enter(p):
        p.until(lambda: p.game and title(p) and title(p).weights == OWN)
        p.press(pygame.K_RETURN)
        p.frames(3)

    def restore(path):
        restored.append(path.stem)
        return player.engine.reset(2)

    restored, player.engine.restore = [], restore
    player.words = [f"saves={tmp_path / 's'}"]
    if has_others:
        save(folder / "mine.save", age_s=60)
    assert player.play_at_once(enter if has_others else choose_it) == 0
    assert (restored, player.engine.starts) == ((["mine"], [2]) if has_others else ([], [0]))
