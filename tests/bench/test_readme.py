"""The README's tables come from the benches' JSON and nowhere else."""

import json
import re

import pytest

from engine.bench.readme import NOT_MEASURED, ROOT, fill, main, read_figures
from engine.errors import EngineError

FIGURES = {
    "meta": {"hardware": "2 CPU cores", "commit": "abc123"},
    "tables": {
        "codec": {"columns": ["maps", "PSNR, dB", "n"], "rows": [["test", 31.23456, 1000], ["a|b", None, 12345.6]]},
        "noted": {"columns": ["a"], "rows": [[True]], "note": "One seed."},
    },
}


def slot(name, shown=""):
    return f"before\n<!-- bench:{name} -->\n{shown}<!-- /bench -->\nafter\n"


@pytest.mark.parametrize("document", ["README.md", "docs/performance.md"])
def test_documents_are_in_sync_with_the_json(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert fill(text, read_figures(ROOT / "docs" / "bench.json")) == text


def test_a_table_is_filled_between_its_marks():
    assert fill(slot("codec", "old\n"), FIGURES) == slot(
        "codec",
        "| maps | PSNR, dB | n |\n| --- | ---: | ---: |\n| test | 31.23 | 1000 |\n| a\\|b | – | 12346 |\n",
    )


def test_notes_meta_and_what_is_not_measured():
    text = fill(slot("noted") + slot("meta") + slot("later"), FIGURES)
    assert "| a |\n| --- |\n| yes |\n\nOne seed.\n<!-- /bench -->" in text
    assert "- hardware: 2 CPU cores\n- commit: abc123\n" in text
    assert f"<!-- bench:later -->\n{NOT_MEASURED}\n<!-- /bench -->" in text


def test_filling_twice_changes_nothing():
    once = fill(slot("codec") + slot("meta") + slot("noted"), FIGURES)
    assert fill(once, FIGURES) == once


@pytest.mark.parametrize(
    "text",
    [
        "<!-- bench:codec -->\n",
        "<!-- /bench -->\n",
        "<!-- bench:codec -->\n<!-- bench:noted -->\n<!-- /bench -->\n",
        "<!-- bench codec -->\n<!-- /bench -->\n",
        slot("codec") + "<!-- /bench -->",
    ],
)
def test_marks_that_do_not_pair_up_are_refused(text):
    with pytest.raises(EngineError, match="is not followed by"):
        fill(text, FIGURES)


def test_a_ragged_table_is_refused():
    ragged = {"meta": {}, "tables": {"codec": {"columns": ["a", "b"], "rows": [[1]]}}}
    with pytest.raises(EngineError, match=re.escape("table 'codec' has 2 columns, and a row of 1: [1]")):
        fill(slot("codec"), ragged)


@pytest.mark.parametrize("text", ["[]", "{}", '{"meta": {}}', '{"meta": [], "tables": {}}', "{"])
def test_a_malformed_json_is_refused(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(EngineError, match=re.escape(str(tmp_path / "bench.json"))):
        read_figures(tmp_path / "bench.json")


def test_the_command_fills_and_checks(tmp_path, capsys):
    readme, figures = tmp_path / "README.md", tmp_path / "bench.json"
    readme.write_text(slot("codec"))
    figures.write_text(json.dumps(FIGURES))
    words = [f"readme={readme}", f"json={figures}"]
    assert main([*words, "check=true"]) == 2
    assert "not in sync" in capsys.readouterr().err
    assert readme.read_text() == slot("codec")
    assert main(words) == 0
    assert readme.read_text() == fill(slot("codec"), FIGURES)
    assert main([*words, "check=true"]) == 0


def test_the_command_answers_errors_with_one_sentence(tmp_path, capsys):
    for words in ([f"readme={tmp_path / 'none.md'}"], ["redme=x"], [f"json={tmp_path}"]):
        assert main(words) == 2
        assert capsys.readouterr().err.count("\n") == 1
