"""What is wrong with a training's settings or footage is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.train.__main__ import main
from tests.toy import HERE, TINY, record_play
from tests.train.test_stages import train


def test_recordings_of_another_world_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_play(tmp_path / "footage", 0, 20)
    assert main(["world=doom", f"footage={tmp_path / 'footage'}", f"out={tmp_path}", "device=cpu"]) == 2
    assert "is a recording of world 'toy', not of 'doom'" in capsys.readouterr().err


def test_wrong_settings_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stage=codecs"]) == 2
    assert "codecs" in capsys.readouterr().err
    assert main([f"world={HERE}", f"footage={tmp_path}", f"out={tmp_path}", "device=cpu", *TINY]) == 2
    assert "no footage" in capsys.readouterr().err
    for stage in ("ship", "latents"):
        assert train(tmp_path, stage, 0, "none") == 2
        assert "no checkpoint in" in capsys.readouterr().err
    assert not (tmp_path / "none" / "shipped").exists()
