"""The same benches on hand-made maps: footage, names and what counts as an episode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench import clips, report
from engine.bench.clips import episodes
from engine.errors import RecordingError


def test_hand_made_maps_have_footage_and_names_of_their_own(make_subject, monkeypatch):
    asked, record = [], clips.record_all
    monkeypatch.setattr(clips, "record_all", lambda settings: asked.append(settings) or record(settings))
    generated, campaign = make_subject(), make_subject(wad="/somewhere/else/mine.wad", map="MAP01,MAP02", suffix="-gpu")
    assert generated.settings.label == ""
    assert campaign.settings.label == "-mine-map01-map02-gpu"
    for subject in (generated, campaign):
        assert len(episodes(subject, {"revisit": 1.0}, 2, 60, 10)) == 2
    assert [(settings.wad, settings.map) for settings in asked] == [
        ("", ""),
        ("/somewhere/else/mine.wad", "MAP01,MAP02"),
    ]
    assert asked[0].out != asked[1].out
    assert report.describe_run(campaign, "")["settings"]["wad"] == "mine.wad"


def test_an_episode_that_met_an_exit_counts_if_it_had_its_return(make_subject, monkeypatch):
    subject, record = make_subject(wad="mine.wad"), clips.record_all
    monkeypatch.setattr(clips, "record_all", lambda settings: record(replace(settings, frames=settings.frames - 10)))
    assert len(episodes(subject, {"revisit": 1.0}, 2, 60, 10)) == 2
    with pytest.raises(RecordingError, match="0 episodes"):
        episodes(subject, {"homes": 1.0}, 2, 60)
