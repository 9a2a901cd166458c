"""Population exploitability and the value of the game on the pages."""

import json
from itertools import pairwise

import pytest

import metaspiel
from experiments.compare import __main__ as compare
from experiments.lab.page import main
from experiments.psro import __main__ as psro
from experiments.psro import pictures
from metaspiel.games.zero_sum import Pools

ASK = "--population-exploitability"


def call(*words, page=psro):
    return main(page.page, page.Config, [str(word) for word in words])


def test_rows_have_what_no_mixture_does_better_than(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("experiments.psro.report.write_report", lambda *given: None)
    one, two = tmp_path / "one", tmp_path / "two"
    words = ("--game", "kuhn_poker", "--solver", "nash_lp", "--quiet", ASK)
    assert call(*words, "--iterations", 4, "--out", one) == 0
    assert call(*words, "--iterations", 2, "--out", two) == 0
    assert call("--resume", "--out", two, "--iterations", 4, "--quiet") == 0
    whole, resumed = metaspiel.load_run(one), metaspiel.load_run(two)
    least = whole.metrics.column("population_exploitability")
    assert least == resumed.metrics.column("population_exploitability")
    assert all(a >= b - 1e-9 for a, b in pairwise(least))
    gaps = whole.metrics.column("gap")
    assert all(p <= gap / 2 + 1e-9 for p, gap in zip(least, gaps, strict=True))
    mixture = whole.mixture
    assert least[-1] == pytest.approx(Pools(mixture.form, mixture.plans).exploitability)
    assert whole.summary["population_exploitability"] == least[-1]
    assert whole.summary["game_values"] == pytest.approx([-1 / 18, 1 / 18])
    seconds = whole.metrics[-1]["cpu_seconds"]
    assert seconds["population"] > 0
    # What is measured steers nothing.
    assert call(*words[:-1], "--iterations", 4, "--out", tmp_path / "plain") == 0
    plain = metaspiel.load_run(tmp_path / "plain")
    assert plain.metrics.column("gap") == gaps
    assert plain.metrics[-1]["population_exploitability"] is None
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--game", "kuhn_poker(players=3)", ASK), "exactly 2 players; got 3"),
        (("--game", "first_sealed_auction", ASK), "must be zero-sum"),
        (("--oracle", "ddqn", ASK), "must go with --oracle exact or --referee"),
        (("--game", "kuhn_poker(players=3)", "--selection", ASK[2:].replace("-", "_")),
         "--selection population_exploitability: the game must have exactly 2"),
        (("--oracle", "ddqn", "--selection", ASK[2:].replace("-", "_")),
         "--selection population_exploitability: the policies must be known"),
        (("--oracle", "ddqn", "--solver", "anytime"), "Anytime: the policies must"),
    ],
)  # fmt: skip
def test_what_it_is_not_for_is_one_sentence(words, sentence, tmp_path, capsys):
    out = tmp_path / "run"
    assert call(*words, "--out", out) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1 and not out.exists()


def test_a_report_draws_the_value_and_what_mixtures_attain(tmp_path, monkeypatch):
    drawn = []
    made = pictures.pictures
    monkeypatch.setattr(
        "experiments.psro.report.pictures",
        lambda *given: drawn.extend(made(*given)) or [],
    )
    words = ("--game", "kuhn_poker", "--solver", "nash_lp", "--iterations", 2, ASK)
    assert call(*words, "--out", tmp_path / "run", "--quiet") == 0
    by_name = {one.name: one.chart.panels[0] for one in drawn}
    rules = [(rule.name, rule.y, rule.dash) for rule in by_name["value"].rules]
    assert [name for name, _, _ in rules] == [
        "value of the game, player 0", "value of the game, player 1",
    ]  # fmt: skip
    assert [y for _, y, _ in rules] == pytest.approx([-1 / 18, 1 / 18])
    assert {dash for _, _, dash in rules} == {"dashed"}
    assert pictures.LEAST in [series.name for series in by_name["gap"].series]
    drawn.clear()
    monkeypatch.setattr("experiments.psro.reference.MOST_ENDS", 10)
    assert call(*words[:-1], "--out", tmp_path / "large", "--quiet") == 0
    by_name = {one.name: one.chart.panels[0] for one in drawn}
    assert not by_name["value"].rules


def test_compare_has_a_column(tmp_path, capsys):
    out = tmp_path / "out"
    words = ("--games", "kuhn_poker", "kuhn_poker(players=3)", "--solvers", "uniform",
             "--seeds", 2, "--iterations", 3, "--quiet", "--out", out)  # fmt: skip
    assert call(*words, ASK, "--json", page=compare) == 0
    capsys.readouterr()
    cells = [json.loads(p.read_text()) for p in sorted((out / "cells").iterdir())]
    values = [c.get("value", c) for c in cells]
    least = {
        (v["game"], v["seed"]): v["curves"]["population_exploitability"] for v in values
    }
    assert set(least["kuhn_poker(players=3)", 0]) == {None}
    assert len(least["kuhn_poker", 1]) == 4 and None not in least["kuhn_poker", 1]
    said = [v["caveats"] for v in values if v["game"] != "kuhn_poker"]
    assert all("exactly 2 players; got 3" in " ".join(one) for one in said)
    assert "population exploitability" in (out / "table.md").read_text()


@pytest.mark.slow
def test_learned_populations_are_judged_by_their_referee(tmp_path):
    words = ("--game", "kuhn_poker", "--oracle", "ddqn", "--solver", "nash_lp",
             "--decisions", 300, "--episodes", 20, "--iterations", 2)  # fmt: skip
    assert call(*words, "--quiet", "--referee", ASK, "--out", tmp_path / "run") == 0
    run = metaspiel.load_run(tmp_path / "run")
    least = run.metrics.column("population_exploitability")
    exact = run.metrics.column("exact_gap")
    assert all(a >= b - 1e-9 for a, b in pairwise(least))
    assert all(a <= gap / 2 + 1e-9 for a, gap in zip(least, exact, strict=True))
    assert run.summary["game_values"] == pytest.approx([-1 / 18, 1 / 18])
