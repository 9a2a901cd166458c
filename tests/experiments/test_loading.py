"""Runs that exist, as values; their policies are judged by OpenSpiel."""

import pyspiel
import pytest
from open_spiel.python.algorithms import exploitability

import metaspiel
from experiments.lab.page import main
from experiments.psro import __main__ as psro

pytestmark = pytest.mark.usefixtures("without_reports")
GOOFSPIEL = "goofspiel(num_cards=3,returns_type=total_points)"


def play(folder, *words):
    code = main(psro.page, psro.Config, [*words, "--quiet", "--out", str(folder)])
    assert code == 0
    return metaspiel.load_run(folder)


@pytest.mark.parametrize(
    ("game", "words"),
    [
        ("kuhn_poker", ("--solver", "nash_lp")),
        ("leduc_poker", ("--solver", "prd")),
        ("goofspiel(num_cards=3)", ("--solver", "nash_lp")),
        ("kuhn_poker(players=3)", ("--solver", "prd", "--concept", "ne")),
    ],
)
def test_openspiel_measures_the_gap_of_the_run(tmp_path, game, words):
    run = play(tmp_path / "run", "--game", game, *words, "--iterations", "4")
    found = exploitability.nash_conv(run.game, run.joint())
    assert found == pytest.approx(run.gap, abs=1e-9)
    assert run.gap == run.summary["gap"] == run.metrics[-1]["gap"] > 0


@pytest.mark.parametrize("game", ["kuhn_poker(players=3)", GOOFSPIEL])
def test_openspiel_measures_the_gap_of_a_correlated_run(tmp_path, game):
    run = play(tmp_path / "run", "--game", game, "--iterations", "6")
    joint = run.joint()
    found = pyspiel.cce_dist(run.game, joint.device()).dist_value
    assert found == pytest.approx(run.gap, abs=1e-9)
    with pytest.raises(metaspiel.UserError, match="draw independently"):
        exploitability.nash_conv(run.game, joint)
    alone = exploitability.nash_conv(run.game, joint.marginals())
    assert abs(alone - run.gap) > 1e-6  # another meta-strategy
