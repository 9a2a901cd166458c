"""Runs that exist, as values; their policies are judged by OpenSpiel."""

import sys

import pyspiel
import pytest
from open_spiel.python.algorithms import exploitability

import metaspiel
from experiments.lab.page import main
from experiments.psro import __main__ as psro
from metaspiel.nfg import marginals

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


def test_a_run_is_read_whole_and_shown_in_a_line(tmp_path):
    run = play(tmp_path / "<run>", "--iterations", "3", "--gaps", "all")
    assert repr(run) == (
        f"<Run '{run.folder}': kuhn_poker, mgcce, oracle exact, 3 iterations, "
        f"4x4 policies, CCE gap {run.gap:.4g}>"
    )
    assert "&lt;run&gt;" in run._repr_html_()
    assert [row["iteration"] for row in run.metrics] == [0, 1, 2, 3]
    assert run.metrics.column("gap")[-1] == run.gap
    assert run.sigma.shape == run.meta_game.actions == run.population.sizes
    assert run.concept == "cce" and run.state.iteration == 3
    solution = metaspiel.solve("uniform", run.meta_game)
    assert solution.joint.shape == run.sigma.shape


def test_players_who_are_not_there_are_refused(tmp_path):
    run = play(tmp_path / "run", "--iterations", "1")
    for ask in (lambda: run.policy(2), lambda: run.member(0, 9)):
        with pytest.raises(metaspiel.UserError, match="must be one of 0 to"):
            ask()
    with pytest.raises(metaspiel.UserError, match="were not learned"):
        run.exploit("learned")
    state = run.game.new_initial_state().child(0).child(1)
    alone = run.policy(0)
    assert sum(alone.action_probabilities(state).values()) == pytest.approx(1)
    with pytest.raises(metaspiel.UserError, match="must be of"):
        alone.action_probabilities(state.child(0))


def test_frames_need_pandas(tmp_path, monkeypatch):
    run = play(tmp_path / "run", "--iterations", "1")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(metaspiel.UserError, match=r"metaspiel\[frames\]"):
        run.metrics.frame()
    monkeypatch.undo()
    pandas = pytest.importorskip("pandas")
    frame = run.metrics.frame()
    assert isinstance(frame, pandas.DataFrame) and list(frame["iteration"]) == [0, 1]
    assert [*frame["policies_0"]] == [row["policies"][0] for row in run.metrics]


def test_learned_policies_are_the_same_in_the_tree_and_by_their_networks(tmp_path):
    run = play(tmp_path / "run", "--oracle", "ppo", "--decisions", "256", "--episodes",
               "20", "--iterations", "2", "--solver", "uniform")  # fmt: skip
    assert run.fits and run.gap is None
    exact = run.exploit()
    judged = exploitability.nash_conv(run.game, run.joint())
    assert exact.exact and judged == pytest.approx(exact.total, abs=1e-9)
    chosen = dict(enumerate(marginals(run.played)))
    lazy = run.networks.cast(run.game)(chosen)
    found = exploitability.nash_conv(run.game, lazy)
    assert found == pytest.approx(judged, abs=1e-6)  # weights are float32
    learned = run.exploit("learned")
    assert not learned.exact and learned.error > 0 and "PPO" in repr(learned)
    assert learned.total <= exact.total + 5 * learned.error


def test_a_population_in_one_network_has_policies_too(tmp_path):
    run = play(tmp_path / "run", "--oracle", "neupl", "--iterations", "1",
               "--solver", "nash_lp", "--distil.steps", "50")  # fmt: skip
    judged = exploitability.nash_conv(run.game, run.joint())
    assert judged == pytest.approx(run.gap, abs=1e-9)


def test_an_unfinished_run_has_no_summary(tmp_path):
    run = play(tmp_path / "run", "--iterations", "1")
    (run.folder / "summary.json").unlink()
    again = metaspiel.load_run(run.folder)
    assert again.gap == run.gap
    with pytest.raises(metaspiel.UserError, match="must have ended"):
        _ = again.summary
