"""Networks over entities: equal to the plain form, equivariant, blind to the dead."""

import itertools
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sights import layout, mapped, sight
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Sight
from metaspiel.learn import entities_seen, pairs, relational_plain
from metaspiel.learn.maac import MAACCritic
from metaspiel.learn.relational import critic, graph, policy
from metaspiel.learn.relational_recurrent import RecurrentPolicy
from metaspiel.learn.relational_settings import FORMS, MARKS, Relations
from metaspiel.nfg.errors import UserError

ROWS, SMALL = 70, Relations(latents=3, hidden=8, key=4, width=12)
EVERY = [
    Relations(form=form, landmarks=marks, self_path=own, unit=1.0)
    for form, marks, own in itertools.product(FORMS, MARKS, (True, False))
]


def names(value: Relations) -> str:
    return f"{value.form}-{value.landmarks}-{value.self_path}"


class Case:
    """Networks with random weights and biases, and situations."""

    def __init__(
        self, value: Relations, agents: int, rows: int = ROWS, *, dead: float = 0.2
    ) -> None:
        self.layout = layout(agents)
        self.graph = graph(value, self.layout)
        self.policy = policy(value, self.layout)
        self.critic = critic(value, self.layout)
        self.random = torch.Generator().manual_seed(1)
        nets = self.graph, self.policy, self.critic
        self.phi, self.theta, self.zeta = map(self.weights, nets)
        self.sight = sight(self.layout, rows, dead=dead)
        self.who = slice(0, agents)
        shape = rows, agents
        self.latents = torch.randint(value.latents, shape, generator=self.random)
        self.actions = torch.randint(5, shape, generator=self.random)

    def weights(self, net) -> Tensor:
        first = net.initial(self.random)
        noise = torch.randn(first.shape, generator=self.random)
        return (first + noise / 10).requires_grad_()

    def outputs(self, what, latents: Tensor, actions: Tensor) -> list[Tensor]:
        """Attention, scores and values."""
        g = self.graph.attention(self.phi, what, self.who, latents)
        scores = self.policy.logits(self.theta, what, self.who, g)
        values = self.critic.values(self.zeta, what, self.who, g, actions)
        return [g, scores, values]

    def usual(self) -> list[Tensor]:
        return self.outputs(self.sight, self.latents, self.actions)

    def plain(self, value: Relations) -> list[Tensor]:
        """The same from flat observations, pair by pair."""
        n, x = self.layout.agents, self.layout.flat(self.sight)
        code = one_hot(self.latents, value.latents).float()
        net = relational_plain.RelationalPolicy(value, self.layout)
        weights = torch.cat([self.phi, self.theta])
        scores = net.scores(weights, torch.cat([x, code], 2).flatten(0, 1))
        g = relational_plain.attention(
            self.graph, self.phi, x.flatten(0, 1), code.flatten(0, 1)
        )
        away = (~torch.eye(n, dtype=torch.bool)).expand(len(x), n, n)
        g = torch.zeros(len(x), n, n).masked_scatter(away, g)
        values = relational_plain.values(
            self.critic, self.zeta, x, g=g, actions=self.actions
        )
        return [g, scores.view(len(x), n, -1), values]

    def slopes(self, outputs: list[Tensor]) -> list[Tensor]:
        """Gradients of a random sum of the outputs."""
        random = torch.Generator().manual_seed(2)
        loss = sum(
            (one * torch.randn(one.shape, generator=random)).sum() for one in outputs
        )
        weights = [w for w in (self.phi, self.theta, self.zeta) if w.numel()]
        return list(torch.autograd.grad(loss, weights))


def close(one: Tensor, other: Tensor) -> None:
    """Equal to 1e-6 of the largest number."""
    scale = other.detach().abs().max().clamp(min=1)
    torch.testing.assert_close(one / scale, other / scale, atol=1e-6, rtol=0)


@pytest.mark.parametrize("value", EVERY, ids=names)
@pytest.mark.parametrize("agents", [2, 5])
def test_factorised_is_plain(value, agents, monkeypatch):
    monkeypatch.setattr(entities_seen, "_CACHED", 100)  # so that there are parts
    case = Case(value, agents)
    ours, theirs = case.usual(), case.plain(value)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)
    for one, other in zip(case.slopes(ours), case.slopes(theirs), strict=True):
        close(one, other)


def test_the_unit_multiplies_what_is_seen():
    case, larger = (Case(replace(SMALL, unit=unit), 4) for unit in (1.0, 2.0))
    what = {field.name: getattr(case.sight, field.name) for field in fields(Sight)}
    twice = Sight(**{n: x if n == "live" else 2 * x for n, x in what.items()})
    ours = larger.outputs(case.sight, case.latents, case.actions)
    theirs = case.outputs(twice, case.latents, case.actions)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(ours, larger.plain(replace(SMALL, unit=2.0)), strict=True):
        close(one, other)


@pytest.mark.parametrize("form", FORMS)
def test_attentions_hold_that_of_each_latent(form):
    case = Case(replace(SMALL, form=form), 5)
    every = case.graph.attentions(case.phi, case.sight, case.who)
    scores = case.policy.logits(case.theta, case.sight, case.who, every)
    for z in range(SMALL.latents):
        latents = torch.full_like(case.latents, z)
        g, one, _ = case.outputs(case.sight, latents, case.actions)
        close(every[:, :, z], g)
        close(scores[:, :, z], one)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_scores_for_all_latents(form):
    """Those of one latent after the other are the same."""
    value = replace(SMALL, form=form)
    case = Case(value, 4)
    every = case.graph.attentions(case.phi, case.sight, case.who)
    scores = case.policy.logits(case.theta, case.sight, case.who, every)
    each = []
    for z in range(value.latents):
        latents = torch.full_like(case.latents, z)
        each.append(case.outputs(case.sight, latents, case.actions)[1])
    others = torch.stack(each, 2)
    weights = [w for w in (case.phi, case.theta) if w.numel()]
    back = torch.randn(scores.shape, generator=case.random)
    ours = torch.autograd.grad(scores, weights, back)
    theirs = torch.autograd.grad(others, weights, back)
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


@pytest.mark.parametrize("kernel", ["weighted", "dots", "products", "mixed"])
def test_kernels_against_finite_differences(kernel):
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        made = torch.randn(*shape, generator=random, dtype=torch.float64)
        return made.requires_grad_()

    a, p = draw(4, 3, 5), draw(4, 2, 5)
    given_ = {
        "weighted": (a, p, draw(2, 3, 2, 5)),
        "dots": (a, p, draw(2, 4, 2, 5)),
        "products": (a, p, draw(2, 4)),
        "mixed": (a, draw(3, 2, 5)),
    }
    assert torch.autograd.gradcheck(getattr(pairs, kernel), given_[kernel])


@settings(deadline=None, max_examples=12)
@given(
    order=st.permutations(range(5)),
    form=st.sampled_from(FORMS),
    marks=st.sampled_from(MARKS),
)
def test_the_order_of_agents_is_that_of_outputs(order, form, marks):
    case = Case(replace(SMALL, form=form, landmarks=marks), 5, 6)

    def moved(name: str, x: Tensor) -> Tensor:
        return x if name == "landmarks" else x[:, order]

    latents, actions = case.latents[:, order], case.actions[:, order]
    g, scores, values = case.usual()
    ours = case.outputs(mapped(case.sight, moved), latents, actions)
    close(ours[0], g[:, order][:, :, order])
    close(ours[1], scores[:, order])
    close(ours[2], values[:, order])


@settings(deadline=None, max_examples=6)
@given(order=st.permutations(range(4)))
def test_the_order_of_pooled_landmarks_is_nothing(order):
    case = Case(SMALL, 4, 6)

    def moved(name: str, x: Tensor) -> Tensor:
        return x[:, order] if name == "landmarks" else x

    ours = case.outputs(mapped(case.sight, moved), case.latents, case.actions)
    for one, other in zip(ours, case.usual(), strict=True):
        close(one, other)


@pytest.mark.parametrize("form", FORMS)
def test_the_dead_change_nothing(form):
    """Wherever they are and whatever they do: to the last bit."""
    case = Case(replace(SMALL, form=form), 5, dead=0.4)
    dead = ~case.sight.live

    def moved(name: str, x: Tensor) -> Tensor:
        if name in ("live", "landmarks"):
            return x
        return torch.where(dead[..., None], x * 3 + 1, x)

    actions = torch.where(dead, 4 - case.actions, case.actions)
    usual = case.usual()
    ours = case.outputs(mapped(case.sight, moved), case.latents, actions)
    assert dead.any()
    assert not usual[0].permute(0, 2, 1)[dead].any()
    for one, other in zip(ours, usual, strict=True):
        assert torch.equal(one[~dead], other[~dead])


@pytest.mark.parametrize("form", FORMS)
def test_alone_among_the_dead(form):
    """There is nobody to attend to, and all gradients are finite."""
    case = Case(replace(SMALL, form=form), 3)
    live = torch.zeros_like(case.sight.live)
    live[:, 0] = True
    case.sight = replace(case.sight, live=live)
    outputs = case.usual()
    assert not outputs[0][:, 0].any()
    # Those who are dead still see who is not.
    assert torch.equal(outputs[0][:, 1:, 0], torch.ones(ROWS, 2))
    assert all(slope.isfinite().all() for slope in case.slopes(outputs))


def test_of_two_each_attends_to_the_other():
    case = Case(SMALL, 2, dead=0)
    expected = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).expand(ROWS, 2, 2)
    assert torch.equal(case.usual()[0], expected)


@pytest.mark.parametrize("kind", ["mra", "maac"])
def test_the_own_action_never_enters(kind):
    case = Case(SMALL, 4, dead=0)
    net = case.critic if kind == "mra" else MAACCritic(SMALL, case.layout, width=16)
    weights, g = case.weights(net).detach(), case.usual()[0].detach()
    values = net.values(weights, case.sight, case.who, g, case.actions)
    changed = case.actions.clone()
    changed[:, 1] = (changed[:, 1] + 1) % 5
    ours = net.values(weights, case.sight, case.who, g, changed)
    # MAAC's inputs are normalised over all agents, so there it enters the deviation.
    gap = (ours - values).abs().amax((0, 2))
    assert gap[1] <= (0 if kind == "mra" else gap[[0, 2, 3]].min() / 5)
    assert gap[[0, 2, 3]].min() > 1e-4


@pytest.mark.parametrize("value", EVERY, ids=names)
def test_weights_do_not_depend_on_the_number_of_agents(value):
    sizes = set()
    for agents in (2, 7):
        there = layout(agents)
        nets = graph(value, there), policy(value, there), critic(value, there)
        more = MAACCritic(value, there), RecurrentPolicy(value, there)
        sizes.add(tuple(net.size for net in (*nets, *more)))
    assert len(sizes) == 1


def test_pooled_landmarks_may_be_any_number():
    few, many = layout(3, landmarks=2), layout(3, landmarks=9)
    assert critic(SMALL, few).size == critic(SMALL, many).size


def test_two_roles_see_all_agents():
    there = layout(5, roles=2)
    first, second = there.groups
    net, scorer = graph(SMALL, there), policy(SMALL, there)
    random = torch.Generator().manual_seed(0)
    phi, theta = net.initial(random), scorer.initial(random)
    what, latents = sight(there, 6), torch.zeros(6, 5, dtype=torch.int64)
    everybody = net.attention(phi, what, slice(0, 5), latents)
    scores = scorer.logits(theta, what, slice(0, 5), everybody)
    for who in (first, second):
        g = net.attention(phi, what, who, latents[:, who])
        close(g, everybody[:, who])
        close(scorer.logits(theta, what, who, g), scores[:, who])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"latents": 0}, r"Relations\(\): latents must be at least 1; got 0"),
        ({"width": 3}, r"Relations\(\): width must be at least 4; got 3"),
        ({"temperature": 0.0}, "temperature must be positive and finite; got 0"),
        ({"form": "opton"}, r"unknown form 'opton' \(did you mean 'option'\?\)"),
        ({"landmarks": "pool"}, r"unknown landmarks 'pool' .*'pooled'"),
    ],
)
def test_bad_settings(fields, sentence):
    value = Relations()
    for name, given_ in fields.items():  # past the types, as from a file
        object.__setattr__(value, name, given_)
    with pytest.raises(UserError, match=sentence):
        value.__post_init__()


def test_heads_that_do_not_fit():
    with pytest.raises(UserError, match="width must be a multiple of heads, 4; got 10"):
        MAACCritic(SMALL, layout(3), width=10)


def test_maac_is_blind_to_the_dead_and_the_order():
    case = Case(SMALL, 5, dead=0.3)
    net, dead = MAACCritic(SMALL, case.layout, width=16), ~case.sight.live
    weights, g = case.weights(net), case.usual()[0].detach()
    values, penalty = net.assessed(weights, case.sight, case.who, g, case.actions)
    actions = torch.where(dead, 4 - case.actions, case.actions)
    order = [3, 1, 4, 0, 2]

    def moved(name: str, x: Tensor) -> Tensor:
        if name == "landmarks":
            return x
        if name != "live":
            x = torch.where(dead[..., None], x * 3 + 1, x)
        return x[:, order]

    ours, same = net.assessed(
        weights, mapped(case.sight, moved), case.who, g, actions[:, order]
    )
    live = ~dead[:, order]
    close(ours[live], values[:, order][live])
    close(same * 1e3, penalty * 1e3)
    (slope,) = torch.autograd.grad(values.sum() + penalty, weights)
    assert slope.isfinite().all()


def test_maac_normalises_what_it_sees():
    """A number that is scaled and shifted for all agents is the same to it."""
    case = Case(SMALL, 4, dead=0)
    net = MAACCritic(SMALL, case.layout, width=16)
    weights, g = case.weights(net), case.usual()[0].detach()
    values, _ = net.assessed(weights, case.sight, case.who, g, case.actions)
    own = case.sight.own.clone()
    own[..., 0] = own[..., 0] * 50 - 7
    other = replace(case.sight, own=own)
    ours, _ = net.assessed(weights, other, case.who, g, case.actions)
    torch.testing.assert_close(ours, values, atol=1e-4, rtol=0)


def test_a_memory_is_kept_and_is_the_agents_own():
    case = Case(SMALL, 4, dead=0)
    net = RecurrentPolicy(SMALL, case.layout, units=6)
    weights, g = case.weights(net), case.usual()[0].detach()
    extra, hidden = torch.zeros(ROWS, 4, net.extra), torch.zeros(ROWS, 4, net.units)

    def step(extra: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return net.step(weights, case.sight, case.who, g=g, extra=extra, hidden=hidden)

    first, after = step(extra, hidden)
    second, _ = step(extra, after)
    assert first.shape == (ROWS, 4, 5)
    assert not torch.equal(first, second)
    acted = extra.clone()
    acted[:, 2, 0] = 1
    ours, _ = step(acted, hidden)
    same = [0, 1, 3]
    assert torch.equal(ours[:, same], first[:, same])
    assert not torch.equal(ours[:, 2], first[:, 2])
    (slope,) = torch.autograd.grad(second.sum(), weights)
    assert slope.isfinite().all()
    assert slope.any()
