"""The response head: its summary of a mixture, gradients, and what it exports."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from responses import task as respond

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.head import Mixture, OneHidden, ResponseHead
from metaspiel.learn.mlp import MLP
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError

KUHN = OpenSpielSimulator("kuhn_poker")
SMALL = PPOResponse(decisions=250, games=16, rounds=8, minibatch=64, epochs=1, width=16)


@dataclass(frozen=True)
class Concatenated:
    """Codes beside the observation: they fold into the first bias of the body."""

    body: MLP
    codes: int

    @property
    def size(self):
        return self.body.size + self.codes * self.body.width

    def initial(self, generator):
        rows = torch.randn(self.codes * self.body.width, generator=generator)
        return torch.cat([self.body.initial(generator), rows / 2])

    def folded(self, weights, codes):
        plain, rows = weights.split([self.body.size, self.codes * self.body.width])
        shift = codes @ rows.view(self.codes, self.body.width)
        first = self.body.inputs * self.body.width
        last = self.body.size - first - self.body.width
        return plain + torch.nn.functional.pad(shift, (first, last))


CONDITIONAL = Concatenated(MLP.of(KUHN, 16), 3)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def codes(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


def head(conditional=CONDITIONAL, **changes):
    mixture = Mixture.of([codes(2)], np.array([0.25, 0.75]))
    return ResponseHead(
        conditional=conditional, **{"mixture": mixture, "width": 8} | changes
    )


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    most=st.integers(1, 70),
    seed=st.integers(0, 999),
)
def test_a_mixture_is_its_most_likely_profiles(sizes, most, seed):
    rng = np.random.default_rng(seed)
    co_play = rng.integers(0, 3, size=sizes) + 1e-3 * (rng.random(sizes) < 0.1)
    co_play.flat[0] += 0.5
    co_play /= co_play.sum()
    own = [codes(size, number) for number, size in enumerate(sizes)]
    mixture = Mixture.of(own, co_play, most)
    order = sorted(np.ndindex(*sizes), key=lambda j: (-co_play[j], j))
    order = [j for j in order if co_play[j] > 0][:most]
    wanted = [
        np.concatenate([c[k] for c, k in zip(own, j, strict=True)]) for j in order
    ]
    np.testing.assert_array_equal(mixture.codes, wanted)
    mass = sum(co_play[j] for j in order)
    assert mixture.mass == pytest.approx(mass) and mass <= 1 + 1e-9
    np.testing.assert_allclose(
        mixture.weights, [co_play[j] / mass for j in order], rtol=1e-5
    )


def test_the_summary_is_the_mean_of_f_over_profiles():
    one = head()
    weights = one.initial(seeded(1))
    w1, b1, w2, b2 = one.split(weights)[1].split([24, 8, 24, 3])
    each = [
        np.maximum(c @ w1.view(3, 8).numpy() + b1.numpy(), 0) @ w2.view(8, 3).numpy()
        for c in codes(2)
    ]
    wanted = 0.25 * each[0] + 0.75 * each[1] + b2.numpy()
    np.testing.assert_allclose(one.code(weights), wanted, atol=1e-6)
    assert not head(blank=True).code(weights).any()


def test_correlated_co_players_are_no_product_of_their_marginals():
    own, diagonal = [codes(2), codes(2, 1)], np.diag([0.5, 0.5])
    made = [Mixture.of(own, co_play) for co_play in (diagonal, np.full((2, 2), 0.25))]
    heads = [head(mixture=mixture) for mixture in made]
    weights = heads[0].initial(seeded(0))
    assert not torch.allclose(*(one.code(weights) for one in heads), atol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"blank": True}, {"frozen": True}])
def test_gradients_are_finite_differences(changes):
    one = head(Concatenated(MLP(2, 3, 2), 3), width=4, **changes)
    assert isinstance(one, Network)
    weights = torch.randn(one.size, generator=seeded(4)).requires_grad_()
    x = torch.randn(5, 2, generator=seeded(5))
    total = one.scores(weights, x)[:, 0].sum()
    (gradient,) = torch.autograd.grad(total, weights)
    for at in range(one.size):
        step = torch.zeros(one.size)
        step[at] = 1e-3
        with torch.no_grad():
            up, down = (
                one.scores(weights + way, x)[:, 0].double().sum()
                for way in (step, -step)
            )
        slope = 0.0 if one.frozen and at < one.conditional.size else (up - down) / 2e-3
        assert float(gradient[at]) == pytest.approx(float(slope), rel=0.02, abs=1e-2)
    of_f = gradient[one.conditional.size :]
    assert bool(of_f.any()) != one.blank


def exercise(settings=SMALL, learner=None, seed=0, **changes):
    """Player 0 of Kuhn poker against two coded policies, played as plain networks."""
    common = CONDITIONAL.initial(seeded(8))
    plain = CONDITIONAL.folded(common, torch.from_numpy(codes(2))).numpy()
    pool, co_play = Pool.of(plain, "sampled"), np.array([0.25, 0.75])
    made = respond(
        KUHN,
        CONDITIONAL.body,
        settings,
        pool,
        seed=(seed,),
        learner=learner,
        co_play=co_play,
    )
    return replace(made, **changes), common


def test_a_warm_head_learns_and_exports_a_plain_network():
    one = head()
    settings = replace(SMALL, decisions=3000, rate=2e-2)
    asked, common = exercise(settings, one)
    warm = one.warm(common, seeded(3))
    assert torch.equal(one.split(warm)[0], common)
    (made,) = train([replace(asked, initial=warm.numpy())])
    after = torch.from_numpy(made.policy)
    assert after.shape == (one.size,)
    moved = [
        (a - b).abs().max()
        for a, b in zip(one.split(after), one.split(warm), strict=True)
    ]
    assert min(moved) > 1e-3
    plain = one.exported(after)
    x = torch.rand(7, KUHN.inputs, generator=seeded(0))
    assert torch.equal(CONDITIONAL.body.scores(plain, x), one.scores(after, x))
    ways = torch.stack([plain, one.exported(warm)]).numpy()
    pools = Pool.of(ways, "sampled"), asked.pools[1]
    match = Matches(
        simulator=KUHN,
        network=CONDITIONAL.body,
        pools=pools,
        profiles=pure(np.array([[0, 1], [1, 1]]), 800),
        seed=(1,),
    )
    better = play([match])[0].mean[0, :, 0]
    assert better[0] > better[1] + 0.1


def test_a_frozen_trunk_stays_and_a_blank_summary_is_not_learned():
    for changes, still in (({"frozen": True}, 0), ({"blank": True}, 1)):
        one = head(**changes)
        asked, common = exercise(SMALL, one)
        warm = one.warm(common, seeded(3))
        (made,) = train([replace(asked, initial=warm.numpy())])
        before, after = (one.split(w) for w in (warm, torch.from_numpy(made.policy)))
        assert torch.equal(before[still], after[still])
        assert not torch.equal(before[1 - still], after[1 - still])


def test_a_trial_does_not_feel_its_neighbours():
    other = Mixture.of([codes(2, 5)], np.array([1.0, 0.0]))
    heads = [head(), head(mixture=other, width=5), None]
    tasks = [exercise(SMALL, one, seed=s)[0] for s, one in enumerate(heads)]
    whole = train(tasks)
    assert len({made.policy.shape for made in whole}) == 3
    for one, many in zip(tasks, whole, strict=True):
        again = pickle.loads(pickle.dumps(one))
        assert train([again])[0].policy.tobytes() == many.policy.tobytes()


def test_a_double_dqn_begins_with_the_exported_weights():
    settings = DDQN(decisions=320, games=16, capacity=100, minimum=100, rate=0.0)
    one = head()
    asked, common = exercise(settings)
    plain = one.exported(one.warm(common, seeded(3))).numpy()
    (made,) = train([replace(asked, initial=plain)])
    assert made.policy.tobytes() == plain.tobytes()
    wide = MLP.of(KUHN, 24)
    both = train([asked, replace(asked, learner=wide)])
    assert [len(m.policy) for m in both] == [CONDITIONAL.body.size, wide.size]
    with pytest.raises(UserError, match="must be an MLP, whose update is written"):
        exercise(settings, one)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (lambda: head(blank=True, frozen=True), "must not go together"),
        (lambda: head(width=0), "width must be at least 1; got 0"),
        (
            lambda: head(Concatenated(MLP(2, 3, 2), 2)),
            "codes of 2 numbers each, as the conditional network has; got 3 in all",
        ),
        (lambda: Mixture.of([codes(2)], np.ones(3) / 3), "a probability for each"),
        (lambda: Mixture.of([codes(2)], np.ones(2) / 2, 0), "and 0 kept"),
        (lambda: Mixture.of([codes(2)], np.zeros(2)), "sum to 0"),
        (lambda: OneHidden(3, 0, 2), "width must be at least 1"),
        (
            lambda: exercise(learner=head(Concatenated(MLP(2, 3, 2), 3))),
            "the network must have 11 inputs",
        ),
        (
            lambda: exercise(learner=head(), initial=np.zeros(3, np.float32)),
            r"initial must be the \d+ weights of ResponseHead",
        ),
    ],
)
def test_impossible_heads_are_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        asked()
