"""An episode on disk: what is written is what is read, and anything less than whole is refused."""

import json
import re

import numpy as np
import pytest

from engine.data.episode import Episode, find_episodes, open_episode, write_episode
from engine.errors import RecordingError

NUM_FRAMES, HEIGHT, WIDTH, ACTION_SIZE, NUM_COLOURS = 5, 4, 6, 3, 7


def arrays(palette=False, num_frames=NUM_FRAMES):
    rng = np.random.default_rng(0)
    shape = (num_frames, HEIGHT, WIDTH) if palette else (num_frames, HEIGHT, WIDTH, 3)
    found = {
        "frames": rng.integers(0, NUM_COLOURS, shape, dtype=np.uint8),
        "actions": rng.normal(size=(num_frames, ACTION_SIZE)).astype(np.float32),
        "poses": rng.normal(size=(num_frames, 4)).astype(np.float32),
    }
    if palette:
        found["palette"] = rng.integers(0, 256, (NUM_COLOURS, 3), dtype=np.uint8)
    return found


def test_rgb_frames_come_back_exactly(tmp_path):
    written = arrays()
    written["poses"][2] = np.nan
    write_episode(tmp_path / "a", **written, meta={"world": "toy", "seed": 3})
    episode = open_episode(tmp_path / "a")
    assert isinstance(episode, Episode)
    assert len(episode) == NUM_FRAMES
    assert episode.meta == {"world": "toy", "seed": 3, "format": 1, "num_frames": NUM_FRAMES}
    np.testing.assert_array_equal(episode.frames(), written["frames"])
    np.testing.assert_array_equal(episode.actions, written["actions"])
    np.testing.assert_array_equal(episode.poses, written["poses"])
    assert episode.palette is None
    assert (episode.actions.dtype, episode.poses.dtype) == (np.float32, np.float32)


def test_palette_frames_come_back_as_rgb(tmp_path):
    written = arrays(palette=True)
    write_episode(tmp_path / "a", **written, meta={})
    frames = open_episode(str(tmp_path / "a")).frames()
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, written["palette"][written["frames"]])


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 4), (3, None), (-2, None), (4, 99), (2, 2)])
def test_a_range_of_frames_is_that_part_of_all(tmp_path, palette, start, stop):
    write_episode(tmp_path, **arrays(palette), meta={})
    episode = open_episode(tmp_path)
    part = episode.frames(start, stop)
    np.testing.assert_array_equal(part, episode.frames()[start:stop])
    assert part.shape[1:] == (HEIGHT, WIDTH, 3)


def test_frames_stay_on_disk_until_asked_for(tmp_path):
    write_episode(tmp_path, **arrays(), meta={})
    assert isinstance(open_episode(tmp_path).stored, np.memmap)


def test_writing_again_replaces_the_whole_episode(tmp_path):
    write_episode(tmp_path, **arrays(palette=True), meta={"seed": 1})
    write_episode(tmp_path, **arrays(num_frames=2), meta={"seed": 2})
    episode = open_episode(tmp_path)
    assert (len(episode), episode.palette, episode.meta["seed"]) == (2, None, 2)


def test_meta_cannot_contradict_the_arrays(tmp_path):
    write_episode(tmp_path, **arrays(), meta={"num_frames": 99, "format": 99})
    assert open_episode(tmp_path).meta["num_frames"] == NUM_FRAMES


def test_find_lists_whole_episodes_only_sorted(tmp_path):
    for name in ("b/2", "a", "b/1"):
        write_episode(tmp_path / name, **arrays(), meta={})
    write_episode(tmp_path / "half", **arrays(), meta={})
    (tmp_path / "half" / "episode.json").unlink()
    assert find_episodes(tmp_path) == [tmp_path / "a", tmp_path / "b/1", tmp_path / "b/2"]
    assert find_episodes(tmp_path / "none") == []


@pytest.mark.parametrize("broken", ["frames.npy", "actions.npy", "poses.npy", "palette.npy", "episode.json"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "garbled"])
def test_a_damaged_file_is_refused(tmp_path, broken, damage):
    write_episode(tmp_path, **arrays(palette=True), meta={})
    whole = (tmp_path / broken).read_bytes()
    damaged = {"truncated": whole[:-5], "emptied": b"", "garbled": b"PK\x03\x04" + whole[4:]}[damage]
    (tmp_path / broken).write_bytes(damaged)
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path))) as caught:
        open_episode(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["frames.npy", "actions.npy", "poses.npy", "episode.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    write_episode(tmp_path, **arrays(), meta={})
    (tmp_path / missing).unlink()
    with pytest.raises(RecordingError, match=re.escape(f"there is no {missing}")):
        open_episode(tmp_path)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(RecordingError, match="is not a whole episode"):
        open_episode(tmp_path / "none")


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    write_episode(tmp_path, **arrays(), meta={})
    np.save(tmp_path / "actions.npy", np.array([{"a": 1}] * NUM_FRAMES), allow_pickle=True)
    with pytest.raises(RecordingError):
        open_episode(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "format [] is not 1"),
        ("{}", "format None is not 1"),
        ('{"format": 2, "num_frames": 5}', "format 2 is not 1"),
        ('{"format": 1}', "5 frames, not None"),
        ('{"format": 1, "num_frames": 4}', "5 frames, not 4"),
        ('{"format": 1, "num_frames": 4', "is not a whole episode"),
    ],
)
def test_a_wrong_episode_json_is_refused(tmp_path, text, says):
    write_episode(tmp_path, **arrays(), meta={})
    (tmp_path / "episode.json").write_text(text)
    with pytest.raises(RecordingError, match=re.escape(says)):
        open_episode(tmp_path)


CHANGES = [
    ({"actions": np.zeros((NUM_FRAMES - 1, ACTION_SIZE), np.float32)}, "5 frames, 4 actions and 5 poses"),
    ({"poses": np.zeros((NUM_FRAMES + 1, 4), np.float32)}, "5 frames, 5 actions and 6 poses"),
    ({"poses": np.zeros((NUM_FRAMES, 3), np.float32)}, "poses [num_frames, 4]"),
    ({"actions": np.zeros(NUM_FRAMES, np.float32)}, "actions are [num_frames, action size]"),
    ({"frames": np.zeros((NUM_FRAMES, HEIGHT, WIDTH), np.uint8)}, "frames without a palette"),
    ({"frames": np.zeros((NUM_FRAMES, HEIGHT, WIDTH, 4), np.uint8)}, "frames without a palette"),
    ({"frames": np.zeros((NUM_FRAMES, HEIGHT, WIDTH, 3), np.float32)}, "frames are uint8, not float32"),
    ({"palette": np.zeros((9, 3), np.uint8)}, "frames with a palette"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES)
def test_arrays_that_make_no_episode_are_not_written(tmp_path, change, says):
    with pytest.raises(RecordingError, match=re.escape(says)):
        write_episode(tmp_path / "a", **{**arrays(), **change}, meta={})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("change", "says"), CHANGES)
def test_arrays_that_make_no_episode_are_not_read(tmp_path, change, says):
    write_episode(tmp_path, **arrays(), meta={})
    for name, array in change.items():
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(RecordingError, match=re.escape(says)):
        open_episode(tmp_path)


def test_an_episode_without_frames_is_not_written(tmp_path):
    with pytest.raises(RecordingError, match="0 frames"):
        write_episode(tmp_path / "a", **arrays(num_frames=0), meta={})


def test_a_colour_outside_the_palette_is_damage(tmp_path):
    written = arrays(palette=True)
    written["frames"][3, 0, 0] = NUM_COLOURS
    write_episode(tmp_path, **written, meta={})
    episode = open_episode(tmp_path)
    assert episode.frames(0, 3).shape == (3, HEIGHT, WIDTH, 3)
    with pytest.raises(RecordingError, match=f"colour {NUM_COLOURS} of {NUM_COLOURS}"):
        episode.frames(3)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=re.escape(f"cannot write an episode to {tmp_path / 'file' / 'a'}")):
        write_episode(tmp_path / "file" / "a", **arrays(), meta={})


def test_episode_json_is_written_last(tmp_path, monkeypatch):
    write_episode(tmp_path, **arrays(), meta={})
    monkeypatch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RecordingError, match="No space left on device"):
        write_episode(tmp_path, **arrays(), meta={})
    assert find_episodes(tmp_path) == []
    assert "episode.json.part" not in [path.name for path in tmp_path.iterdir()]


def test_meta_is_plain_json(tmp_path):
    write_episode(tmp_path, **arrays(), meta={"flavour": "static"})
    assert json.loads((tmp_path / "episode.json").read_text())["flavour"] == "static"
