"""MRA's losses against finite differences, sampled forms and laws."""

import math

import numpy as np
import populated
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games.entities import Sight
from metaspiel.learn import relational
from metaspiel.learn.random import generators
from metaspiel.learn.relational_settings import Relations
from mra import losses
from mra.heads import Classifier, Prior, facts_of

WHO = slice(0, 3)
LAMBDA = 1 / 30
STEP = 1e-8  # short, so that no rectified unit has its kink within


@pytest.fixture(scope="module")
def case():
    """Networks and a minibatch of a small game, in double precision."""
    game = populated.RESOURCE[0]
    rng, torch_rng = np.random.default_rng(1), torch.Generator().manual_seed(1)
    scene = game.start(rng.random((6, game.draws)))
    sight = game.sight(game.state(scene))
    sight = Sight(
        **{
            n: x.double() if x.is_floating_point() else x
            for n, x in vars(sight).items()
        }
    )
    small = Relations(latents=3, hidden=6, key=4, width=8)
    nets = {
        name: getattr(relational, name)(small, game.layout)
        for name in ("graph", "policy", "critic")
    }
    drawn = zip(nets.items(), generators((2,), 3), strict=True)
    weights = {name: 2 * net.initial(one).double() for (name, net), one in drawn}
    return {
        "sight": sight,
        "nets": nets,
        "weights": weights,
        "latents": torch.randint(3, (6, 3), generator=torch_rng),
        "actions": torch.randint(5, (6, 3), generator=torch_rng),
        "playing": torch.rand(6, 3, generator=torch_rng) < 0.8,
        "values": torch.randn(6, 3, 5, generator=torch_rng).double(),
        "targets": torch.randn(6, 3, generator=torch_rng).double(),
    }


def checks(loss, plain, *weights):
    """Autograd's slopes of a loss are the finite differences of a plain function."""
    leaves = [one.clone().requires_grad_() for one in weights]
    slopes = torch.autograd.grad(loss(*leaves), leaves)
    generator = torch.Generator().manual_seed(3)
    for which, slope in enumerate(slopes):
        assert slope.abs().max() > 0
        for _ in range(3):
            way = torch.randn(slope.shape, generator=generator).double()
            ends = []
            for sign in (STEP, -STEP):
                moved = list(weights)
                moved[which] = weights[which] + sign * way
                ends.append(float(plain(*moved)))
            finite = (ends[0] - ends[1]) / (2 * STEP)
            assert float(slope @ way) == pytest.approx(finite, rel=1e-4, abs=1e-6)


def test_the_critics_slope_is_that_of_equation_8(case):
    nets, weights, sight = case["nets"], case["weights"], case["sight"]
    g = nets["graph"].attention(weights["graph"], sight, WHO, case["latents"])

    def loss(zeta):
        values = nets["critic"].values(zeta, sight, WHO, g, case["actions"])
        return losses.critic_loss(
            values, case["actions"], case["targets"], case["playing"]
        )

    def plain(zeta):
        values = nets["critic"].values(zeta, sight, WHO, g, case["actions"])
        errors = [
            (values[r, i, case["actions"][r, i]] - case["targets"][r, i]) ** 2
            for r in range(6)
            for i in range(3)
            if case["playing"][r, i]
        ]
        return sum(errors) / len(errors)

    checks(loss, plain, weights["critic"])


def test_targets_are_what_a_drawn_action_is_worth_on_average(case):
    logits, values = case["values"], case["values"].flip(0)
    made = losses.target(
        case["targets"], case["playing"], logits=logits, values=values, gamma=0.9,
        entropy=LAMBDA,
    )  # fmt: skip
    chance = logits.softmax(2)
    for r in range(6):
        for i in range(3):
            soft = sum(
                chance[r, i, a] * (values[r, i, a] - LAMBDA * chance[r, i, a].log())
                for a in range(5)
            )
            follows = 0.9 * soft if case["playing"][r, i] else 0.0
            assert float(made[r, i]) == pytest.approx(
                float(case["targets"][r, i] + follows)
            )


def test_policy_and_graph_climb_what_is_earned_and_the_entropy(case):
    """Equations 9 and 10: the slope of expected values, whatever the baseline."""
    nets, sight = case["nets"], case["sight"]

    def logits(theta, phi):
        g = nets["graph"].attention(phi, sight, WHO, case["latents"])
        return nets["policy"].logits(theta, sight, WHO, g)

    def loss(theta, phi):
        return losses.policy_loss(
            logits(theta, phi), case["values"], case["playing"], LAMBDA
        )

    def plain(theta, phi):
        chance = logits(theta, phi).softmax(2)
        earned = (chance * case["values"]).sum(2) - LAMBDA * (
            chance * chance.log()
        ).sum(2)
        return -earned[case["playing"]].mean()

    checks(loss, plain, case["weights"]["policy"], case["weights"]["graph"])


def test_the_policys_slope_is_the_mean_of_the_sampled_one():
    logits = torch.tensor([[[0.3, -1.0, 0.5]]], dtype=torch.float64, requires_grad=True)
    values = torch.tensor([[[1.0, 4.0, -2.0]]], dtype=torch.float64)
    playing = torch.ones(1, 1, dtype=torch.bool)
    whole = torch.autograd.grad(
        losses.policy_loss(logits, values, playing, LAMBDA), logits
    )[0]
    chance = logits.detach().softmax(2)
    mean = torch.zeros_like(values)
    for action in range(3):
        advantage = values[0, 0, action] - (chance * values).sum()
        weight = advantage - LAMBDA * chance[0, 0, action].log()
        one = -logits.log_softmax(2)[0, 0, action] * weight
        mean += chance[0, 0, action] * torch.autograd.grad(one, logits)[0]
    torch.testing.assert_close(whole, mean)


def test_the_graph_climbs_the_information_of_equation_11(case):
    nets, weights, sight = case["nets"], case["weights"], case["sight"]
    prior = torch.tensor([0.5, 0.2, 0.3]).double().log()

    def logits(phi):
        g = nets["graph"].attentions(phi, sight, WHO)
        return nets["policy"].logits(weights["policy"], sight, WHO, g)

    def loss(phi):
        nats = losses.information(logits(phi), prior)
        return losses.masked_mean(nats, case["playing"])

    def plain(phi):
        chance, nats = logits(phi).softmax(3), []
        for r, i in case["playing"].nonzero().tolist():
            mixed = sum(prior[z].exp() * chance[r, i, z] for z in range(3))
            nats.append(
                sum(
                    prior[z].exp() * chance[r, i, z] @ (chance[r, i, z] / mixed).log()
                    for z in range(3)
                )
            )
        return sum(nats) / len(nats)

    phi = weights["graph"]
    assert float(loss(phi)) == pytest.approx(float(plain(phi)))
    checks(loss, plain, phi)


def test_prior_and_classifier_descend_the_cross_entropy_of_equation_13(case):
    nets, sight, prior = case["nets"], case["sight"], Prior(1, 3)
    classifier = Classifier(3, 2)
    heads = nets["graph"].attentions(case["weights"]["graph"], sight, WHO)
    facts = facts_of(heads, torch.cdist(sight.places[:, WHO], sight.places))
    counted = torch.ones(6, 3, dtype=torch.bool)

    def loss(psi, xi):
        guessed = classifier.log_probabilities(xi, facts, counted)
        return losses.guess_loss(guessed, prior.log_probabilities(psi, (3,)), 1)

    def plain(psi, xi):
        chances = prior.log_probabilities(psi, (3,)).exp()
        guessed = classifier.log_probabilities(xi, facts, counted)
        each = [-chances[z] * guessed[r, z, 1] for r in range(6) for z in range(3)]
        return sum(each) / 6

    psi, xi = (
        net.network.initial(one).double()
        for net, one in zip((prior, classifier), generators((4,), 2), strict=True)
    )
    checks(loss, plain, psi, xi)


@settings(deadline=None, max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(2, 5)),
    seed=st.integers(0, 2**31),
    scale=st.floats(0, 30),
)
def test_information_is_not_below_0_nor_above_what_fits(shape, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(2, 3, *shape, generator=generator)
    prior = torch.randn(shape[0], generator=generator).log_softmax(0)
    nats = losses.information(logits, prior)
    assert nats.min() > -1e-5
    assert nats.max() < math.log(min(shape)) + 1e-5
    equal = logits[:, :, :1].expand(logits.shape)
    assert losses.information(equal, prior).abs().max() < 1e-5


def test_the_baseline_does_not_depend_on_the_own_action(case):
    nets, weights, sight = case["nets"], case["weights"], case["sight"]
    g = nets["graph"].attention(weights["graph"], sight, WHO, case["latents"])
    chance = nets["policy"].logits(weights["policy"], sight, WHO, g).softmax(2)

    def baseline(actions):
        values = nets["critic"].values(weights["critic"], sight, WHO, g, actions)
        return (chance * values).sum(2)

    before = baseline(case["actions"])
    for agent in range(3):
        others = case["actions"].clone()
        others[:, agent] = (others[:, agent] + 1) % 5
        after = baseline(others)
        assert torch.equal(before[:, agent], after[:, agent])
        rest = [i for i in range(3) if i != agent]
        assert not torch.equal(before[:, rest], after[:, rest])


def test_who_takes_no_part_has_no_weight():
    values = torch.tensor([[1.0, 5.0], [3.0, float(2**20)]])
    playing = torch.tensor([[True, True], [True, False]])
    assert losses.masked_mean(values, playing) == 3.0
    assert losses.masked_mean(values, playing & False) == 0.0


def test_facts_about_a_graph_do_not_tell_how_many_agents_there_are():
    """Equal attention is all zeros, attention to one is all ones, but for distances."""
    for agents in (3, 5, 9):
        far = torch.arange(1.0, agents + 1).view(1, 1, -1)
        equal = torch.full((1, 1, 1, agents), 1 / (agents - 1))
        equal[..., 0] = 0
        one = torch.zeros(1, 1, 1, agents)
        one[..., 1] = 1
        torch.testing.assert_close(facts_of(equal, far), torch.zeros(1, 1, 1, 5))
        if agents > 4:
            live = one.clamp_min(1e-9)
            live[..., 0] = 0
            made = facts_of(live, far)[..., :4]
            torch.testing.assert_close(made, torch.ones(1, 1, 1, 4), atol=1e-5, rtol=0)
