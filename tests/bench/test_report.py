"""The one JSON: what a run writes, and how runs of other benches, machines and checkpoints stand beside one another."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.bench import report
from engine.bench.__main__ import main
from engine.bench.readme import fill, read_figures
from engine.bench.report import Found, Scores, merge, percentiles, table
from engine.errors import EngineError


def run(**facts: str) -> dict[str, str]:
    keys = ("hardware", "software", "precision", "checkpoint", "commit", "date")
    return dict.fromkeys(keys, "same") | facts


def test_a_later_run_replaces_its_own_bench_alone(tmp_path):
    path = tmp_path / "docs" / "bench.json"
    merge(path, "codec", Found({"codec": table(["a", "b"], [["x", 1.0]])}, {"psnr": 1.0}), run())
    merge(path, "drift", Found({"drift": table(["a"], [["y"]])}), run(hardware="GPU"))
    merge(path, "codec", Found({"codec": table(["a", "b"], [["x", 2.0]])}, {"psnr": 2.0}), run())
    merge(path, "codec", Found({"codec": table(["a", "b"], [["x", 3.0]])}), run(), suffix="-gpu")
    figures = read_figures(path)
    assert figures["tables"]["codec"]["rows"] == [["x", 2.0]]
    assert figures["tables"]["codec-gpu"]["rows"] == [["x", 3.0]]
    assert figures["figures"]["codec"]["psnr"] == 2.0
    assert figures["meta"]["hardware"] == "same (codec, codec-gpu); GPU (drift)"
    assert figures["meta"]["commit"] == "same"
    assert "| x | 2 |" in fill("<!-- bench:codec -->\n<!-- /bench -->\n", figures)


def test_an_unwritable_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot (be read|write)|cannot be read"):
        merge(tmp_path / "file" / "bench.json", "codec", Found({}), run())


def test_columns_without_values_are_left_out():
    found = table(["name", "psnr", "flip"], [["a", 1.0, None], ["b", None, None]], "Note.")
    assert found == {"columns": ["name", "psnr"], "rows": [["a", 1.0], ["b", None]], "note": "Note."}


def test_percentiles_by_hand():
    found = percentiles(list(range(1, 102)))
    assert found == {"p50_ms": 51.0, "p95_ms": 96.0, "p99_ms": 100.0, "fps": 19.61}


def test_scores_keep_sequences_apart(make_subject):
    scores = Scores(make_subject())
    frames = np.zeros((2, 3, 16, 16, 3), np.uint8)
    scores.add("same", frames, frames)
    scores.add("same", frames[:1], frames[:1] + 255)
    found = scores.figures()["same"]
    assert found["psnr_by_sequence"] == [report.CEILING, report.CEILING, 0.0]
    assert (found["psnr"], found["frames"], found["flip"]) == (40.0, 9, None)
    assert scores.means("same")[0] == 40.0


def test_the_command_writes_what_it_measured(words, toy_footage, tmp_path):
    assert main(["codec", "replay", *words]) == 0
    figures = read_figures(tmp_path / "bench.json")
    assert set(figures["tables"]) == {"codec", "replay"}
    facts = figures["figures"]["replay"]["run"]
    assert facts["command"].startswith("python -m engine.bench codec replay ")
    assert len(facts["checkpoint"]) == 64
    assert "threads" in facts["hardware"]
    text = json.dumps(figures)
    assert str(tmp_path) not in text.replace(facts["command"], "")  # settings name no place of this machine
    assert main(["bench=next-frame", *words]) == 0
    assert set(read_figures(tmp_path / "bench.json")["tables"]) == {"codec", "replay", "next-frame"}


@pytest.mark.parametrize(
    ("words", "says"),
    [(["codecs"], "codecs"), (["codec.framess=3"], "framess"), (["codec", "checkpoint=dooom"], "doom")],
)
def test_errors_are_one_sentence(words, says, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
