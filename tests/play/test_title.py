"""The title screen in the window: worlds, saves and start scenes to choose from."""

import pygame
import pytest

from engine.data.starts import Start, starts_folder, write_start
from engine.play.cards import Card
from engine.play.shelf import shelf, shelved
from engine.play.title import Asked, Title
from tests.toy import HERE, play


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
        p.until(lambda: p.worker and p.worker.engine and p.game._opening._title.weights.digest == "cafe")
        p.press(pygame.K_RIGHT)
        p.press(pygame.K_RETURN)
        p.until(lambda: "'broken' is not a saved session" in p.game._opening._note)
        p.press(pygame.K_DOWN)
        p.press(pygame.K_UP)
        p.press(pygame.K_LEFT)
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
        p.until(lambda: titles and titles[-1]._cards.all[2].place.width and titles[-1]._cards.all[11].picture)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=titles[-1]._cards.all[2].place.center)
        p.frames(3)

    def leave(p):
        p.until(lambda: titles)
        p.press(pygame.K_ESCAPE)

    player.words = []
    assert player.play_at_once(click) == 0 and player.engine.starts == [2]
    titles.clear()
    assert player.play_at_once(leave) == 0 and player.engine.starts == [2]


def test_the_newest_saves_stand_first_and_a_card_leads_to_all(tmp_path):
    pygame.display.init()
    pygame.font.init()
    surface = pygame.display.set_mode((640, 384))
    doom = shelved("doom")
    assert doom

    def title(num_saves):
        made = Title([doom], doom, [tmp_path / f"place {number}.save" for number in range(num_saves)], "machine")
        made.draw(surface)
        return made

    def press(title, *keys):
        chosen = [title.handle(pygame.event.Event(pygame.KEYDOWN, key=key)) for key in keys]
        title.draw(surface)
        return chosen[-1]

    few = title(8)
    assert [card.save is not None for card in few._cards.all[:9]] == [True] * 8 + [False]
    many = title(40)
    assert [card.label for card in many._cards.all[6:9]] == ["place 6", "All saves", "Start 0"]
    assert press(many, *[pygame.K_RIGHT] * 7, pygame.K_RETURN) is None
    last = press(many, pygame.K_END, pygame.K_RETURN)
    assert (
        isinstance(last, Card) and last.save == tmp_path / "place 39.save" and surface.get_rect().contains(last.place)
    )
    assert press(many, pygame.K_ESCAPE) is None and press(many, pygame.K_ESCAPE) is Asked.LEAVE
    many.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=many._cards.all[7].place.center))
    many.draw(surface)
    assert len(many._cards.all) == 40
    many.handle(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=many._corner.center))
    assert len(many._cards.all) == 8 + doom_starts(doom)


def doom_starts(one):
    return len(list(starts_folder(one.world).glob("*/start.json")))


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


@pytest.fixture
def games(tmp_path):
    """Games of one's own, of which one has no weights yet and one is no game."""
    for name in ("lamp", "pole", "untrained"):
        folder = tmp_path / "games" / name
        folder.mkdir(parents=True)
        text = (HERE / "world.yaml").read_text().replace("name: toy", f"name: {name}")
        (folder / "world.yaml").write_text(text.replace("Toy panorama", name.capitalize()))
        frames, actions, poses = play(0, 7)
        write_start(folder / "starts" / "00", Start(frames, actions, poses, "00"), {})
    for folder in ("games/lamp/checkpoint", "games/pole"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "manifest.json").write_text("{}")
    (tmp_path / "games" / "broken").mkdir()
    (tmp_path / "games" / "broken" / "world.yaml").write_text("name: [")
    return tmp_path / "games"


def test_trained_games_of_ones_own_stand_beside_the_shipped_world(games):
    doom, lamp = shelved("doom"), shelved(str(games / "lamp"))
    assert doom and lamp and shelved("nowhere") is None and shelved(str(games / "broken")) is None
    assert [one.world.title for one in shelf(games, doom)] == ["Doom", "Lamp", "Pole"]
    assert [one.world.title for one in shelf(games, lamp)] == ["Lamp", "Doom", "Pole"]
    assert [one.name for one in shelf(games / "none", doom)] == ["doom"]


def test_other_weights_for_a_shipped_world_stand_beside_it(games):
    for name, told in (
        ("tuned", '{"world": "doom"}'),
        ("foreign", '{"world": "quake"}'),
        ("torn", "{"),
        ("odd", "[1]"),
    ):
        (games / name).mkdir()
        (games / name / "manifest.json").write_text(told)
    doom, tuned = shelved("doom"), shelved(str(games / "tuned"))
    assert doom and tuned and tuned.world == doom.world
    assert [one.title for one in shelf(games, doom)] == ["Doom", "Lamp", "Pole", "Doom, tuned"]
    assert [one.title for one in shelf(games, tuned)] == ["Doom, tuned", "Doom", "Lamp", "Pole"]
    assert not any(shelved(str(games / name)) for name in ("foreign", "torn", "odd"))


def test_a_game_of_ones_own_is_chosen_and_started(player, games):
    def by_key(p):
        p.until(lambda: p.worker and pygame.display.get_init() and pygame.display.get_surface())
        p.press(pygame.K_TAB)
        p.until(lambda: p.engine.loaded[1:] and p.worker.engine)
        assert p.game._opening._title._current.world.name == "lamp" and len(p.game._opening._title._cards.all) == 1
        p.press(pygame.K_RETURN)
        p.frames(3)

    def by_click(p):
        p.until(lambda: p.game and p.game._opening._title and len(p.game._opening._title._names) == 3)
        p.post(pygame.MOUSEBUTTONDOWN, button=1, pos=p.game._opening._title._names[2].center)
        p.until(lambda: p.engine.loaded[1:])
        p.press(pygame.K_RETURN)
        p.frames(3)

    player.words = []
    for steps, name in ((by_key, "lamp"), (by_click, "pole")):
        player.game = None
        player.engine.loaded.clear()
        player.engine.starts.clear()
        assert player.play_at_once(steps) == 0
        assert player.engine.loaded == ["doom", str(games / name)] and player.engine.starts == [0]


def test_a_game_of_ones_own_named_on_the_command_line_has_a_title_screen(player, games):
    def steps(p):
        p.until(lambda: p.game and p.game._opening._title and p.game._opening._title._names)
        assert p.game._opening._title._current.world.name == "lamp"
        p.press(pygame.K_RETURN)
        p.frames(3)

    player.words = ["world=games/lamp"]
    assert player.play_at_once(steps) == 0
    assert player.engine.loaded == ["games/lamp"] and player.engine.starts == [0]
