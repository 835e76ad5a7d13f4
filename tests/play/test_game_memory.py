"""Memory and recordings in the window, and replays of what was done there."""

import json
import re

import pygame

from engine.data.recording import open_recording
from engine.model.recall import Recall
from engine.play import app


def test_a_recording_begun_in_mid_play_is_replayed_from_there(player, tmp_path, capsys):
    def steps(p):
        p.post(pygame.KEYDOWN, key=pygame.K_w)
        p.frames(10)
        p.press(pygame.K_r)
        p.frames(10)

    assert player.play(lambda p: p.frames(10), f"record={tmp_path / 'r'}") == 0
    player.engine.actions.clear()
    assert player.play(steps) == 0
    (mid,) = tmp_path.glob("recordings/toy-*")
    assert json.loads((mid / "recording.json").read_text())["first_frame"] > 0
    for folder in (tmp_path / "r", mid):
        assert app.main([f"replay={folder}"], player.engine.load) == 0
    assert len(re.findall("all .* frames are the same", capsys.readouterr().out)) == 2


def test_m_turns_memory_off_and_on_and_a_replay_does_so_too(player, tmp_path, capsys):
    def steps(p):
        for says in ("memory is off", "memory is on", "memory is off"):
            p.press(pygame.K_m)
            p.until(lambda says=says: says in p.note())
            p.frames(5)
        assert not p.engine.draw()[..., 0].any() and not p.worker.view.info["memory_on"]

    assert player.play(steps, f"record={tmp_path / 'r'}") == 0
    recalls = open_recording(tmp_path / "r").recalls
    assert [recall["on"] for recall in recalls.values()] == [False, True, False] and min(recalls) > 1
    assert app.main([f"replay={tmp_path / 'r'}"], player.engine.load) == 0
    assert "frames are the same\n" in capsys.readouterr().out
    lines = (tmp_path / "r" / "actions.jsonl").read_text()
    (tmp_path / "r" / "actions.jsonl").write_text(lines.replace('"on": true', '"on": "x"'))
    assert app.main([f"replay={tmp_path / 'r'}"], player.engine.load) == 2
    err = capsys.readouterr().err
    assert "is damaged at frame" in err and err.count("\n") == 1


def test_attention_is_measured_while_the_panel_is_open_and_only_then(player):
    def weights(p):
        return [one.weight for one in p.worker.view.memory.attended] if p.worker.view.memory else []

    def steps(p):
        p.press(pygame.K_F3)
        p.until(lambda: weights(p))
        p.frames(3)
        assert weights(p) == [None] * 4 and not p.engine.weighs
        p.press(pygame.K_F6)
        p.until(lambda: weights(p) == [0.0, 0.1, 0.2, 0.3])
        p.press(pygame.K_F6)
        p.until(lambda: weights(p) == [None] * 4)
        p.frames(2)
        assert not p.engine.weighs

    assert player.play(steps) == 0


def test_memories_are_pinned_and_forgotten_by_clicks_of_the_free_mouse(player, tmp_path, capsys):
    def click(p, button, says, entry=None):
        def spots():
            return {spot: place for place, spot in p.game._hud.memory._spots}

        p.until(lambda: entry in spots() if entry is not None else p.game._hud.memory._take_back)
        place = p.game._hud.memory._take_back if entry is None else spots()[entry]
        p.post(pygame.MOUSEBUTTONDOWN, button=button, pos=place.center)
        p.until(lambda: says in p.note())
        p.frames(2)

    def steps(p):
        p.press(pygame.K_F6)
        p.press(pygame.K_ESCAPE)
        click(p, 1, "memory 4 is pinned: always", 4)
        click(p, 3, "memory 2 is forgotten", 2)
        p.until(lambda: [one.entry for one in p.worker.view.memory.attended] == [0, 4, 6])
        click(p, 1, "memory 0 is pinned: always", 0)
        click(p, 1, "at most 2", 6)
        click(p, 1, "memory 4 is pinned no more", 4)
        assert not pygame.event.get_grab() and p.engine.recall == Recall(True, (0,), (2,))
        click(p, 1, "may be remembered again")
        assert p.engine.recall == Recall(True, (0,), ())
        p.press(pygame.K_F6)
        p.until(lambda: p.worker.view.memory is None)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=(p.game.window.area.centerx, p.game.window.area.bottom - 30))
        p.until(pygame.event.get_grab)

    assert player.play(steps, f"record={tmp_path / 'r'}") == 0
    assert app.main([f"replay={tmp_path / 'r'}"], player.engine.load) == 0
    assert "frames are the same\n" in capsys.readouterr().out
