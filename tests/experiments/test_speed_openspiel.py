"""The comparison with OpenSpiel's loops, in small."""

import csv
import json
import math

import pytest

from experiments.lab import page as lab
from experiments.speed.comparisons import ROWS, Comparison
from experiments.speed.openspiel import Config, compare, page

SMALL = ["--quick", "--repeats", "1", "--simulations", "20"]
SMALL += ["--rows", "kuhn", "psro_kuhn_nash"]


def main(*words: str) -> int:
    return lab.main(page, Config, [*SMALL, *words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "run"
    assert main("--out", str(out)) == 0
    return out


def test_both_sides_are_timed_and_judged(folder):
    result = json.loads((folder / "comparison.json").read_text())
    assert list(result["rows"]) == ["kuhn", "psro_kuhn_nash"]
    for row in result["rows"].values():
        assert row["theirs_seconds"] > 0 and row["ours_seconds"] > 0
        assert row["ratio"] == row["theirs_seconds"] / row["ours_seconds"]
        assert row["ratio_without_build"] > row["ratio"]
        assert row["ours_statuses"] == ["OK"]
        for side in ("ours", "theirs"):  # Kuhn poker is zero-sum, uniform play 11/12
            assert row[f"{side}_value_sum"] == pytest.approx(0.0, abs=1e-9)
            assert 0 <= row[f"{side}_gap"] < 0.9
    jpsro, psro = result["rows"].values()
    assert jpsro["rounds"] == 10 // 3 + 1 and psro["rounds"] == 15 // 3
    assert jpsro["ours_eval_gap"] >= 0 and "ours_eval_gap" not in psro
    assert result["means"]["jpsro_ratio"] == pytest.approx(jpsro["ratio"])


def test_the_table_is_written_in_every_form(folder):
    with open(folder / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["kuhn", "psro_kuhn_nash"]
    assert float(rows[0]["ratio"]) > 0
    text = (folder / "table.md").read_text()
    assert "| kuhn | 4 |" in text and "geometric mean, jpsro:" in text
    assert json.loads((folder / "env.json").read_text())["versions"]["open_spiel"]


def test_resuming_keeps_finished_rows(folder, capsys):
    kept = json.loads((folder / "rows" / "kuhn.json").read_text())
    del kept["seal"]  # it binds the file to the run, and is no part of the row
    (folder / "rows" / "psro_kuhn_nash.json").unlink()
    assert main("--out", str(folder), "--resume", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"]["kuhn"] == kept
    assert (folder / "rows" / "psro_kuhn_nash.json").exists()


def test_an_unknown_row_is_one_sentence(tmp_path, capsys):
    words = ["--rows", "khun", "--out", str(tmp_path / "x")]
    assert lab.main(page, Config, words) == 2
    assert "did you mean 'kuhn'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_what_openspiel_throws_is_a_result():
    row = Comparison(
        game="kuhn_poker", iterations=1, ours="uniform", theirs="no_such_method"
    )
    result = compare(row, Config(repeats=1, simulations=1))
    assert "NotImplementedError" in result.theirs_failed
    assert "ratio" not in result.record and math.isfinite(result.ours_gap)


def test_every_game_of_the_table_loads():
    from metaspiel.games.openspiel import load

    assert {load(row.game).num_players() for row in ROWS.values()} == {2, 3}
