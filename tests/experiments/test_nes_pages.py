"""The pages on the Neural Equilibrium Solver in small, through their command lines."""

import json

import pytest

from experiments.lab.page import main
from experiments.lab.verdict import Verdict
from experiments.nes import curves, numbers, published
from experiments.nes import figures as nes_figures
from experiments.nes import tables as nes_tables
from meta_solvers.nes import store
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.data import Games
from meta_solvers.nes.measure import Comparison, Measured
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.train import Training


def tables(*words):
    return main(nes_tables.page, nes_tables.Config, list(map(str, words)))


def figures(*words):
    return main(nes_figures.page, nes_figures.Config, list(map(str, words)))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A tiny network after some seconds of training."""
    brief = {"steps": 60, "work": 128, "warm": 6, "average": 6, "rate": 5e-3}
    recipe = Recipe(
        architecture=Architecture(selects="any", unrolled=2, dual=16, hidden=24),
        games=Games(least=4, most=4),
        **brief,
    )
    training = Training(recipe)
    for _ in range(recipe.steps):
        training.update()
    place = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    store.save(place, training.averaged(), recipe, {})
    return place


def never(*_, **__):
    raise AssertionError("a finished cell ran again")


def test_tables_and_resume(tmp_path, capsys, weights, monkeypatch):
    pytest.importorskip("ecos")
    out = tmp_path / "r"
    small = ("--sizes", 4, 8, "--games", 32, "--ecos-games", 2, "--network", weights)
    assert tables(*small, "--out", out, "--json") == 0
    four, eight = json.loads(capsys.readouterr().out)
    for row in (four, eight):
        assert row["exact"]["success"] == 1.0 and row["exact"]["gap"] < 1e-9
        assert row["ecos hard"]["success"] == 1.0 and row["ecos hard"]["games"] == 2
        assert row["ecos hard"]["apart"] < 1e-4  # two solvers, one answer
        for what in ("gap", "solver_gap"):
            means = [row[f"{what} {s}"]["mean"] for s in ("uniform", "nes", "refined")]
            assert means == sorted(means, reverse=True)
    assert 0.3 < four["solver_gap uniform"]["mean"] < 0.45  # published: 0.3552
    assert 0.9 < eight["gap uniform"]["mean"] < 1.15  # published: 1.0043
    assert four["published"]["gap nes"] == 0.0274
    text = (out / "table.md").read_text()
    assert "Table 2" in text and "4.4445" in text
    assert "| 4 | 100 % | 100 % of 2 | 100 % of 2 | 100.0 % of 32 |" in text
    assert "| Table 1, n = 8 | CCE gap at or below the published network's |" in text
    assert "<table" in (out / "report.html").read_text()

    (out / "cells" / "8-ecos-hard.json").unlink()
    monkeypatch.setattr(numbers, "compare", never)
    assert tables("--resume", "--out", out, "--quiet") == 0
    assert (out / "cells" / "8-ecos-hard.json").exists()
    monkeypatch.setattr(published, "in_turn", never)
    assert tables("--resume", "--out", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0] == four


def test_tables_without_ecos(tmp_path, weights, monkeypatch):
    monkeypatch.setattr(published, "find_spec", lambda name: None)
    out = tmp_path / "r"
    small = ("--sizes", 3, "--games", 2, "--network", weights)
    assert tables(*small, "--out", out, "--quiet") == 0
    text = (out / "table.md").read_text()
    assert "| 3 | - | not installed | not installed | 100.0 % of 2 |" in text
    assert "| not tested | nothing was published |" in text  # at n = 3


def test_ecos_is_measured_as_it_answers(tmp_path, weights, monkeypatch):
    in_turn = published.in_turn
    monkeypatch.setattr(published, "find_spec", lambda name: True)
    monkeypatch.setattr(
        published, "in_turn", lambda *words: in_turn(*words, solver="CLARABEL")
    )
    out = tmp_path / "r"
    small = ("--sizes", 4, "--games", 3, "--ecos-games", 2, "--network", weights)
    assert tables(*small, "--out", out, "--quiet") == 0
    (row,) = json.loads((out / "rows.json").read_text())
    for form in published.FORMS:
        assert row[f"ecos {form}"]["success"] == 1.0
        assert row[f"ecos {form}"]["games"] == row[f"ecos {form}"]["asked"] == 2
    assert row["ecos hard"]["apart"] < 1e-3  # two solvers, one answer
    assert row["ecos penalty"]["apart"] > row["ecos hard"]["apart"]
    assert "| 4 | 100 % | 100 % of 2 | 100 % of 2 |" in (out / "table.md").read_text()
    monkeypatch.setattr(published, "in_turn", never)
    assert tables("--resume", "--out", out, "--quiet") == 0


def claims_of(gap, solver_gap):
    """Claims of a row whose published network has 0.0123 and 0.0122 in Table 1."""
    known = Measured(gap=gap, solver_gap=solver_gap, seconds=[0.1], status=[0])
    ours = Comparison(uniform=known, nes=known, refined=known, exact=known)
    row = published.Row(n=4, ours=ours, ecos={})
    theirs = {"gap nes": 0.0123, "solver_gap nes": 0.0122}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.PUBLISHED, 4, theirs)
        return published.claims(row)


def test_claims_are_decided_by_intervals():
    first, second, *rest = claims_of([0.01234] * 3, [0.01234, None, 0.01234])
    assert first.verdict is Verdict.HOLDS and "0.0123 against 0.0123" in first.evidence
    assert second.verdict is Verdict.FAILS and "against 0.0122" in second.evidence
    assert (first.trials, second.trials) == (3, 2)
    wide = [0.011, 0.0136]  # means above what was published, too few games to tell
    assert [one.verdict for one in claims_of(wide, wide)[:2]] == [Verdict.UNDECIDED] * 2
    (one, *_) = claims_of([0.5], [0.5])
    assert one.judged == "undecided: one game has no interval"
    assert [one.verdict for one in rest] == [Verdict.NOT_TESTED] * 2


def test_figure_1(tmp_path, capsys, weights):
    out = tmp_path / "r"
    assert figures("--network", weights, "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    for game in result.values():
        assert set(game["status"]) == {"OK"}
        assert max(game["solver_gap"]) < 1 and len(game["nes joints"]) == 9
    lights, coordination, dilemma = result.values()
    assert len(lights["vertex joints"]) == 5  # known of this class of games
    assert [0.0, 1.0, 0.0, 0.0] in lights["vertex joints"]
    assert dilemma["vertex joints"] == [[0.0, 0.0, 0.0, 1.0]]
    assert coordination["exact joints"][0] == pytest.approx([0.25] * 4, abs=1e-5)
    chosen = coordination["selection"].index("MRE (2, 2)")
    assert coordination["exact joints"][chosen][3] == pytest.approx(0.99, abs=1e-4)
    assert "| pure coordination | MRE (2, 2) |" in (out / "table.md").read_text()
    assert (out / "plots" / "1.png").stat().st_size > 10_000


SHORT = ("--figure", 3, "--panels", "b", "--shapes", "4x4", "--games", 16, "--seeds", 1)


def test_figure_3_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert figures(*SHORT, "--steps", 6, "--out", whole, "--json") == 0
    wanted = json.loads(capsys.readouterr().out)
    for label, line in wanted["b"].items():
        assert line["steps"] == list(range(7)), label
        assert len(set(line["mean"])) == 7, label  # six steps move it, not yet down

    update, done = Training.update, []

    def interrupted(training):
        if len(done) == 10:  # in the second of two trainings
            raise KeyboardInterrupt
        done.append(1)
        return update(training)

    monkeypatch.setattr(Training, "update", interrupted)
    assert figures(*SHORT, "--steps", 6, "--out", broken) == 130
    assert len(list((broken / "cells").glob("*.json"))) == 1
    done.clear()
    assert figures("--resume", "--out", broken, "--json") == 0
    assert len(done) == 2  # the last of the second, nothing of the first
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == wanted
    monkeypatch.setattr(Training, "update", never)
    assert figures("--resume", "--out", broken, "--quiet") == 0
    assert "NES" not in (broken / "table.md").read_text()  # no ablation in panel b
    assert list((broken / "cells").iterdir()) == list((broken / "cells").glob("*.json"))


def test_the_ablation_is_decided_by_seeds():
    gaps = {"NES": [0.1, 0.11, 0.12], "uniform payoffs": [0.05, 0.06, 0.075]}
    linear, uniform = curves.ablation(gaps | {"linear": [0.09, 0.12, 0.12]})
    assert (linear.verdict, uniform.verdict) == (Verdict.UNDECIDED, Verdict.FAILS)
    (higher, _) = curves.ablation(gaps | {"linear": [0.3, 0.3, 0.33]})
    assert higher.verdict is Verdict.HOLDS and higher.trials == 3
    (one, _) = curves.ablation({name: [0.1] for name in (*gaps, "linear")})
    assert one.judged == "undecided: one seed has no interval"


def test_figure_3_ablation(tmp_path, capsys):
    words = ("--figure", 3, "--panels", "d", "--quick", "--steps", 4)
    assert figures(*words, "--out", tmp_path / "r") == 0
    text = capsys.readouterr().out
    assert text.count("| Figure 3 (d) | NES is below") == 2
    lines = json.loads((tmp_path / "r" / "result.json").read_text())["d"]
    assert len(lines) == 3
    for line in lines.values():
        assert (
            line["mean"][-1] < line["mean"][0] and line["none"] == lines["NES"]["none"]
        )


def test_figure_4(tmp_path, capsys, weights, monkeypatch):
    out = tmp_path / "r"
    small = ("--classes", "l2_invariant", "dispersion", "--size", 4, "--games", 16)
    words = ("--figure", 4, *small, "--network", weights)
    assert figures(*words, "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    for row in result.values():
        assert row["failed"] == 0 and row["exact gap"] < 1e-9
    row = result["l2_invariant"]
    for what in ("gap", "solver_gap"):
        means = [row[f"{what} {s}"]["mean"] for s in ("uniform", "nes", "refined")]
        assert means == sorted(means, reverse=True)
    # Common payoff, the same for all pairs of different actions: uniform is a CCE.
    assert result["dispersion"]["gap uniform"]["worst"] < 1e-9
    assert "| l2_invariant | 0 of 16 |" in (out / "table.md").read_text()
    monkeypatch.setattr(numbers, "compare", never)
    assert figures("--resume", "--out", out, "--quiet") == 0


@pytest.mark.parametrize(
    ("call", "words", "sentence"),
    [
        (tables, ("--sizes", 1), "--sizes must be"),
        (tables, ("--games", 0), "--games must be"),
        (tables, ("--ecos-games", -1), "--ecos-games must be"),
        (tables, ("--seconds", 0), "--seconds must be"),
        (tables, ("--seed", -1), "--seed must be"),
        (tables, ("--network", "/no/such/file"), "--network must name a file"),
        (figures, ("--figure", 3, "--panels", "e"), "--panels"),
        (figures, ("--figure", 3, "--steps", 0), "--steps must be"),
        (figures, ("--figure", 3, "--shapes", "4x8"), "--shapes must give"),
        (figures, ("--figure", 4, "--classes", "unifrom"), "did you mean 'uniform'"),
        (figures, ("--figure", 4, "--size", 1), "--size must be"),
    ],
)
def test_bad_input(tmp_path, capsys, call, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("words", [("--figure", 2), ("--concept", "ne")])
def test_a_word_that_is_none_of_the_choices(tmp_path, capsys, words):
    assert figures(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert f"{words[0]} must be one of" in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()
