"""Curves show the figures of the JSON where they belong."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from engine.bench.plots import HEIGHT, LEFT, LEGEND, TOP, WIDTH, curves, draw, main
from engine.errors import EngineError


def scores(*psnr: float) -> dict:
    return {name: {"psnr": value, "psnr_by_frame": [value, value - 1]} for name, value in zip("ab", psnr, strict=False)}


FIGURES = {
    "meta": {},
    "tables": {},
    "figures": {
        "revisit": {"run": {}, "1024": {"scores": scores(20.0)}, "16": {"scores": scores(24.0, 18.0)}},
        "drift": {"statistics": ["contrast"], "by_second": {"own": [[1.0], [2.0]], "real": [[3.0], [4.0]]}},
    },
}


def test_lines_are_the_figures():
    found = curves(FIGURES)
    assert set(found) == {"revisit_gaps", "revisit_16", "revisit_1024", "drift_contrast"}
    assert found["revisit_gaps"][3] == {"a": [(16.0, 24.0), (1024.0, 20.0)], "b": [(16.0, 18.0)]}
    assert found["revisit_16"][3]["b"] == [(1.0, 18.0), (2.0, 17.0)]
    assert found["drift_contrast"][3] == {"generated": [(0.0, 1.0), (1.0, 2.0)], "real": [(0.0, 3.0), (1.0, 4.0)]}
    assert curves({"meta": {}, "tables": {}}) == {}
    assert curves(FIGURES, "-gpu") == {}


def test_points_stand_between_the_axes():
    picture = draw("Revisit <1>", "gap", "PSNR", {"a": [(16, 10), (64, 30), (4096, 20)]})
    ElementTree.fromstring(picture)
    right, bottom = WIDTH - LEGEND, HEIGHT - TOP
    path = re.search(r'polyline points="([^"]+)"', picture)
    assert path is not None
    spots = [tuple(float(n) for n in spot.split(",")) for spot in path[1].split()]
    middle = ((LEFT + right) / 2, TOP)
    assert spots == [(LEFT, bottom), middle, (right, (TOP + bottom) / 2)]


def test_one_value_alone_can_be_drawn_and_none_cannot():
    ElementTree.fromstring(draw("One", "x", "y", {"a": [(0, 5)]}))
    with pytest.raises(EngineError, match="no figures"):
        draw("None", "x", "y", {"a": []})


def test_the_command_draws_all(tmp_path, capsys):
    (tmp_path / "bench.json").write_text(json.dumps(FIGURES))
    words = [f"json={tmp_path / 'bench.json'}", f"media={tmp_path / 'media'}"]
    assert main(words) == 0
    assert len(list((tmp_path / "media").glob("bench_*.svg"))) == 4
    (tmp_path / "bench.json").write_text("{")
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
