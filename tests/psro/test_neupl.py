"""NeuPL-JPSRO in its exact form: one network for a whole population."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from meta_solvers import get
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.sequence import from_normal_form
from metaspiel.learn.conditional import CONDITIONINGS, Conditional
from metaspiel.learn.mlp import MLP
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from psro import InProcess, Setup, checkpoint, exact_arena, run, start
from psro.neupl import Codes, Distillation, PayoffNetwork, neural_arena
from psro.neupl.distilling import distil
from psro.neupl.lesson import Lesson

KUHN = "kuhn_poker"


def setup(arena, solver="mgcce", concept="cce", seed=0):
    oracle, evaluator = arena.parts(seed, InProcess())
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=get(solver),
        concept=concept,
        seed=seed,
    )


def states(arena, iterations, **kw):
    made = setup(arena, **kw)
    return list(run(made, start(made), iterations))


@pytest.mark.parametrize("kind", CONDITIONINGS)
def test_a_code_stands_for_a_plain_network(kind):
    network = Conditional(MLP(7, 12, 3), 5, kind)
    generator = torch.Generator().manual_seed(0)
    weights = network.initial(generator)
    codes, x = (torch.randn(n, d, generator=generator) for n, d in ((4, 5), (6, 7)))
    folded = network.folded(weights, codes)
    state, code = torch.arange(6).repeat(4), torch.arange(4).repeat_interleave(6)
    paired = network.paired(weights, codes, x, state=state, code=code).view(4, 6, 3)
    plain = torch.stack([network.body.scores(one, x) for one in folded])
    torch.testing.assert_close(paired, plain, rtol=1e-5, atol=1e-5)
    assert (paired[0] - paired[1]).abs().max() > 1e-3  # codes differ in what they do


def lesson(teacher, legal, new):
    states_, count = legal.shape[0], len(teacher)
    return Lesson(
        x=torch.eye(states_).double(),
        legal=torch.from_numpy(legal),
        state=torch.arange(states_).repeat(count),
        code=torch.arange(count).repeat_interleave(states_),
        teacher=torch.from_numpy(teacher.reshape(count * states_, -1)),
        new=torch.tensor(new).repeat_interleave(states_),
    )


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
def test_distillation_learns_and_keeps(optimiser):
    network = Conditional(MLP(4, 32, 3), 4)
    weights = network.initial(torch.Generator().manual_seed(1)).double().numpy()
    legal = np.ones((4, 3), dtype=bool)
    legal[0, 2] = False
    rng = np.random.default_rng(0)
    teacher = rng.dirichlet(np.ones(3), (3, 4)) * legal
    teacher /= teacher.sum(axis=2, keepdims=True)
    settings = Distillation(tolerance=1e-3, steps=3000, optimiser=optimiser)
    made = distil(
        network,
        weights,
        rng.normal(size=(3, 4)),
        lesson=lesson(teacher, legal, [False, False, True]),
        settings=settings,
    )
    assert made.reached
    assert made.error <= 1e-3
    assert made.new_error <= made.error
    assert made.steps < 3000
    few = distil(
        network,
        weights,
        rng.normal(size=(3, 4)),
        lesson=lesson(teacher, legal, [False, False, True]),
        settings=replace(settings, steps=3),
    )
    assert not few.reached
    assert few.steps == 3
    assert few.error > 1e-3


@pytest.mark.slow
def test_kuhn_as_good_as_with_separate_policies():
    for game, iterations in ((KUHN, 8), ("kuhn_poker(players=3)", 10)):
        form = sequence_form(game)
        exact = states(exact_arena(form), iterations)
        neural = states(neural_arena(form), iterations)
        assert neural[-1].gap("cce") <= exact[-1].gap("cce") + 1e-3
        assert all(all(s.population.notes.get("distil_reached", [])) for s in neural)


@pytest.mark.parametrize(
    "tie_break", ["first", pytest.param("random", marks=pytest.mark.slow)]
)
def test_a_population_without_error_is_that_of_jpsro(tie_break):
    """Theorem 3.2: with exact distillation pools and payoffs are JPSRO's."""
    form = sequence_form(KUHN)
    settings = Distillation(tolerance=1e-7, steps=20_000)
    neural = states(
        neural_arena(form, distillation=settings, tie_break=tie_break, ties=1e-6), 3
    )
    exact = states(exact_arena(form, tie_break=tie_break, ties=1e-6), 3)
    for ours, theirs in zip(neural, exact, strict=True):
        assert ours.population.sizes == theirs.population.sizes
        np.testing.assert_allclose(
            ours.table.values, theirs.table.values, rtol=0, atol=1e-6
        )
        assert abs(ours.gap("cce") - theirs.gap("cce")) < 1e-5


def test_earlier_policies_are_forgotten_without_the_regulariser():
    form = sequence_form(KUHN)
    kept, lost = (
        states(neural_arena(form, distillation=Distillation(old_weight=w)), 5)
        for w in (1.0, 0.0)
    )

    def drift(listed):
        return max(
            np.abs(
                after.table.values[(..., *(slice(n) for n in before.population.sizes))]
                - before.table.values
            ).max()
            for before, after in pairwise(listed)
        )

    assert drift(kept) < 0.02
    assert drift(lost) > 0.2


def test_growing_renews_every_member_and_novel_counts_new_ones_only():
    form = sequence_form(KUHN)
    one, two = states(neural_arena(form), 2)
    old = {uid for pool in one.population.uids for uid in pool}
    new = {uid for pool in two.population.uids for uid in pool}
    assert not old & new
    assert two.novel == sum(two.population.sizes) - sum(one.population.sizes)
    assert two.population.common.shape == one.population.common.shape


def test_resumes_bit_for_bit(tmp_path):
    form = sequence_form(KUHN)
    made = setup(neural_arena(form))
    whole = list(run(made, start(made), 4))
    half = list(run(made, start(made), 2))[-1]
    read = checkpoint.load(checkpoint.save(half, tmp_path / "checkpoint"))
    assert read.population.notes == half.population.notes
    last = list(run(setup(neural_arena(form)), read, 4))[-1]
    assert last.population.common.tobytes() == whole[-1].population.common.tobytes()
    assert last.table.values.tobytes() == whole[-1].table.values.tobytes()


@pytest.mark.parametrize("networks", ["player", "all"])
def test_one_network_for_all_players(networks):
    form = sequence_form(KUHN)
    last = states(neural_arena(form, codes=Codes(networks=networks)), 6)[-1]
    sizes = {"player": 2, "all": 1}
    assert (
        len(last.population.notes.get("distil_error", [0] * sizes[networks]))
        == (sizes[networks])
    )
    assert last.gap("cce") < 0.2


def test_a_shared_pool_of_a_symmetric_game():
    game = "goofspiel(num_cards=3,imp_info=True,points_order=descending)"
    last = states(neural_arena(sequence_form(game), shared=True), 3)[-1]
    assert last.population.shared
    assert sum(m.repeats for m in last.population.pools[0]) == 2 * 3 + 1
    assert last.population.uids[0] == last.population.uids[1]
    assert np.isfinite(last.gap("cce"))


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_robust_gap_is_never_violated(share):
    """A realised gap in the population is at most the stored one and twice eta."""
    form = sequence_form(KUHN)
    arena = neural_arena(form, payoffs=PayoffNetwork(share=share, within=1.0))
    made = setup(arena)
    worst = 0.0
    for state in run(made, start(made), 6):
        stored = state.table.values[0]
        plans = made.oracle.student.realised(state.population).stacked()
        realised = form.tensor(plans)
        eta = np.abs(realised - stored).max()
        joint = state.train.joint
        inside = measure(Game(realised), joint).cce
        allowed = measure(Game(stored.copy()), joint).cce + 2 * eta
        assert (inside <= allowed + 1e-12).all()
        worst = max(worst, eta)
    assert (worst > 0.01) == (share < 1)  # estimates that err, or payoffs as they are


def test_all_states_have_teachers_that_sum_to_one():
    last = states(neural_arena(sequence_form(KUHN), weighting="all"), 3)[-1]
    assert all(last.population.notes["distil_reached"])


def test_a_response_is_known_by_what_it_does_however_roughly_it_was_learned():
    rough = Distillation(tolerance=0.2, steps=200)
    last = states(neural_arena(sequence_form(KUHN), distillation=rough), 12)[-1]
    assert max(last.population.sizes) <= 9
    assert any(m.repeats > 1 for pool in last.population.pools for m in pool)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: Codes(size=0), "size must be at least 1; got 0"),
        (lambda: Distillation(tolerance=0.0), "no probability could reach it"),
        (
            lambda: Distillation(old_weight=-1.0),
            "old_weight must be a number of at least 0",
        ),
        (
            lambda: neural_arena(from_normal_form(Game(np.zeros((2, 2, 2))))),
            "must show its information states as tensors",
        ),
    ],
)
def test_refuses(made, sentence):
    with pytest.raises(UserError, match=sentence):
        made()


def test_refuses_weights_of_another_network():
    form = sequence_form(KUHN)
    wide = setup(neural_arena(form, codes=Codes(width=64)))
    small = start(setup(neural_arena(form, codes=Codes(width=32))))
    with pytest.raises(UserError, match="must have 2 x"):
        list(run(wide, small, 1))
