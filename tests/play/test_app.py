"""The command: headless and in a window without a screen, and every failure one sentence and exit code 2."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from engine.data.recording import open_recording
from engine.model.recall import Recall
from engine.play import app
from engine.play.game import Game
from engine.play.title import Title
from engine.play.window import Window
from engine.play.worker import Worker


def test_headless_plays_records_and_says_how_fast(engine, tmp_path, capsys):
    script = tmp_path / "s.yaml"
    script.write_text("- {keys: [forward], mouse: [6, 0], frames: 2}\n- {}\n")
    engine.step_s = 0.005
    words = ["headless=true", "frames=30", f"script={script}", f"record={tmp_path / 'r'}", "seed=4", "start=1"]
    assert app.main(words, engine.load) == 0
    out = capsys.readouterr().out
    told = re.search(r"30 frames in [\d.]+ s: ([\d.]+) frames/s overall, ([\d.]+) frames/s median", out)
    assert told and 5 < float(told[1]) < 200 and 5 < float(told[2]) < 200
    assert re.search(r"latency p50 [\d.]+ ms, p95 [\d.]+ ms", out)
    assert [len(action.keys) for action in engine.actions] == [1, 1, 0] * 10
    assert engine.starts == [1] and engine.closed
    read = open_recording(tmp_path / "r")
    assert len(read) == 31 and read.meta["seed"] == 4
    assert np.array_equal(read.actions[1:], [engine.world.action_spec.encode(action) for action in engine.actions])


def test_headless_has_a_tour_of_its_own(engine):
    assert app.main(["headless=true", "frames=60"], engine.load) == 0
    assert {action.keys for action in engine.actions} > {("forward",)} or len(set(engine.actions)) > 1


def test_headless_needs_no_pygame():
    code = (
        "import sys; sys.path.insert(0, 'tests/play'); sys.modules['pygame'] = None\n"
        "from conftest import FakeEngine; from engine.play.app import main\n"
        "raise SystemExit(main(['headless=true', 'frames=2'], FakeEngine().load))"
    )
    root = Path(app.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frame=3"], "unknown setting 'frame'; did you mean 'frames'?"),
        (["frames=many"], "frames"),
        (["frames=0"], "at least 1, not 0"),
        (["start=-1"], "at least 0, not -1"),
        (["sensitivity=nan"], "a number above 0, not nan"),
        (["scaling=blurred"], "one of smooth, sharp, whole, not 'blurred'"),
        (["scale=0"], "a number above 0, not 0"),
        (["script=/none.yaml"], "cannot read the script /none.yaml"),
        (["world=nowhere"], "there is no world 'nowhere'"),
        (["start=7"], "starts 0 to 2"),
        (["record=/dev/null/r"], "cannot record to /dev/null/r"),
    ],
)
@pytest.mark.parametrize("headless", ["true", "false"])
def test_every_error_is_one_sentence_and_exit_code_2(engine, capsys, words, says, headless):
    assert app.main([f"headless={headless}", "title=false", *words], engine.load) == 2
    err = capsys.readouterr().err
    assert says in err and err.startswith("play: ") and err.count("\n") == 1
    assert "Traceback" not in err


def test_a_fault_of_the_engine_is_one_sentence_too(engine, capsys):
    engine.fails_at, engine.failure = 3, MemoryError("no room")
    for headless in ("true", "false"):
        assert app.main([f"headless={headless}", "title=false"], engine.load) == 2
        err = capsys.readouterr().err
        assert "MemoryError: no room" in err and err.count("\n") == 1


@pytest.fixture
def recorded(engine, tmp_path):
    """A short recording, and its folder."""
    assert app.main(["headless=true", "frames=12", "start=1", "seed=5", f"record={tmp_path / 'r'}"], engine.load) == 0
    return tmp_path / "r"


def test_a_replay_says_whether_every_frame_is_the_same(engine, recorded, capsys):
    capsys.readouterr()
    assert app.main([f"replay={recorded}"], engine.load) == 0
    assert capsys.readouterr().out == "all 13 frames are the same\n"
    assert engine.starts == [1, 1] and engine.seed == 5
    rows = (recorded / "actions.jsonl").read_text().splitlines()
    rows[7] = json.dumps({**json.loads(rows[7]), "digest": "0" * 16})
    (recorded / "actions.jsonl").write_text("\n".join(rows))
    assert app.main([f"replay={recorded}"], engine.load) == 1
    assert "12 of 13 frames are the same, frame 7 is not" in capsys.readouterr().out
    engine.device, engine.checkpoint_hash = "cuda", "beef"
    assert app.main([f"replay={recorded}"], engine.load) == 1
    said = "not the same replay: checkpoint was cafe, is beef; device was cpu, is cuda; 12 of 13"
    assert capsys.readouterr().out.startswith(said) and engine.closed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"world": "other"}, "is a recording of world 'other', not of 'toy'"),
        ({"start": 9}, "start 9: this world has starts 0 to 2"),
        ({"first_frame": 9}, "begins at frame 9 of its session"),
        ({"mouse_limits": [4.0]}, "other actions"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(engine, recorded, capsys, change, says):
    meta = json.loads((recorded / "recording.json").read_text())
    (recorded / "recording.json").write_text(json.dumps({**meta, **change}))
    assert app.main([f"replay={recorded}"], engine.load) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_exports_come_from_the_command(engine, recorded, capsys):
    capsys.readouterr()
    assert app.main([f"export={recorded}", "format=gif", "every=3"], engine.load) == 0
    assert capsys.readouterr().out == f"exported to {recorded / 'export.gif'}\n"
    assert app.main([f"export={recorded}", "format=avi"], engine.load) == 2
    assert "exported as gif, mp4, png, not 'avi'" in capsys.readouterr().err


def test_help_prints_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        app.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for name in app.Settings.__dataclass_fields__:
        assert f"\n  {name}=" in out
        assert name in app.ABOUT or name in ("device", "seed", "hud"), f"{name} is explained nowhere"


def test_no_display_is_one_sentence(engine, capsys, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    assert app.main([], engine.load) == 2
    err = capsys.readouterr().err
    assert "no window can be opened" in err and "headless=true" in err and err.count("\n") == 1


class Player:
    """A thread that plays: presses keys, and waits for what they do."""

    def __init__(self, engine):
        self.engine = engine
        self.failure: BaseException | None = None
        self.worker: Any = None
        self.game: Any = None
        self.words = ["title=false"]

    def until(self, condition, timeout_s=5.0):
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "it never came"
            time.sleep(0.002)

    def frames(self, count):
        """Wait for so many more frames."""
        goal = len(self.engine.actions) + count
        self.until(lambda: len(self.engine.actions) >= goal)

    def note(self):
        """What the window says."""
        return self.worker.note.text

    def post(self, kind, **values):
        pygame.event.post(pygame.event.Event(kind, values))

    def press(self, key):
        self.post(pygame.KEYDOWN, key=key)
        self.post(pygame.KEYUP, key=key)

    def play(self, steps, *words):
        """main's exit code after a window in which `steps(self)` was played once frames came, then closed."""

        def begun(player):
            player.until(lambda: len(player.engine.actions) > 2)
            steps(player)

        return self.play_at_once(begun, *words)

    def play_at_once(self, steps, *words):
        """The same without waiting for frames."""
        self.worker = None

        def run():
            try:
                steps(self)
            except BaseException as failure:
                self.failure = failure
            finally:
                with contextlib.suppress(pygame.error):  # closed already
                    self.post(pygame.QUIT)

        thread = threading.Thread(target=run)
        thread.start()
        code = app.main([*self.words, *words], self.engine.load)
        thread.join()
        if self.failure:
            raise self.failure
        return code


@pytest.fixture
def player(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for recordings/
    made = Player(engine)
    begin = Worker.start
    monkeypatch.setattr(Worker, "start", lambda worker: (setattr(made, "worker", worker), begin(worker)))
    run = Game.run
    monkeypatch.setattr(Game, "run", lambda game: (setattr(made, "game", game), run(game))[1])
    return made


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
    assert capsys.readouterr().out.count("recorded ") == 2


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


@pytest.mark.parametrize("slot", ["../x", ".x", "a/b", "x" * 61])
def test_a_slot_that_is_no_name_is_refused(engine, capsys, slot):
    assert app.main([f"slot={slot}"], engine.load) == 2
    assert "a slot's name" in capsys.readouterr().err


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
    monkeypatch.setattr(Window, "draw_frame", lambda self, frame: (sizes.add(self.area.size), draw_frame(self, frame)))

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
