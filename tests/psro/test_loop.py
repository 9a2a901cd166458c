"""PSRO and JPSRO: acceptance values, options, determinism."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from meta_solvers import Game, UserError, get, solve
from meta_solvers.base import Answer, MetaSolver, SolverFailed
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import from_normal_form
from metaspiel.nfg.catalogue import named
from psro import checkpoint
from psro.exact import ExactEvaluator, ExactOracle, judge
from psro.loop import respond, run, start, step
from psro.metrics import Row, row
from psro.parts import Population, Table
from psro.setup import Setup, Stage
from psro.targets import targets

GABRIELE = (
    "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,num_rounds=2,"
    "sheriff_penalty=1.0)"
)
GOOFSPIEL_3 = "goofspiel(num_cards=3,returns_type=total_points)"


def setup(game, solver="mgcce", concept="cce", tie_break="random", **more):
    form = sequence_form(game) if isinstance(game, str) else from_normal_form(game)
    oracle = ExactOracle(
        form,
        tie_break=tie_break,
        initial_policies=more.pop("initial", "uniform"),
        shared=more.pop("shared", False),
    )
    evaluation = more.pop("evaluation", None)
    return Setup(
        oracle=oracle,
        evaluator=ExactEvaluator(form),
        solver=get(solver),
        concept=concept,
        evaluation=get(evaluation) if evaluation else None,
        **more,
    )


def states(parts, iterations):
    first = start(parts)
    return [first, *run(parts, first, iterations)]


def gaps(visited, concept="cce"):
    return np.array([s.gaps[concept].sum() for s in visited])


def test_kuhn_two_players():
    visited = states(setup("kuhn_poker", evaluation="mwcce"), 14)
    assert gaps(visited)[12:].max() < 1e-9
    assert visited[-1].train.values[0] == pytest.approx(-1 / 18, abs=1e-9)


def test_kuhn_three_players():
    assert gaps(states(setup("kuhn_poker(players=3)"), 15)).min() < 1e-8


def test_some_nash_equilibrium_of_every_meta_game_of_three_players():
    parts = setup("kuhn_poker(players=3)", "nash", "ne")
    visited = states(parts, 10)
    assert {state.train.status.name for state in visited} == {"OK"}
    assert max(state.train.gaps.ne.max() for state in visited) < 1e-9
    assert gaps(visited, "ne")[-1] < 0.1 < gaps(visited, "ne")[0]
    assert states(parts, 10)[-1].train.joint.tobytes() == (
        visited[-1].train.joint.tobytes()
    )


@pytest.mark.parametrize(
    ("solver", "concept"), [("mgcce", "cce"), ("mgce", "ce"), ("uniform", "ne")]
)
def test_plans_are_judged_as_the_loop_judges_its_own(solver, concept):
    parts = setup("kuhn_poker(players=3)", solver, concept)
    last = states(parts, 3)[-1]
    plans = last.population.stacked()
    gap, value_sum = judge(parts.oracle.form, plans, last.train.joint, concept)
    assert gap == pytest.approx(last.gap(concept), abs=1e-9) and gap > 0
    assert value_sum == pytest.approx(last.train.values.sum(), abs=1e-9)


def test_goofspiel_follows_the_reference_path():
    visited = states(setup(GOOFSPIEL_3, tie_break="first"), 9)
    expected = [1.3, 1.5, 1.6, 0.82, 0.49, 0.47, 0.25, 0.15, 0.21, 0.21]
    assert [float(f"{g:.2g}") for g in gaps(visited)] == expected


def test_sheriff_reaches_the_optimal_welfare():
    parts = setup(GABRIELE, tie_break="first", evaluation="mwcce")
    last = states(parts, 40)[-1]
    assert last.evaluation.values.sum() == pytest.approx(13.6364, abs=1e-4)
    assert last.evaluation_gaps.sum() < 1e-8


def test_trade_comm_reaches_the_optimal_welfare():
    visited = states(setup("trade_comm(num_items=2)", "mwcce"), 20)
    assert max(s.train.values.sum() for s in visited) == pytest.approx(2.0, abs=1e-6)


def test_first_action_ties_stop_at_the_babbling_equilibrium():
    """Tie-breaking is part of the algorithm: gap 0 at once, welfare stays at 2/9."""
    last = states(setup("trade_comm(num_items=3)", tie_break="first"), 10)[-1]
    assert last.gaps["cce"].sum() == pytest.approx(0, abs=1e-9)
    assert last.train.values.sum() == pytest.approx(2 / 9)


def test_ce_jpsro_reaches_zero_ce_gap_on_kuhn():
    visited = states(setup("kuhn_poker", "mgce", "ce"), 14)
    assert gaps(visited, "ce")[-1] < 1e-9


def test_psro_with_nash_falls_on_kuhn_and_leduc():
    assert gaps(states(setup("kuhn_poker", "nash_lp", "ne"), 15), "ne")[-1] < 1e-8
    leduc = gaps(states(setup("leduc_poker", "nash_lp", "ne"), 30), "ne")
    assert leduc[-1] < 0.5 * leduc[0]


def test_all_gaps_are_ordered():
    """Every CE is a CCE, and the gap of a joint is at least that of its own kind."""
    parts = setup("kuhn_poker", measured=("ne", "cce", "ce"))
    for state in states(parts, 5):
        assert set(state.gaps) == {"cce", "ne", "ce"}
        assert np.all(state.gaps["ce"] >= state.gaps["cce"] - 1e-12)


def test_resumed_run_is_the_same_run():
    parts = setup(GOOFSPIEL_3, evaluation="rvcce", selection="random")
    one = states(parts, 6)[-1]
    half = states(parts, 3)[-1]
    two = list(run(parts, half, 6))[-1]
    assert one.table.values.tobytes() == two.table.values.tobytes()
    assert one.train.joint.tobytes() == two.train.joint.tobytes()
    assert one.evaluation.joint.tobytes() == two.evaluation.joint.tobytes()
    assert one.population.uids == two.population.uids


def test_seed_matters_and_repeats():
    def final(seed):
        return states(setup("kuhn_poker", seed=seed), 6)[-1].table.values.tobytes()

    assert final(3) == final(3)
    assert final(3) != final(4)


@pytest.mark.parametrize("update", ["all", "cycle", "random"])
def test_update_measures_every_players_gap(update):
    visited = states(
        setup("kuhn_poker(players=3)", update=update, tie_break="first"), 4
    )
    grown = sum(visited[-1].population.sizes) - 3
    assert grown == (12 if update == "all" else 4)
    assert np.all(visited[0].gaps["cce"] > 0.1)  # of all players, whoever moved


@pytest.mark.parametrize(
    "selection", ["all", "all_novel", "random", "random_novel", "largest_gap"]
)
def test_selections(selection):
    parts = setup("kuhn_poker", "mgce", "ce", selection=selection)
    visited = states(parts, 8)
    assert gaps(visited, "ce")[-1] < gaps(visited, "ce")[0]
    last = visited[-1].population
    counted = sum(m.repeats for pool in last.pools for m in pool)
    assert counted >= sum(last.sizes)
    if selection == "all_novel":
        assert counted == sum(last.sizes)


def test_repeats_reach_the_meta_game():
    parts = setup("matrix_pd", "uniform", selection="largest_gap")
    last = states(parts, 5)[-1]
    assert [m.repeats for m in last.population.pools[0]] == [1, 5]
    assert last.train.marginals[0] == pytest.approx([1 / 6, 5 / 6])


def test_random_deterministic_start():
    parts = setup("kuhn_poker", initial="random_deterministic")
    first = start(parts)
    assert set(np.unique(first.population.pools[0][0].policy)) <= {0.0, 1.0}


def test_symmetric_population_is_shared():
    game = named("rock_paper_scissors").game
    parts = setup(game, "nash_lp", "ne", shared=True, initial="random_deterministic")
    last = states(parts, 6)[-1]
    assert last.population.uids[0] == last.population.uids[1]
    assert last.gaps["ne"].sum() < 1e-6
    assert last.table.game(last.population, False).symmetric


def test_symmetric_goofspiel_is_accepted_and_kuhn_refused():
    start(setup("goofspiel(num_cards=3)", shared=True))
    with pytest.raises(UserError, match="exchanging players"):
        setup("kuhn_poker", shared=True)


def test_one_player_game():
    last = states(setup(Game(np.array([[1.0, 3.0, 2.0]])), "mwcce"), 3)[-1]
    assert last.train.values[0] == pytest.approx(3.0)
    assert last.gaps["cce"].sum() == pytest.approx(0.0)


def test_best_responses_are_computed_once():
    """What is measured for the gap are the responses, in the first state already."""

    class Counting(ExactOracle):
        asked: ClassVar[list[str]] = []

        def respond(self, population, targets, rng):
            self.asked.append("respond")
            return super().respond(population, targets, rng)

    parts = setup("kuhn_poker", evaluation="mwcce", measured=("cce", "ne"))
    parts = replace(parts, oracle=Counting(parts.oracle.form))
    for state in states(parts, 3):
        assert state.responses is not None and respond(parts, state) is state
        assert all(gap is not None for gap in state.gaps.values())
    assert len(Counting.asked) == 4 * 3  # train, its NE gap, the evaluation solver's


def test_stages_are_the_numbers_that_seeds_were_made_of():
    parts = setup("kuhn_poker", seed=5)
    for stage in Stage:
        wanted = np.random.default_rng([5, 2, int(stage)]).integers(2**60)
        assert parts.rng(2, stage).integers(2**60) == wanted
    assert [stage.value for stage in Stage] == list(range(8))


@dataclass(frozen=True)
class Watching(MetaSolver):
    """Plays uniformly and keeps what it hears of the loop's progress."""

    heard: list = field(default_factory=list)

    def distribution(self, game, rng):
        return Answer(np.full(game.actions, 1 / np.prod(game.actions)))

    def answer(self, game, rng, progress):
        self.heard.append(progress)
        return self.distribution(game, rng)


@dataclass(frozen=True)
class Remembering(Watching):
    uses_past: ClassVar[bool] = True


@pytest.mark.parametrize("solver", [Watching(), Remembering()])
def test_solvers_hear_how_far_the_loop_has_come(solver, tmp_path):
    parts = replace(setup("kuhn_poker", horizon=9), solver=solver)
    visited = states(parts, 4)
    heard = list(solver.heard)
    assert [p.iteration for p in heard] == [0, 1, 2, 3, 4]
    assert {p.horizon for p in heard} == {9}
    assert heard[0].gap is None
    assert [p.gap for p in heard[1:]] == gaps(visited)[:-1].tolist()
    kept = 4 if solver.uses_past else 0
    assert len(visited[-1].past) == len(heard[-1].past) == kept
    for joint, state in zip(heard[-1].past, visited, strict=False):
        assert joint.tobytes() == state.train.joint.tobytes()
    loaded = checkpoint.load(checkpoint.save(visited[2], tmp_path))
    list(run(parts, loaded, 4))
    for one, two in zip(heard[3:], solver.heard[5:], strict=True):
        assert (one.iteration, one.gap) == (two.iteration, two.gap)
        assert [j.tobytes() for j in one.past] == [j.tobytes() for j in two.past]


def test_what_members_share_stays_with_a_growing_population():
    parts = setup("kuhn_poker")
    common = np.arange(3.0)
    first = start(parts)
    shared = replace(first, population=replace(first.population, common=common))
    assert step(parts, shared).population.common is common


def test_ce_targets_are_the_conditionals():
    game = named("chicken").game
    joint = solve(get("mwce"), game).joint
    asked = targets(game, joint, "ce")
    for target in asked:
        row_of = np.moveaxis(joint, target.player, 0)[target.recommendation]
        assert target.weight == pytest.approx(row_of.sum())
        assert target.co_play == pytest.approx(row_of / row_of.sum())
    assert sum(t.weight for t in asked if t.player == 0) == pytest.approx(1.0)


def test_a_solver_without_an_answer_stops_the_run():
    parts = setup("kuhn_poker", "mgcce:epsilon=-1000")
    with pytest.raises(SolverFailed, match="no joint distribution"):
        states(parts, 2)


def test_metrics_row_has_the_gap_of_every_player():
    parts = setup("kuhn_poker(players=3)", evaluation="mwcce")
    made = row(step(parts, start(parts)), "cce")
    assert len(made.gap_per_player) == 3
    assert made.gap == pytest.approx(sum(made.gap_per_player))
    assert made.unique_policies == [2, 2, 2]
    assert set(made.cpu_seconds) == {"respond", "evaluate", "solve"}
    assert Row.read(made.flat) == made and "cce_gap" in made.flat


def test_table_forgets_policies_whose_uid_is_gone():
    """NeuPL's case: a policy that changed is a new uid, and its cells are missing."""
    table = Table.exact(((0, 1), (2,)), np.ones((1, 2, 2, 1)))
    policy = np.ones(1)
    one = Population(((), ()), next_uid=1).add(0, policy)
    grown = table.grow(one.add(1, policy))
    assert grown.uids == ((1,), (2,))
    assert not grown.missing.any()
    fresh = table.grow(Population(((), ()), next_uid=7).add(0, policy).add(1, policy))
    assert fresh.missing.all()
