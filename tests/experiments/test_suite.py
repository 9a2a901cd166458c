"""The published protocol as one command, and solvers that name their evaluation."""

import csv
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.compare import __main__ as compare
from experiments.compare.config import Config
from experiments.compare.suites_config import BASELINES, GAMES, OURS, TRAINING
from experiments.lab import trust
from experiments.lab.page import main, parse

SUITE = ("--suite", "deepmind2026")


def asked(*words) -> Config:
    return parse(Config, [*map(str, words)], "metaspiel compare")


def call(*words):
    return main(compare.page, Config, [*map(str, words)])


def test_the_protocol_of_the_paper():
    config = asked(*SUITE)
    config.check()
    assert config.games == GAMES and len({*GAMES}) == 11
    assert {*TRAINING} < {*GAMES} and len(TRAINING) == 4 and len(OURS) >= 8
    assert (config.iterations, config.seeds, config.concept) == (100, 5, "ne")
    names = {(one.solver, one.evaluation) for one in config.methods}
    assert len(config.methods) == len(BASELINES) + len(OURS) == len(names)
    assert {("shor", "shor_eval"), ("prd", "same")} <= names
    assert {one.oracle for one in config.methods} == {
        "exact:initial=random_deterministic,tie_break=uniform"
    }


def test_flags_beside_a_suite_override_it(tmp_path: Path):
    ours = ("--games", "kuhn_poker", "--iterations", 7, "--solvers", "rm")
    config = asked(*SUITE, *ours)
    assert (config.games, config.iterations) == (("kuhn_poker",), 7)
    assert config.seeds == 5 and [one.solver for one in config.methods] == ["rm"]
    # Those of a file come between.
    (tmp_path / "mine.yaml").write_text("suite: deepmind2026\niterations: 9\n")
    config = asked("--config", tmp_path / "mine.yaml", "--seeds", 2)
    assert (config.iterations, config.seeds, len(config.games)) == (9, 2, 11)
    assert asked("--games", "kuhn_poker").iterations == Config.iterations


def test_a_suite_is_run_killed_and_resumed(tmp_path: Path):
    out = tmp_path / "run"
    few = ("--games", "kuhn_poker", "--seeds", 1, "--quiet", "--out", out)
    solvers = ("shor > shor_eval", "shor > average(shor):last=3", "rm")
    assert call(*SUITE, *few, "--iterations", 2, "--solvers", *solvers) == 0
    lost = sorted(out.glob("cells/*.json"))
    assert len(lost) == 3
    kept = {path.name: json.loads(path.read_text()) for path in lost}
    lost[0].unlink()
    assert call("--resume", "--out", out, "--quiet") == 0
    again = json.loads(lost[0].read_text())
    before = kept[lost[0].name]
    for result in (again, before):
        del result["curves"]["cpu_seconds"], result["seal"]  # which is over times too
    assert again == before
    rows = [*csv.DictReader((out / "table.csv").read_text().splitlines())]
    assert len(rows) == 3
    for row in rows:  # NashConv over the number of players
        assert float(row["exploitability"]) == float(row["gap"]) / 2
    assert "| exploitability |" in (out / "table.md").read_text()


def test_a_named_evaluation_is_crossed_with_no_other():
    config = Config(
        games=("kuhn_poker",),
        solvers=("rm:steps=9|8>nash", "rm"),
        eval_solvers=("same", "mgcce"),
    )
    assert [(one.solver, one.evaluation) for one in config.methods] == [
        ("rm:steps=9", "nash"),
        ("rm:steps=8", "nash"),
        ("rm", "same"),
        ("rm", "mgcce"),
    ]
    assert config.methods[0].name == "rm:steps=9 > nash"


@pytest.mark.parametrize("spec", ["rm > ", "> rm", "rm > nash > mgcce"])
def test_half_pairs_are_refused(spec, capsys, tmp_path):
    words = ["--games", "kuhn_poker", "--solvers", spec]
    says = "must be written as 'shor > shor_eval'; got"
    refused(compare, words, says, folder=tmp_path, capsys=capsys)


def test_a_strangers_evaluation_is_asked_for_as_well(monkeypatch):
    monkeypatch.setattr(trust.registry, "reaches", lambda spec: (f"import {spec}",))
    reaching = trust._each(lambda spec: trust.registry.reaches(spec))
    assert reaching("rm > evil:a=1|2") == (
        "import rm",
        "import evil:a=1",
        "import evil:a=2",
    )


def test_an_unknown_suite_is_refused(capsys):
    with pytest.raises(Exception, match="--suite must be one of deepmind2026"):
        asked("--suite", "mine")
