"""The front door: what it takes, and how far a loop is passed on to solvers."""

import inspect
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from meta_solvers import (
    Answer,
    Game,
    MetaSolver,
    Progress,
    Status,
    UserError,
    get,
    solve,
)
from meta_solvers.base import check
from meta_solvers.baselines import Uniform
from meta_solvers.several import BestOf, Fallback
from meta_solvers.wrap import MixedWithUniform, WithoutDominated

PENNIES = np.array([[1.0, -1.0], [-1.0, 1.0]])
PRISONERS = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])
plainly = inspect.unwrap(solve)  # as installed: tests also check types


def test_a_spec_is_as_good_as_a_solver():
    one, two = (
        solve("mgcce:epsilon=0.1", PRISONERS),
        solve(get("mgcce:epsilon=0.1"), PRISONERS),
    )
    assert one.joint.tobytes() == two.joint.tobytes()
    assert one.solver == two.solver
    with pytest.raises(UserError, match="unknown name 'mgcc'"):
        solve("mgcc", PRISONERS)


@pytest.mark.parametrize("thing", [Uniform, 3, None, np.zeros((30, 30))])
def test_what_is_no_solver_is_refused(thing):
    with pytest.raises(UserError, match="must be a solver or its spec") as refused:
        plainly(thing, PRISONERS)
    assert len(str(refused.value)) < 160


def test_an_interruption_of_compiled_code_is_one(monkeypatch):
    def interrupted(*_):
        raise SystemError(
            "returned a result with an exception"
        ) from KeyboardInterrupt()

    monkeypatch.setattr(Uniform, "distribution", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solve("uniform", PRISONERS)


@pytest.mark.parametrize("matrix", [PENNIES, PENNIES.tolist(), [[2, 0, 1], [1, 3, 0]]])
def test_a_matrix_is_a_zero_sum_game_and_the_solution_says_so(matrix):
    solution = solve("nash_lp", matrix)
    assert "zero-sum" in solution.diagnostics["read_as"]
    assert solution.values.sum() == pytest.approx(0, abs=1e-12)
    both = np.stack([np.asarray(matrix), -np.asarray(matrix)])
    assert solution.joint.tobytes() == solve("nash_lp", both).joint.tobytes()
    assert "read_as" not in solve("nash_lp", both).diagnostics


@pytest.mark.parametrize("row", [[[1.0, 4.0, 2.0]], np.zeros((1, 1))])
def test_one_row_may_be_two_games_and_must_say_which(row):
    with pytest.raises(UserError, match=r"Game\(payoffs\), or .* Game.zero_sum\(mat"):
        solve("mwcce", row)
    alone, two = solve("mwcce", Game(row)), solve("mwcce", Game.zero_sum(row))
    assert (alone.joint.ndim, two.joint.ndim) == (1, 2)
    assert alone.values[0] == np.max(row) and two.values[0] == np.min(row)


@pytest.mark.parametrize("rng", ["x", -1, 1.5, None, [1, 2]])
def test_what_is_no_generator_is_refused(rng):
    with pytest.raises(
        UserError, match="rng must be a generator of numpy's or a whole"
    ):
        plainly("rd", PRISONERS, rng)


def test_what_is_no_progress_is_refused():
    with pytest.raises(UserError, match="progress must be a Progress or None; got 5"):
        plainly("rd", PRISONERS, progress=5)


@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        ([1.0, 2.0], r"shape \[N, A1, ..., AN\]; got an array of shape \[2\]"),
        ([[1.0, np.inf], [0, 1]], "matrix must be finite; got inf"),
        ([[1.0, 2.0], [3.0]], "payoffs must be a rectangular array"),
        (np.zeros((2, 0)), "at least one action"),
        (np.zeros((3, 2, 2)), "the first axis must be 2"),
        ("chicken", "payoffs must be a rectangular array of real numbers"),
    ],
)
def test_what_is_no_game_is_refused_with_a_sentence(game, sentence):
    with pytest.raises(UserError, match=sentence):
        solve("uniform", game)


def test_a_zero_sum_game_has_two_axes():
    assert Game.zero_sum(PENNIES).payoffs[1].tolist() == (-PENNIES).tolist()
    with pytest.raises(UserError, match=r"must have shape \[A1, A2\]; got \[2\]"):
        Game.zero_sum([1, 2])


@dataclass(frozen=True)
class Listener(MetaSolver):
    """Says what it heard of the loop."""

    players: ClassVar[tuple[int, float]] = (2, 2)

    def distribution(self, game, rng):
        return self.answer(game, rng, None)

    def answer(self, game, rng, progress):
        joint = np.full(game.actions, 1 / game.profiles)
        if progress is None:
            return Answer(joint)
        facts = {"iteration": progress.iteration, "horizon": progress.horizon}
        facts |= {"gap": progress.gap, "past": [p.shape for p in progress.past]}
        return Answer(joint, diagnostics=facts)


@dataclass(frozen=True)
class Expander(Listener):
    expands_repeats: ClassVar[bool] = True


PROGRESS = Progress(iteration=2, horizon=9, gap=0.5, past=(np.ones((1, 1)),))
WHOLE = {"iteration": 2, "horizon": 9, "gap": 0.5, "past": [[1, 1]]}


def of_loop(diagnostics):
    return {key: diagnostics[key] for key in WHOLE if key in diagnostics}


def test_solve_passes_the_progress_on():
    solution = solve(Listener(), PRISONERS, progress=PROGRESS)
    assert of_loop(solution.diagnostics) == WHOLE
    assert of_loop(solve(Listener(), PRISONERS).diagnostics) == {}


def test_wrappers_pass_the_progress_on():
    game = Game(PRISONERS)
    mixed = solve(MixedWithUniform(Listener()), game, progress=PROGRESS)
    assert of_loop(mixed.diagnostics["inner"]["diagnostics"]) == WHOLE
    for wrapper in (Fallback((Listener(),)), BestOf((Listener(),))):
        solution = solve(wrapper, game, progress=PROGRESS)
        assert of_loop(solution.diagnostics["inner"]) == WHOLE
    both = WithoutDominated(MixedWithUniform(Listener()))
    inner = solve(both, game, progress=PROGRESS).diagnostics["inner"]["inner"]
    assert of_loop(inner["diagnostics"]) == {**WHOLE, "past": []}


def test_past_answers_of_other_actions_are_left_out():
    game = Game(PRISONERS, repeats=[[2, 1], [1, 3]])
    assert solve(Listener(), game, progress=PROGRESS).diagnostics["past"] == [[1, 1]]
    assert solve(Expander(), game, progress=PROGRESS).diagnostics["past"] == []
    plain = solve(Expander(), PRISONERS, progress=PROGRESS)
    assert plain.diagnostics["past"] == [[1, 1]]


@pytest.mark.parametrize("fields", [{"iteration": -1}, {"iteration": 0, "horizon": 0}])
def test_impossible_progress_is_refused(fields):
    with pytest.raises(UserError, match=r"Progress\(\): .* must be at least"):
        Progress(**fields)


def thresholds(spec, horizon, iterations):
    game = Game(np.random.default_rng(0).normal(size=(2, 3, 3)))
    answers = [
        solve(spec, game, throw=False, progress=Progress(iteration=k, horizon=horizon))
        for k in iterations
    ]
    return [answer.diagnostics["threshold"] for answer in answers]


@pytest.mark.parametrize("name", ["rrd", "r3d"])
def test_a_threshold_falls_linearly_and_then_stays(name):
    fields = "threshold=5,final=1,steps=50"
    falling = thresholds(f"{name}:{fields}", 4, range(6))
    assert falling == pytest.approx([5, 4, 3, 2, 1, 1])
    falling = thresholds(f"{name}:{fields},over=2", 40, range(4))
    assert falling == pytest.approx([5, 3, 1, 1])
    assert thresholds(f"{name}:{fields},over=2", None, [1]) == pytest.approx([3])


def test_the_published_schedule():
    ours = thresholds("r3d:threshold=5,final=1e-5,over=20,steps=5", None, range(25))
    theirs = [max(1e-5, 5 - 5 * k / 20) for k in range(25)]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["rrd", "r3d"])
def test_an_annealed_answer_is_that_at_its_threshold(name):
    game = Game(9 * np.random.default_rng(1).normal(size=(2, 4, 4)))
    halfway = Progress(iteration=5, horizon=10)
    annealed = solve(f"{name}:threshold=3,final=1", game, throw=False, progress=halfway)
    fixed = solve(f"{name}:threshold=2", game, throw=False)
    assert annealed.joint.tobytes() == fixed.joint.tobytes()
    again = solve(f"{name}:threshold=3,final=1", game, throw=False, progress=halfway)
    assert again.joint.tobytes() == annealed.joint.tobytes()
    earlier = solve(f"{name}:threshold=3,final=1", game, throw=False, progress=PROGRESS)
    assert earlier.joint.tobytes() != annealed.joint.tobytes()


def test_an_annealed_threshold_must_know_where_the_loop_is():
    with pytest.raises(UserError, match="final must have a loop"):
        solve("r3d:final=0", PRISONERS)
    with pytest.raises(UserError, match="over must say in how many iterations"):
        solve("rrd:final=0", PRISONERS, progress=Progress(iteration=1))


@pytest.mark.parametrize("progress", [None, Progress(iteration=1)])
@pytest.mark.parametrize("around", ["fallback", "best"])
def test_a_solver_that_knows_too_little_of_the_loop_is_passed_over(around, progress):
    both = get(f"{around}(rrd:final=0,mgcce)")
    solution = solve(both, PRISONERS, progress=progress)
    assert solution.diagnostics["chosen"] == solve("mgcce", PRISONERS).solver["name"]
    assert solution.diagnostics["tried"][0]["status"] == "REFUSED"
    none = get(f"{around}(rrd:final=0,undominated(r3d:final=0),nash_lp)")
    with pytest.raises(UserError, match=r"every solver refuses: .*final.*final.*zero"):
        check(none, Game(PRISONERS), progress)
    check(none, Game(PRISONERS), Progress(iteration=1, horizon=3))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("rrd:threshold=0.1,final=0.2", "final must be from 0 to threshold, 0.1"),
        ("r3d:final=-1", "final must be from 0 to threshold"),
        ("r3d:over=3", "over must come with final"),
        ("rrd:final=0,over=0", "over must be at least 1; got 0"),
        ("rrd:threshold=nan", "threshold must be a number >= 0; got nan"),
    ],
)
def test_impossible_annealing_is_refused(spec, sentence):
    with pytest.raises(UserError, match=sentence):
        get(spec)


def test_what_promises_nothing_claims_no_gap():
    assert "no gap was held" in Status.OK.sentence("none")
    assert "no gap" not in Status.OK.sentence("cce")
    assert Status.INFEASIBLE.sentence("none") == Status.INFEASIBLE.value
