import itertools
import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import (
    Answer,
    Game,
    MetaSolver,
    SolverFailed,
    Status,
    UserError,
    get,
    solve,
)
from meta_solvers.base import failure
from meta_solvers.baselines import RandomJoint, Uniform
from meta_solvers.dominance import survivors
from meta_solvers.learning import FictitiousPlay, RegretMatching
from meta_solvers.several import BestOf, Fallback
from meta_solvers.wrap import MixedWithUniform, WithoutDominated

PRISONERS = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])
SHAPLEY = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=1)])
# The last row is worse than half-half of the others, but than neither alone.
MIXED = np.array([[[3.0, 0], [0, 3], [1, 1]], [[0.0, 1], [1, 0], [5, 0]]])


def random_game(seed, shape, decimals=3):
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=(len(shape), *shape)), decimals)


@dataclass(frozen=True)
class Stub(MetaSolver):
    """Ends with a given status; the first joint action otherwise."""

    status: Status = Status.OK
    tag: str = "stub"
    concept: ClassVar = "ce"
    players: ClassVar[tuple[int, float]] = (2, 2)

    def distribution(self, game, rng):
        if self.status in (Status.INFEASIBLE, Status.NUMERICAL):
            return failure(game, self.status, reason=self.tag)
        joint = np.zeros(game.actions)
        joint.flat[0] = 1.0
        return Answer(joint, self.status, 0.0, {"tag": self.tag})


@dataclass(frozen=True)
class Members(Uniform):
    uses_members: ClassVar[bool] = True


@dataclass(frozen=True)
class Remembers(Uniform):
    uses_past: ClassVar[bool] = True


# Elimination


def test_elimination_of_pure_and_mixed():
    assert survivors(Game(PRISONERS), False, False, False) == ((1,), (1,))
    assert survivors(Game(MIXED), False, False, False) == ((0, 1, 2), (0, 1))
    assert survivors(Game(MIXED), True, False, False) == ((0, 1), (0, 1))
    tie = np.array([[[1.0, 1], [1, 0]], [[0.0, 1], [0, 0]]])
    assert survivors(Game(tie), False, False, False) == ((0, 1), (0, 1))
    assert survivors(Game(tie), False, True, False) == ((0,), (1,))
    assert survivors(Game(tie), True, True, False) == ((0,), (1,))


def test_equal_actions_never_remove_each_other():
    game = Game(np.zeros((2, 3, 3)))
    for mixed, weak in itertools.product((False, True), repeat=2):
        assert survivors(game, mixed, weak, False) == ((0, 1, 2), (0, 1, 2))


def test_weakly_by_a_mixture_alone():
    payoff = np.array([[2.0, 0, 1], [0, 2, 1], [1, 1, 0]])
    game = Game(np.stack([payoff, np.zeros((3, 3))]))
    assert survivors(game, True, False, False)[0] == (0, 1, 2)
    assert survivors(game, False, True, False)[0] == (0, 1, 2)
    assert survivors(game, True, True, False)[0] == (0, 1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@given(seed=st.integers(0, 2**20), mixed=st.booleans(), weak=st.booleans())
@settings(max_examples=25, deadline=None)
def test_equilibria_of_the_reduced_game_are_equilibria(scale, seed, mixed, weak):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 5, rng.integers(1, 4)).tolist())
    payoffs = scale * random_game(seed, shape, 1)
    before = payoffs.copy()
    for inner in ("mwce", "mwcce"):
        solution = solve(WithoutDominated(get(inner), mixed, weak), Game(payoffs))
        assert solution.status is Status.OK  # measured in the whole game
    np.testing.assert_array_equal(payoffs, before)


@given(seed=st.integers(0, 2**20))
@settings(max_examples=20, deadline=None)
def test_strict_elimination_loses_no_correlated_equilibrium(seed):
    payoffs = random_game(seed, (3, 3), 1)
    whole = solve(get("mwce"), payoffs).values.sum()
    for mixed in (False, True):
        part = solve(WithoutDominated(get("mwce"), mixed), payoffs).values.sum()
        assert part == pytest.approx(whole, abs=1e-6)


def test_padding_with_dominated_actions_changes_nothing():
    payoffs = random_game(1, (3, 3))
    padded = np.full((2, 5, 4), -9.0)
    padded[:, :3, :3] = payoffs
    padded[0, 3:, 3] = -10
    padded[1, 3:, 3] = -10
    one = solve(get("undominated(mgce)"), payoffs).joint
    two = solve(get("undominated(mgce)"), padded)
    np.testing.assert_allclose(two.joint[:3, :3], one, atol=1e-9)
    assert two.joint[3:].sum() == two.joint[:, 3:].sum() == 0
    assert (
        two.diagnostics["kept"]
        == solve(get("undominated(mgce)"), payoffs).diagnostics["kept"]
    )


def test_a_member_that_disagrees_keeps_an_action():
    other = PRISONERS[:, ::-1, ::-1]
    game = Game(PRISONERS, members=np.stack([PRISONERS, other]))
    assert solve(WithoutDominated(Uniform()), game).joint[1, 1] == 1
    assert solve(WithoutDominated(Members()), game).joint[0, 0] == 0.25
    agreed = Game(PRISONERS, members=np.stack([PRISONERS, 2 * PRISONERS]))
    assert solve(WithoutDominated(Members()), agreed).joint[1, 1] == 1


def test_members_repeats_and_symmetry_reach_the_inner_solver():
    @dataclass(frozen=True)
    class Looks(Uniform):
        uses_members: ClassVar[bool] = True

        def distribution(self, game, rng):
            assert game.symmetric
            assert game.members.shape == (2, 2, 2, 2)
            assert [r.tolist() for r in game.repeats] == [[2, 4], [2, 4]]
            return super().distribution(game, rng)

    payoff = np.array([[2.0, 0, 5], [0, 2, 5], [-1, -1, -1]])
    both = np.stack([payoff, payoff.T])
    game = Game(both, np.stack([both, both]), [[2, 4, 3]] * 2, symmetric=True)
    joint = solve(WithoutDominated(Looks()), game).joint
    np.testing.assert_allclose(joint[:2, :2], np.outer([1, 2], [1, 2]) / 9)


def test_repeats_with_a_solver_that_expands_them():
    game = Game(MIXED, repeats=[[2, 1, 3], [1, 2]])
    solver = WithoutDominated(get("mece:epsilon=0.05"), mixed=True)
    assert solver.expands_repeats
    assert solve(solver, game).joint[2].sum() == 0


# Mixing


def test_mixing():
    solution = solve(get("mix(nash_lp):weight=0.2"), np.stack([np.eye(2), -np.eye(2)]))
    np.testing.assert_allclose(solution.joint, 0.25)
    game = Game(PRISONERS, repeats=[[3, 1], [1, 1]])
    last = solve(MixedWithUniform(get("last"), 0.4), game).joint
    np.testing.assert_allclose(last, [[0.15, 0.15], [0.05, 0.65]])


def test_a_mixture_is_not_ok_when_its_inner_solver_is_not():
    inner = FictitiousPlay(50, 1e-3)
    solution = solve(MixedWithUniform(inner), SHAPLEY, throw=False)
    assert solution.status is Status.MAX_STEPS
    assert solution.diagnostics["inner"]["diagnostics"]["steps"] == 50
    lost = MixedWithUniform(Stub(Status.INFEASIBLE))
    solution = solve(lost, PRISONERS, throw=False)
    assert solution.status is Status.INFEASIBLE
    assert np.isnan(solution.joint).all()


# Several solvers


def test_fallback_takes_the_first_that_is_ok_and_records_the_rest():
    solver = Fallback(
        (
            get("nash_lp"),
            FictitiousPlay(50, 1e-3),
            Stub(Status.NUMERICAL, "broke"),
            Stub(Status.OK, "not an equilibrium here"),
            RegretMatching(),
            Uniform(),
        )
    )
    solution = solve(solver, SHAPLEY)
    assert solution.status is Status.OK
    assert solution.diagnostics["chosen"] == "RegretMatching"
    ends = [one["status"] for one in solution.diagnostics["tried"]]
    assert ends[0] == "REFUSED"
    assert ends[1:4] == ["MAX_STEPS", "NUMERICAL", "INACCURATE"]
    assert solution.diagnostics["tried"][2]["diagnostics"]["reason"] == "broke"
    assert solution.diagnostics["inner"]["steps"] >= 1


def test_fallback_without_success_keeps_what_there_is():
    both = (Stub(Status.NUMERICAL), FictitiousPlay(50, 1e-3))
    solution = solve(Fallback(both), SHAPLEY, throw=False)
    assert solution.status is Status.MAX_STEPS
    assert solution.joint.sum() == pytest.approx(1)
    with pytest.raises(SolverFailed, match="Fallback: stopped at the step limit"):
        solve(Fallback(both), SHAPLEY)
    none = Fallback((Stub(Status.NUMERICAL), Stub(Status.INFEASIBLE, "no room")))
    solution = solve(none, SHAPLEY, throw=False)
    assert solution.status is Status.INFEASIBLE
    assert solution.diagnostics["tried"][1]["diagnostics"]["reason"] == "no room"


@pytest.mark.parametrize("name", ["fallback", "best"])
def test_when_all_refuse_the_wrapper_refuses(name):
    with pytest.raises(UserError, match=r"every solver refuses: Zero.*; WithoutDom"):
        solve(get(f"{name}(nash_lp,undominated(nash_lp))"), SHAPLEY)


def test_elimination_may_make_a_game_acceptable():
    payoffs = np.array([[[0.0, -1], [-2, -2]], [[0.0, 1], [5, 0]]])
    with pytest.raises(UserError, match="must be zero-sum"):
        solve(get("nash_lp"), payoffs)
    assert solve(get("undominated(nash_lp)"), payoffs).joint[0, 1] == 1
    with pytest.raises(UserError, match="WithoutDominated: after elimination, Zero"):
        solve(get("undominated(nash_lp)"), SHAPLEY)


def test_best_of():
    payoffs = random_game(3, (3, 3, 2))
    by = {
        name: solve(get(f"best(uniform,mgcce,mwcce):by={name}"), payoffs)
        for name in ("gap", "welfare", "entropy")
    }
    assert by["welfare"].diagnostics["chosen"] == "MaxWelfareCCE"
    assert by["entropy"].diagnostics["chosen"] == "Uniform"
    assert by["gap"].diagnostics["chosen"] != "Uniform"
    tried = by["welfare"].diagnostics["tried"]
    assert max(one["welfare"] for one in tried) == pytest.approx(
        by["welfare"].values.sum()
    )
    same = solve(BestOf((Stub(tag="a"), Stub(tag="b"))), np.ones((2, 2, 2)))
    assert same.diagnostics["inner"]["tag"] == "a"


def test_best_of_prefers_an_answer_that_is_ok():
    solver = BestOf((FictitiousPlay(50, 1e-3), Uniform()), by="entropy")
    solution = solve(solver, SHAPLEY + 0.1 * random_game(1, (3, 3)), throw=False)
    assert solution.diagnostics["chosen"] == "Uniform"
    bad = BestOf((Stub(Status.NUMERICAL), Stub(Status.MAX_STEPS)))
    assert solve(bad, SHAPLEY, throw=False).status is Status.MAX_STEPS


def test_entropy_counts_repeats():
    # One of four copies is surprising where the folded game sees a pure joint.
    game = Game(np.zeros((2, 2, 1)), repeats=[[4, 1], [1]])
    solver = BestOf((get("last"), Stub(tag="first")), by="entropy")
    assert solve(solver, game).diagnostics["chosen"] == "Stub"


# Facts and grammar


def test_facts_follow_what_is_wrapped():
    ce, rm, fp = get("mgce"), get("rm"), get("fp")
    soft = get("mece:epsilon=0.1")
    assert WithoutDominated(ce).concept == "ce"
    assert WithoutDominated(get("nash_lp")).players == (2, 2)
    assert WithoutDominated(soft).expands_repeats
    assert MixedWithUniform(ce).concept == "none"
    assert MixedWithUniform(RandomJoint()).stochastic
    assert not MixedWithUniform(soft).expands_repeats  # `solve` expands for it alone
    assert Fallback((fp, ce)).concept == "ce"
    assert Fallback((fp, rm, ce)).concept == "cce"
    assert BestOf((fp, Uniform())).concept == "none"
    assert Fallback((get("nash_lp"), rm)).players == (1, np.inf)
    assert BestOf((Members(), RandomJoint())).uses_members
    assert BestOf((Members(), RandomJoint())).stochastic
    assert BestOf((ce, MixedWithUniform(Remembers()))).uses_past
    assert not WithoutDominated(Remembers()).uses_past  # of actions that may be gone
    assert set(vars(WithoutDominated(ce))) == {"inner", "mixed", "weak"}


def test_a_wrapper_is_an_ordinary_value():
    solver = get("undominated(fp:steps=9):mixed=true")
    assert solver == WithoutDominated(FictitiousPlay(9), mixed=True)
    assert hash(solver) == hash(get("undominated(fp:steps=9):mixed=true"))
    assert pickle.loads(pickle.dumps(solver)).concept == "ne"
    assert replace(solver, inner=get("rm")).concept == "cce"


@pytest.mark.parametrize(
    "spec",
    [
        "undominated(mgce)",
        "undominated(uniform):mixed=true,weak=true",
        "fallback(nash_lp,uniform)",
        "fallback(fp:steps=30,rm:steps=20,uniform):tolerance=1e-4",
        "mix(uniform):weight=0.2",
        "mix(rj)",
        "best(rm:tolerance=0.1,uniform):by=entropy",
        "mix(undominated(fallback(fp:steps=30,mwcce))):weight=0.5",
    ],
)
@pytest.mark.parametrize("shape", [(3, 2), (1, 1), (4,), (2, 2, 2)])
def test_specs_solve_any_game_alike_for_one_seed(spec, shape):
    payoffs = random_game(5, shape)
    before = payoffs.copy()
    one, two = (solve(get(spec), Game(payoffs), rng=3) for _ in range(2))
    assert one.status is Status.OK
    np.testing.assert_array_equal(one.joint, two.joint)
    np.testing.assert_array_equal(payoffs, before)
    assert "inner" in one.diagnostics
    assert "inner" in one.solver["parameters"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MixedWithUniform(Uniform(), 1.5), "weight must be between 0 and 1"),
        (lambda: Fallback(()), r"Fallback\(\): inner must hold at least one solver"),
        (lambda: Fallback((Uniform(),), -1.0), "tolerance must be .* got -1.0"),
        (lambda: get("best(uniform):by=luck"), "unknown value 'luck'"),
        (lambda: get("undominated"), "wraps solvers: write parentheses"),
        (lambda: get("undominated(rj,uniform)"), "exactly one solver; got 2"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
