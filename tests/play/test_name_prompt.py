"""Saves under a name that is typed in the window."""

import pygame
import pytest

from engine.play.hud import Hud
from engine.play.name_prompt import NamePrompt
from engine.play.saves import LONGEST_NAME, Saves


@pytest.fixture
def prompt(tmp_path):
    return NamePrompt(Saves(tmp_path), "toy", print)


def write(prompt, text):
    for letter in text:
        prompt.handle(pygame.event.Event(pygame.TEXTINPUT, text=letter))


def press(prompt, *keys):
    for key in keys:
        prompt.handle(pygame.event.Event(pygame.KEYDOWN, key=key))


def test_the_time_is_proposed_and_enter_takes_it(prompt, tmp_path):
    proposed = prompt.name
    assert proposed.startswith("save 20") and not Saves(tmp_path).fault(proposed)
    press(prompt, pygame.K_RETURN)
    assert not prompt.is_open and prompt.taken and prompt.name == proposed


def test_what_is_typed_replaces_the_proposal_or_goes_on_after_it(tmp_path, prompt):
    write(prompt, "Höhle 2 ")
    press(prompt, pygame.K_BACKSPACE, pygame.K_BACKSPACE)
    write(prompt, "7 ")
    press(prompt, pygame.K_RETURN)
    assert prompt.taken and prompt.name == "Höhle 7"
    longer = NamePrompt(Saves(tmp_path), "toy", print)
    press(longer, pygame.K_END)
    write(longer, " b")
    assert longer.name.endswith(" b") and longer.name.startswith("save 20")
    emptied = NamePrompt(Saves(tmp_path), "toy", print)
    press(emptied, pygame.K_BACKSPACE, pygame.K_RETURN)
    assert emptied.name == "" and emptied.is_open and "type a name" in emptied.note


def test_escape_takes_nothing(prompt):
    write(prompt, "a")
    press(prompt, pygame.K_ESCAPE)
    assert not prompt.is_open and not prompt.taken


def test_names_are_safe_file_names_of_bounded_length(prompt):
    write(prompt, "/../.a\\b:c*?\0\n-d")
    assert prompt.name == "abc-d" and "letters, digits" not in prompt.note
    write(prompt, "/")
    assert "letters, digits, spaces, dots and dashes" in prompt.note
    write(prompt, "x" * 100)
    assert len(prompt.name) == LONGEST_NAME and "at most" in prompt.note
    press(prompt, pygame.K_BACKSPACE)
    assert len(prompt.name) == LONGEST_NAME - 1 and not prompt.note


@pytest.mark.parametrize("name", ["autosave", "Autosave", "CON", "nul.old", "com1 .x"])
def test_names_that_mean_something_else_are_refused(prompt, name):
    write(prompt, name)
    press(prompt, pygame.K_RETURN)
    assert prompt.is_open and "type another name" in prompt.note


def test_an_earlier_save_is_written_over_only_when_enter_is_pressed_again(prompt, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.save").write_text("")
    write(prompt, "a")
    press(prompt, pygame.K_RETURN)
    assert prompt.is_open and "Enter again" in prompt.note
    write(prompt, "b")
    press(prompt, pygame.K_BACKSPACE, pygame.K_RETURN)
    assert prompt.is_open and "Enter again" in prompt.note
    press(prompt, pygame.K_RETURN)
    assert prompt.taken and prompt.name == "a"


def test_the_proposal_is_never_a_name_that_is_there(tmp_path):
    saves = Saves(tmp_path)
    (tmp_path / "toy").mkdir()
    saves.named("toy", saves.proposal("toy")).write_text("")
    assert not saves.named("toy", saves.proposal("toy")).exists()


def test_a_save_is_renamed_to_a_name_that_is_free(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.save").write_text("")
    old = tmp_path / "toy" / "autosave.save"
    unchanged, other = (NamePrompt(Saves(tmp_path), "toy", print, renames=old) for _ in range(2))
    assert unchanged.name == "autosave"
    press(unchanged, pygame.K_RETURN)
    assert not unchanged.is_open and not unchanged.taken
    write(other, "a")
    press(other, pygame.K_RETURN, pygame.K_RETURN)
    assert other.is_open and "type another name" in other.note
    write(other, "b")
    press(other, pygame.K_RETURN)
    assert other.taken and other.name == "ab"


def test_a_gamepad_chooses_letters(prompt):
    def stick(*keys):
        for key in keys:
            prompt.handle(pygame.event.Event(pygame.KEYDOWN, key=key, pad=True))

    press(prompt, pygame.K_DOWN)
    assert prompt.name.startswith("save 20")  # a keyboard's arrows choose none
    stick(pygame.K_DOWN, pygame.K_DOWN)
    assert prompt.name == "b"
    stick(pygame.K_UP, pygame.K_UP)
    assert prompt.name == "9"  # a name begins with a letter or a figure
    stick(pygame.K_RIGHT, pygame.K_UP, pygame.K_RIGHT, pygame.K_DOWN, pygame.K_DOWN)
    assert prompt.name == "9.c"
    stick(pygame.K_LEFT, pygame.K_DELETE, pygame.K_RETURN)
    assert prompt.taken and prompt.name == "9" and prompt._hint.startswith("A takes it")


def test_while_one_types_keys_are_letters_and_the_world_rests(player, tmp_path):
    saves = tmp_path / "data" / "mag-engine" / "saves" / "toy"

    def write_in_window(p, text):
        for letter in text:
            p.post(pygame.KEYDOWN, key=pygame.key.key_code("space" if letter == " " else letter))
            p.post(pygame.TEXTINPUT, text=letter)

    def steps(p):
        p.post(pygame.KEYDOWN, key=pygame.K_w)
        p.frames(2)
        p.press(pygame.K_F11)
        p.until(lambda: p.game._interlude.dialog and p.worker.paused)
        count, start = len(p.engine.actions), p.worker.view.start
        write_in_window(p, "prn few")  # pause, record, new start, fullscreen: all letters now
        p.until(lambda: p.game._interlude.dialog.name == "prn few")
        assert p.worker.paused and len(p.engine.actions) == count
        p.press(pygame.K_RETURN)
        p.until(lambda: p.note() == "saved to slot 'prn few'")
        p.frames(3)
        assert p.worker.view.start == start and p.worker.view.recording is None and p.engine.actions[-1].keys == ()
        p.press(pygame.K_F11)
        p.until(lambda: p.game._interlude.dialog)
        write_in_window(p, "e")
        p.press(pygame.K_ESCAPE)
        p.until(lambda: not p.game._interlude.dialog and not p.worker.paused)
        p.frames(3)
        p.press(pygame.K_F5)
        p.until(lambda: p.note() == "saved to slot 'quick'")

    assert player.play(steps) == 0
    assert sorted(path.stem for path in saves.iterdir()) == ["autosave", "prn few", "quick"]
    assert not any("use" in action.keys for action in player.engine.actions)


def test_what_a_click_does_in_play_is_not_said_while_one_types(player, monkeypatch):
    sentences, seen = Hud._sentences, []

    def noted(self, state, now):
        seen.append([words for words, _ in sentences(self, state, now)])
        return sentences(self, state, now)

    monkeypatch.setattr(Hud, "_sentences", noted)

    def hinted():
        return any("click to look around" in words for words in seen[-1])

    def steps(p):
        p.press(pygame.K_ESCAPE)
        p.until(hinted)
        p.press(pygame.K_F11)
        p.until(lambda: p.game._interlude.dialog and not hinted())
        p.press(pygame.K_ESCAPE)
        p.until(hinted)

    assert player.play(steps) == 0
