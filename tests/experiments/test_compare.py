"""Comparisons: cells, their axes, what is left out, merged runs and what is said."""

import csv
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.compare import __main__ as compare
from experiments.compare import cells, frame
from experiments.compare.axes_config import oracle_settings, usual_spec
from experiments.compare.claims import pairs
from experiments.compare.config import Config
from experiments.compare.naming import short_names
from experiments.compare.report import Judged, opening
from experiments.compare.results import Result, Results
from experiments.compare.scale import step
from experiments.compare.sizes import seeds_needed
from experiments.compare.standings import area, first_below, log_gap
from experiments.lab.alternatives import written_out
from experiments.lab.page import main
from experiments.lab.report import digits, show
from experiments.lab.verdict import LEVEL, Higher
from experiments.psro import __main__ as psro
from meta_solvers import Answer, MetaSolver, register, registry
from meta_solvers.base import Status, failure
from metaspiel import files
from metaspiel.nfg.errors import UserError

KUHN_3 = "kuhn_poker(players=3)"
WORDS = ("--games", "kuhn_poker", KUHN_3, "--solvers", "nash_lp", "uniform")


def call(*words, page=compare):
    return main(page.page, page.Config, [*map(str, words)])


def table(folder: Path, name: str):
    return [*csv.DictReader((folder / f"{name}.csv").read_text().splitlines())]


def curves(folder: Path):
    """Rows of all runs, without times."""
    rows = table(folder, "curves")
    for row in rows:
        del row["cpu_seconds"]
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two games, two solvers, two seeds; one solver plays one of the games alone."""
    out = tmp_path_factory.mktemp("compare") / "run"
    words = (*WORDS, "--iterations", 4, "--seeds", 2, "--quiet", "--out", out)
    assert call(*words) == 0
    return out


def test_what_does_not_apply_is_left_out_with_its_reason(whole: Path):
    assert len([*whole.glob("cells/*.json")]) == 6
    summary = json.loads((whole / "summary.json").read_text())
    ((game, method, outcome, reason, seeds),) = summary["missing"]
    assert (game, method, outcome) == (KUHN_3, "nash_lp", "does not apply")
    assert reason == "ZeroSumNash: the game must have exactly 2 players; got 3"
    assert seeds == [0, 1]
    assert reason in (whole / "report.html").read_text()
    made = [(row["game"], row["solver"]) for row in table(whole, "table")]
    assert sorted(made) == [
        ("kuhn_poker", "nash_lp"),
        ("kuhn_poker", "uniform"),
        (KUHN_3, "uniform"),
    ]


def test_the_lowest_so_far_is_of_each_run(whole: Path):
    for seed in ("0", "1"):
        own = [r for r in curves(whole) if (r["game"], r["seed"]) == (KUHN_3, seed)]
        gaps = [float(row["gap"]) for row in own]
        assert [float(row["best"]) for row in own] == [*np.minimum.accumulate(gaps)]


def test_more_is_added_and_what_is_there_is_kept(whole: Path, tmp_path: Path):
    """Resumed after a kill, on two processes, with more seeds: the same bits."""
    out = tmp_path / "run"
    words = (*WORDS, "--iterations", 4, "--quiet", "--out", out)
    assert call(*words, "--seeds", 1) == 0
    places = sorted(out.glob("cells/*.json"))
    places.pop(0).unlink()  # as if killed before its end
    before = [place.read_bytes() for place in places]
    assert call("--resume", "--seeds", 2, "--jobs", 2, "--quiet", "--out", out) == 0
    assert curves(out) == curves(whole)
    assert [place.read_bytes() for place in places] == before
    assert call("--resume", "--iterations", 5, "--quiet", "--out", out) == 0
    longer = [row for row in curves(out) if row["iteration"] != "5"]
    assert longer == curves(whole)
    assert [place.read_bytes() for place in places] == before


def test_a_damaged_cell_is_refused(whole: Path, tmp_path: Path, capsys):
    import shutil

    out = Path(shutil.copytree(whole, tmp_path / "run"))
    place = sorted(out.glob("cells/*.json"))[0]
    place.write_text(place.read_text().replace('"seed": 0', '"seed": 7'))
    assert call("--resume", "--out", out) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "remove the file and resume" in error


@dataclass(frozen=True)
class Failing(MetaSolver):
    """Plays the first policies until there are too many for it."""

    def distribution(self, game, rng, progress=None):
        if max(game.actions) > 2:
            return failure(game, Status.NUMERICAL)
        joint = np.zeros(game.actions)
        joint[(0,) * game.players] = 1.0
        return Answer(joint)


def test_a_solver_that_fails_ends_its_own_runs_alone(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    register("failing_here", Failing)
    out = tmp_path / "run"
    words = ("--games", "kuhn_poker", "--solvers", "failing_here", "uniform")
    assert call(*words, "--iterations", 4, "--seeds", 2, "--quiet", "--out", out) == 0
    missing = json.loads((out / "summary.json").read_text())["missing"]
    assert {(method, outcome) for _, method, outcome, *_ in missing} == {
        ("failing_here", "failed")
    }
    for *_, reason, _ in missing:
        assert reason.startswith("iteration ") and "broke down" in reason
    assert [row["solver"] for row in table(out, "table")] == ["uniform"]
    assert {r["solver"] for r in curves(out)} == {"failing_here", "uniform"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--games kuhn_pokr --solvers rm", "did you mean 'kuhn_poker'?"),
        ("--games kuhn_poker --solvers rmm", "did you mean 'rm'?"),
        ("--games kuhn_poker", "--solvers must be named"),
        ("--games kuhn_poker --solvers rm|fp", "alternatives must be values"),
        ("--games no.npy --solvers rm", "'no.npy' must be a file"),
        ("--games kuhn_poker --solvers rm --targets 0", "--targets must be positive"),
        ("--games kuhn_poker --solvers rm --seeds 0", "--seeds must be at least 1"),
        (
            "--games kuhn_poker --solvers rm --oracles exakt",
            "unknown oracle with exact gaps 'exakt' (did you mean 'exact'?)",
        ),
        (
            "--games kuhn_poker --solvers rm --oracles mine:make:depth=3",
            "unknown oracle with exact gaps 'mine'",
        ),
        (
            "--games kuhn_poker --solvers rm --oracles exact:evaluator=mine:make",
            "unknown field 'evaluator'",
        ),
        (
            "--games kuhn_poker --solvers rm --oracles exact:tie_brake=first",
            "unknown field 'tie_brake' (did you mean 'tie_break'?)",
        ),
        (
            "--games kuhn_poker --solvers rm --oracles exact:seed=3",
            "unknown field 'seed'",
        ),
        (
            "--games kuhn_poker --solvers rm --oracles exact:tie_break=fist",
            "--oracles exact:tie_break=fist: --tie-break must be one of",
        ),
        ("--merge nowhere", "'nowhere' must be the folder of a run"),
        (
            "--games kuhn_poker --solvers rm --jobs 2 --executor ray",
            "an executor shares out the work itself",
        ),
    ],
)
def test_impossible_wishes(words: str, says: str, tmp_path: Path, capsys):
    refused(compare, words.split(), says, folder=tmp_path, capsys=capsys)


def test_specs_with_alternatives_are_written_out():
    assert written_out("mgcce") == ("mgcce",)
    made = written_out("mix(rrd:threshold=.1|.5):weight=.2|.3")
    assert made == (
        "mix(rrd:threshold=.1):weight=.2",
        "mix(rrd:threshold=.1):weight=.3",
        "mix(rrd:threshold=.5):weight=.2",
        "mix(rrd:threshold=.5):weight=.3",
    )
    with pytest.raises(UserError, match="at most 1000"):
        written_out("a:b=" + "|".join(map(str, range(1001))))


def test_an_oracle_is_the_flags_of_psro():
    settings = oracle_settings("ppo:ppo.episodes=64,episodes=30,start=mixture")
    assert settings.ppo.episodes == 64 and settings.episodes == 30
    assert settings.referee and settings.start == "mixture"
    assert not oracle_settings("ppo:referee=false").referee
    for spec in ("exact", "exact:tie_break=first", "ddqn:decisions=500"):
        assert usual_spec(spec) == spec
    assert usual_spec("exact:tie_break=random,prune=0") == "exact:prune=0.0"
    assert usual_spec("ppo:referee=true,start=mixture") == "ppo:start=mixture"


def test_all_axes_are_crossed():
    config = Config(
        games=("kuhn_poker",),
        solvers=("rm", "rrd:threshold=.1|.5"),
        eval_solvers=("same", "nash"),
        oracles=("exact:tie_break=first|uniform",),
    )
    names = [method.name for method in config.methods]
    assert len(names) == len({*names}) == 3 * 2 * 2
    assert "rrd:threshold=.5 > nash (exact:tie_break=first)" in names


def test_an_evaluated_solver_is_what_is_compared(tmp_path: Path):
    out = tmp_path / "run"
    words = ("--games", "kuhn_poker", "--solvers", "uniform", "mgce")
    words = (*words, "--eval-solvers", "same", "mgcce", "--iterations", 3)
    assert call(*words, "--seeds", 1, "--quiet", "--out", out) == 0
    rows = curves(out)
    report = (out / "report.html").read_text("utf-8")
    assert "bands" not in report[: report.rindex("<h2>How this")]  # of one seed

    def last(solver: str, evaluation: str):
        own = [
            r for r in rows if (r["solver"], r["evaluation"]) == (solver, evaluation)
        ]
        return own[-1]

    judged, same = last("uniform", "mgcce"), last("uniform", "same")
    assert judged["train_gap"] == same["gap"] == same["train_gap"]
    assert float(judged["gap"]) < float(same["gap"])
    own = last("mgce", "same")  # the CCE gap is at most that of CE
    assert float(own["gap"]) <= float(own["own_gap"]) + 1e-9


def test_learned_responses_are_judged_exactly(tmp_path: Path):
    out = tmp_path / "run"
    oracle = "ppo:decisions=256,episodes=40,width=16,ppo.width=16,ppo.games=16"
    words = ("--games", "kuhn_poker", "bargaining", "--solvers", "rm", "--seeds", 1)
    words = (*words, "--oracles", oracle, "--iterations", 1)
    assert call(*words, "--quiet", "--out", out) == 0
    rows = curves(out)
    assert len(rows) == 2 and all(float(row["gap"]) > 0 for row in rows)
    ((game, *_, reason, _),) = json.loads((out / "summary.json").read_text())["missing"]
    assert game == "bargaining" and "--referee" in reason


def test_runs_that_exist_are_merged(whole: Path, tmp_path: Path, capsys):
    run, out = tmp_path / "psro", tmp_path / "run"
    words = ("--game", "kuhn_poker", "--players", 3, "--iterations", 4)
    words = (*words, "--trials", 2, "--solver", "mgcce", "--quiet", "--out", run)
    assert call(*words, page=psro) == 0
    assert call("--merge", whole, run, "--out", out) == 0
    assert (
        "Runs are merged up to iteration 4, which all of them have"
        in capsys.readouterr().out
    )
    made = {(row["game"], row["solver"]): row["seeds"] for row in table(out, "table")}
    assert made[KUHN_3, "mgcce"] == "0 1" and len(made) == 4
    # A cell is the run that psro makes: the same, played here too, are there once.
    both = tmp_path / "both"
    words = ("--games", KUHN_3, "--solvers", "mgcce", "--iterations", 4, "--seeds", 2)
    assert call(*words, "--merge", run, "--quiet", "--out", both) == 0
    assert len(curves(both)) == 2 * 5


def test_merged_runs_have_the_iterations_asked_for_or_of_the_shortest(
    whole: Path, tmp_path: Path, capsys
):
    run, out = tmp_path / "psro", tmp_path / "run"
    words = ("--game", "kuhn_poker", "--iterations", 2, "--solver", "mgcce")
    assert call(*words, "--quiet", "--out", run, page=psro) == 0
    assert call("--merge", whole, run, "--out", out) == 0
    assert "up to iteration 2, which all" in capsys.readouterr().out
    for file in ("config", "summary"):
        stored = json.loads((out / f"{file}.json").read_text())
        assert stored.get("config", stored)["iterations"] == 2
    assert {row["iteration"] for row in curves(out)} == {"0", "1", "2"}
    asked = ["--merge", str(whole), str(run), "--iterations", "3"]
    sentence = f"'{run}' must have the 3 iterations of the comparison (--iterations)"
    refused(compare, asked, sentence, folder=tmp_path, capsys=capsys)
    assert call("--merge", whole, "--iterations", 3, "--out", tmp_path / "cut") == 0
    assert "up to iteration 3" in capsys.readouterr().out


def test_what_cannot_be_merged_is_refused(whole: Path, tmp_path: Path, capsys):
    def says(sentence: str, *words):
        refused(compare, [*map(str, words)], sentence, folder=tmp_path, capsys=capsys)

    longer = ("--games", KUHN_3, "--solvers", "rm", "--iterations", 5)
    says("must have the 5 iterations", "--merge", whole, *longer)
    says(
        "must respond to what the comparison does", "--merge", whole, "--concept", "ce"
    )
    other = tmp_path / "other"
    other.mkdir()
    files.write_sealed(other / "config.json", {"page": "nes_train"})
    says("it is one of nes_train", "--merge", other)
    run = tmp_path / "psro"
    words = ("--iterations", 4, "--solver", "uniform", "--tie-break", "first")
    assert call(*words, "--quiet", "--out", run, page=psro) == 0
    (run / "summary.json").rename(run / "kept")
    says("must be finished", "--merge", run)
    (run / "kept").rename(run / "summary.json")
    config = files.read_sealed(run / "config.json")
    files.write_sealed(run / "config.json", {**config, "tie_break": "random"})
    says("or twice with the same numbers", "--merge", whole, run)


def test_games_on_which_constants_were_chosen_are_ranked_apart(tmp_path: Path, capsys):
    out = tmp_path / "run"
    words = ("--games", "kuhn_poker", KUHN_3, "--solvers", "last", "uniform", "nash")
    words += ("--oracles", "exact:initial=random_deterministic", "--training", KUHN_3)
    assert call(*words, "--iterations", 3, "--seeds", 3, "--quiet", "--out", out) == 0
    rows = table(out, "ranks")
    ranks: dict[str, dict[str, float]] = {}
    for row in rows:
        ranks.setdefault(row["games"], {})[row["solver"]] = float(row["rank_last"])
    assert set(ranks) == {"all", "test", "training"}
    for solver in ("last", "uniform", "nash"):
        apart = (ranks["test"][solver] + ranks["training"][solver]) / 2
        assert ranks["all"][solver] == pytest.approx(apart)
    assert ranks["test"] != ranks["training"]
    text = (out / "table.md").read_text()
    assert text.count("Mean rank over 1 game and 3 seeds") == 2
    assert "no constant was chosen on them" in text


def test_one_seed_ranks_nothing(tmp_path: Path, capsys):
    out = tmp_path / "run"
    words = ("--games", "kuhn_poker", "--solvers", "nash_lp", "uniform")
    assert call(*words, "--iterations", 2, "--seeds", 1, "--out", out) == 0
    said = capsys.readouterr().out
    assert "One seed ranks nothing" in said and "Mean rank" not in said
    assert "lowest mean" not in said and "told apart" not in said
    assert (out / "pairs.csv").read_text() == (out / "ranks.csv").read_text() == ""


def test_areas_and_first_times_by_hand():
    assert area([1.0, 0.1, 0.01], 1e-6) == pytest.approx(-1.0)
    assert area([0.1], 1e-6) == pytest.approx(-1.0)
    assert area([0.0, 0.0], 8e-6) == pytest.approx(np.log10(8e-6))
    assert first_below([1.0, 0.1, 0.2], 0.1) == 1
    assert first_below([1.0, 0.5], 0.1) is None


def test_gaps_are_counted_in_millionths_of_the_payoffs(tmp_path: Path):
    assert step("kuhn_poker") == pytest.approx(2 * 4e-6)
    assert step(KUHN_3) == pytest.approx(3 * 6e-6)
    np.save(tmp_path / "game.npy", [[[0.0, 1.0]], [[0.0, 10.0]]])
    assert step(str(tmp_path / "game.npy")) == pytest.approx(11e-6)
    text = 'EFG 2 R "" { "a" "b" } p "" 1 1 "" { "l" "r" } 0 '
    text += 't "" 1 "" { 0, 5 } t "" 2 "" { 1, -2 }'
    (tmp_path / "game.efg").write_text(text)
    assert step(str(tmp_path / "game.efg")) == pytest.approx(8e-6)
    assert step("bargaining") == step(str(tmp_path / "gone.npy")) == 1e-6
    unit = step("kuhn_poker")
    assert log_gap(0.0, unit) == log_gap(1.36e-6, unit) < log_gap(2e-5, unit)
    assert log_gap(0.25, unit) == log_gap(0.25 + 1e-9, unit)


def made(solver: str, ends):
    """Runs of two iterations that end at some gaps, one a seed."""
    rest = {key: [0.0, 0.0] for key in ("welfare", "support", "cpu_seconds")}
    rest = {**rest, "policies": [[1, 1], [2, 2]]}
    return [
        Result(
            game="kuhn_poker", solver=solver, evaluation="same", oracle="exact",
            seed=seed, outcome="finished",
            curves={"gap": [1.0, end], "best": [1.0, min(1.0, end)], **rest},
        )
        for seed, end in enumerate(ends)
    ]  # fmt: skip


def test_what_is_the_same_in_all_seeds_is_no_sample():
    config = Config(games=("kuhn_poker",), iterations=1)
    fixed = [*made("a", [0.1] * 5), *made("b", [0.2] * 5), *made("c", [0.1] * 5)]
    drawn = made("d", [0.3, 0.31, 0.32, 0.33, 0.34])
    other = made("e", [0.5, 0.51, 0.52, 0.53, 0.54])
    results = Results([*fixed, *drawn, *other])
    tested = {
        (one.lower.solver, one.higher.solver): one
        for one in pairs(results, "kuhn_poker", config)
    }
    exact = tested["a", "b"]
    assert (
        exact.decided
        and exact.p is None
        and exact.claim(results).test.startswith("none")
    )
    assert (
        not tested["a", "c"].decided
        and tested["a", "c"].claim(results).remark == "they tie"
    )
    # Five seeds against a number: the least two-sided p is 1/16, in seven tests, of
    # which the seventh, of d and e, has a lower one.
    against = tested["a", "d"]
    assert against.p == 1 / 16 and against.least == 6 / 16 and not against.decided
    assert (
        "sign flips" in against.test
        and "too few trials" in against.claim(results).remark
    )
    assert tested["d", "e"].p == pytest.approx(2 / 252)
    more = made("f", [0.3 + seed / 100 for seed in range(7)])
    (pair,) = pairs(Results([*made("a", [0.1] * 7), *more]), "kuhn_poker", config)
    assert pair.decided and pair.corrected == 1 / 64
    assert not Results(made("a", [0.1])).same("kuhn_poker", drawn[0].method)


def said_of(*runs: Result) -> tuple[str, str]:
    """What a comparison says first of a game, and how sure that is."""
    config = Config(games=("kuhn_poker",), iterations=1)
    said = opening(config, Judged.of(Results(runs), config))
    return said.result[0], " ".join(said.sure)


def test_seeds_that_are_too_few_are_said_first():
    three = *made("a", [0.1, 0.11, 0.12]), *made("b", [0.2, 0.21, 0.22])
    first, sure = said_of(*three, *made("c", [0.3, 0.31, 0.32]))
    assert first.endswith(
        "not told apart from it: b, c. 3 seeds cannot tell 3 pairs apart (least "
        "possible corrected p 0.3): take at least 5."
    )
    assert "0 of 3 tested pairs" in sure
    # As many as were said decide, if the gaps do not overlap.
    ends = [[start + seed / 100 for seed in range(5)] for start in (0.1, 0.2, 0.3)]
    first, sure = said_of(*made("a", ends[0]), *made("b", ends[1]), *made("c", ends[2]))
    assert first.endswith("; told apart from all others.") and "3 of 3 tested" in sure
    # Those against a number alone are short of seeds.
    first, _ = said_of(*made("a", [0.05] * 5), *made("b", ends[1]), *made("c", ends[2]))
    assert "5 seeds cannot tell 2 of 3 pairs apart" in first
    assert first.endswith("corrected p 0.12): take at least 7.")
    assert "--seeds 6 or more" in said_of(*(made(one, [0.1])[0] for one in "abcde"))[1]


def test_what_is_not_tested_and_what_logarithms_turn_round_are_said():
    fixed = *made("a", [0.1] * 6), *made("b", [0.2] * 6), *made("c", [0.1] * 6)
    first, sure = said_of(*fixed)
    assert "level with it in all seeds: c; above it" in first and "apart" not in first
    assert "tested pair" not in sure.replace("the tested", "") and "2 differ" in sure
    first, _ = said_of(*made("a", [0.1] * 6), *made("b", [0.2] * 6))
    assert first.endswith("; below all others in all seeds, without a test.")
    drawn = made("d", [0.3, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36])
    first, sure = said_of(*made("a", [0.1] * 7), *made("b", [0.2] * 7), *drawn)
    assert "2 of 2 tested pairs" in sure and "1 pair beside the tested" in sure
    assert first.endswith(
        "told apart from all others; above it in all seeds, without a test: b."
    )
    # A mean that one large gap lifts, while the other five are far below.
    low = made("e", [1e-5] * 5 + [0.8])
    first, sure = said_of(*low, *made("f", [0.1, 0.11, 0.12, 0.13, 0.14, 0.15]))
    assert "f has the lowest mean gap" in first
    assert first.endswith("; below it by logarithms, which tests go by: e.")
    assert "1 of 1 tested pair of methods is told apart" in sure


def test_how_many_seeds_are_needed_is_what_the_tests_say():
    """By the tests themselves, and as the page about comparisons has it."""
    for pairs_of, seeds in ((1, 4), (3, 5), (10, 6), (28, 7)):
        assert seeds_needed(pairs_of) == seeds
        for enough, runs in ((True, seeds), (False, seeds - 1)):
            one = Higher.of([1.0] * runs, [0.0] * runs, 0)
            assert (2 * pairs_of * one.p <= LEVEL) == enough
    assert seeds_needed(0, 1) == 6 and seeds_needed(0, 7) == 9
    assert seeds_needed(4618) == 10 and seeds_needed(4619) is None
    page = Path(__file__).parents[2] / "docs" / "compare.md"
    rows = re.findall(
        r"^ *\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", page.read_text(), re.M
    )
    assert len(rows) > 4
    for methods, count, drawn, fixed in [map(int, row) for row in rows]:
        assert count == methods * (methods - 1) / 2
        assert seeds_needed(count) == drawn
        assert seeds_needed(count - methods + 1, methods - 1) == fixed


def test_long_names_of_games_are_short():
    tail = "(item_penalty=1.0,item_value=5.0,max_bribe=2)"
    games = ["sheriff" + tail, "leduc_poker", "sheriff" + tail.replace("2", "3")]
    names = ("sheriff #1", "leduc_poker", "sheriff #2")
    assert tuple(short_names(games).values()) == names
    assert short_names(games[:2])[games[0]] == "sheriff"
    assert [*short_names(["sheriff", *games[:1]]).values()] == ["sheriff", "sheriff #2"]


def test_large_numbers_are_written_out():
    assert [show(one) for one in (1066.2, 12345.0, 0.00012345)] == [
        "1066", "12,340", "0.0001234",
    ]  # fmt: skip
    assert digits(1066.2, 3) == "1,070" and digits(1e300, 3) == "1e+300"


def test_what_is_named_twice_is_said(tmp_path: Path, capsys):
    words = ("--games", "kuhn_poker", "--solvers", "nash_lp", "rd:steps=5|6", "nash_lp")
    words = (*words, "rd:steps=6", "--iterations", 0, "--seeds", 1)
    assert call(*words, "--out", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert said.count("is named more than once: it is compared once") == 2
    assert "nash_lp is named" in said and "rd:steps=6 is named" in said


def test_an_interrupted_comparison_reports_what_is_there(
    tmp_path: Path, monkeypatch, capsys
):
    begun = []

    def stopped(cell, made):
        begun.append(cell)
        if len(begun) > 1:
            raise KeyboardInterrupt
        made.append(cell.play())

    out = tmp_path / "run"
    words = ("--games", "kuhn_poker", "--solvers", "nash_lp", "uniform", "--quiet")
    words = (*words, "--iterations", 1, "--seeds", 1, "--out", out)
    monkeypatch.setattr(cells, "_play", stopped)
    assert call(*words) == 130
    reports, kept = capsys.readouterr().err.splitlines()
    assert reports.startswith("interrupted: writing a report of what is finished")
    assert kept.endswith(f"is kept; --out {out} --resume goes on")
    assert [row["solver"] for row in table(out, "table")] == ["nash_lp"]
    assert "1 run of what was asked for is not there" in (
        out / "report.html"
    ).read_text("utf-8")
    monkeypatch.undo()
    assert call(*words, "--resume") == 0
    assert "is not there" not in (out / "report.html").read_text("utf-8")
    assert len(table(out, "table")) == 2


def test_frames_need_pandas(whole: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UserError, match=r"pip install metaspiel\[frames\]"):
        frame(whole)


def test_frames_are_the_tables(whole: Path):
    pytest.importorskip("pandas")
    assert len(frame(whole)) == len(curves(whole))
    assert [*frame(whole, "table")["solver"]] == [
        r["solver"] for r in table(whole, "table")
    ]
    with pytest.raises(UserError, match="must be the folder of a comparison"):
        frame(whole / "cells")


def test_an_oracle_that_all_methods_share_is_named_once():
    own, other = made("a", [0.1, 0.2]), made("b", [0.3, 0.4])
    seeded = "exact:tie_break=uniform"
    shared = Results([replace(one, oracle=seeded) for one in (*own, *other)])
    assert list(shared.labels.values()) == ["a", "b"]
    mixed = Results([*own, *(replace(one, oracle=seeded) for one in other)])
    assert list(mixed.labels.values()) == ["a", f"b ({seeded})"]
