"""Gradient steps of networks over entities, factorised and plain, in turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import least
from experiments.lab.page import Answer
from experiments.speed.measuring import answer, timed
from experiments.speed.relational_config import Config
from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import relational_plain
from metaspiel.learn.relational import Critic, Policy, critic, graph, policy
from metaspiel.learn.relational_graph import Graph
from metaspiel.learn.relational_settings import MARKS, Relations
from metaspiel.nfg.errors import UserError, unknown

Row = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Random situations of one size, and the weights of the three networks."""

    graph: Graph
    policy: Policy
    critic: Critic
    weights: tuple[Tensor, Tensor, Tensor]
    sights: tuple[Sight, Sight]
    latents: Tensor
    actions: Tensor

    @property
    def who(self) -> slice:
        """The group of all agents."""
        return slice(0, self.actions.shape[1])


class Factorised:
    """The networks as they are used."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def attention(self, weights: Tensor, sight: Sight) -> Tensor:
        """The attention of all agents, by the latents of the batch."""
        latents = self.batch.latents
        return self.batch.graph.attention(weights, sight, self.batch.who, latents)

    def attentions(self, weights: Tensor, sight: Sight) -> Tensor:
        """The attention of all agents for all latents."""
        return self.batch.graph.attentions(weights, sight, self.batch.who)

    def logits(self, weights: Tensor, sight: Sight, g: Tensor) -> Tensor:
        """Scores of all agents' actions."""
        return self.batch.policy.logits(weights, sight, self.batch.who, g)

    def values(
        self, weights: Tensor, sight: Sight, g: Tensor, actions: Tensor
    ) -> Tensor:
        """Values of all agents' actions."""
        who = self.batch.who
        return self.batch.critic.values(weights, sight, who, g=g, actions=actions)


class Plain(Factorised):
    """The same with every layer inside the sums."""

    def attention(self, weights: Tensor, sight: Sight) -> Tensor:
        """The attention of all agents, by the latents of the batch."""
        return self._attention(weights, sight, self.batch.latents)

    def attentions(self, weights: Tensor, sight: Sight) -> Tensor:
        """The attention of all agents for all latents."""
        many = range(self.batch.graph.settings.latents)
        latents = self.batch.latents
        each = [
            self._attention(weights, sight, torch.full_like(latents, z)) for z in many
        ]
        return torch.stack(each, 2)

    def _attention(self, weights: Tensor, sight: Sight, latents: Tensor) -> Tensor:
        net = self.batch.graph
        code = one_hot(latents, net.settings.latents).to(torch.float32).flatten(0, 1)
        x = net.layout.flat(sight).flatten(0, 1)
        g = relational_plain.attention(net, weights, x, code)
        rows, n = latents.shape
        away = (~torch.eye(n, dtype=torch.bool)).expand(rows, n, n)
        return torch.zeros(rows, n, n).masked_scatter(away, g)

    def logits(self, weights: Tensor, sight: Sight, g: Tensor) -> Tensor:
        """Scores of all agents' actions."""
        if g.dim() == 4:
            each = [self.logits(weights, sight, one) for one in g.unbind(2)]
            return torch.stack(each, 2)
        rows, n = g.shape[:2]
        g = g[:, ~torch.eye(n, dtype=torch.bool)].view(rows * n, n - 1)
        net = self.batch.policy
        x = net.layout.flat(sight).flatten(0, 1)
        return relational_plain.scores(net, weights, x, g).view(rows, n, -1)

    def values(
        self, weights: Tensor, sight: Sight, g: Tensor, actions: Tensor
    ) -> Tensor:
        """Values of all agents' actions."""
        net = self.batch.critic
        x = net.layout.flat(sight)
        return relational_plain.values(net, weights, x, g=g, actions=actions)


def drawn(config: Config, agents: int, settings: Relations) -> Batch:
    """Random situations and weights."""
    layout = Layout(roles=(0,) * agents, landmarks=config.discs, landmark=3)
    nets = graph(settings, layout), policy(settings, layout), critic(settings, layout)
    random = torch.Generator().manual_seed(config.seed)
    shape = config.batch, agents

    def sight() -> Sight:
        def draw(*size: int) -> Tensor:
            return torch.rand(config.batch, *size, generator=random) * 2 - 1

        places, bodies = draw(agents, 2), draw(agents, 2)
        return Sight(
            places=places,
            bodies=bodies,
            own=torch.cat([bodies, places], 2),
            landmarks=draw(config.discs, 3),
            live=torch.ones(shape, dtype=torch.bool),
        )

    phi, theta, zeta = (net.initial(random) for net in nets)
    return Batch(
        graph=nets[0],
        policy=nets[1],
        critic=nets[2],
        weights=(phi, theta, zeta),
        sights=(sight(), sight()),
        latents=torch.randint(settings.latents, shape, generator=random),
        actions=torch.randint(5, shape, generator=random),
    )


def step(nets: Factorised) -> tuple[Tensor, Tensor]:
    """Gradients of the critic and of the policy (Equations 8 and 9)."""
    batch = nets.batch
    phi, theta, zeta = batch.weights
    now, then = batch.sights
    with torch.no_grad():
        g, after = nets.attention(phi, now), nets.attention(phi, then)
        taken = _sampled(nets.logits(theta, then, after))
        target = 1 + _of(nets.values(zeta, then, g=after, actions=taken), taken)
    zeta = zeta.clone().requires_grad_()
    values = nets.values(zeta, now, g=g, actions=batch.actions)
    loss = (_of(values, batch.actions) - target).square().mean()
    (of_critic,) = torch.autograd.grad(loss, zeta)
    theta = theta.clone().requires_grad_()
    logs = nets.logits(theta, now, g).log_softmax(2)
    with torch.no_grad():
        chosen = _sampled(logs)
        values = nets.values(zeta, now, g=g, actions=chosen)
        gain = values - (logs.exp() * values).sum(2, keepdim=True) - logs / 30
    loss = -(logs.exp() * gain).sum(2).mean()
    (of_policy,) = torch.autograd.grad(loss, theta)
    return of_critic, of_policy


def information(nets: Factorised) -> Tensor:
    """The gradient of the information between latent and action (Equation 11)."""
    phi, theta, _ = nets.batch.weights
    phi = phi.clone().requires_grad_()
    sight = nets.batch.sights[0]
    logs = nets.logits(theta, sight, nets.attentions(phi, sight)).log_softmax(3)
    mean = logs.exp().mean(2, keepdim=True).log()
    (of_graph,) = torch.autograd.grad(-(logs.exp() * (logs - mean)).sum(3).mean(), phi)
    return of_graph


def _sampled(logits: Tensor) -> Tensor:
    return torch.multinomial(logits.softmax(2).flatten(0, 1), 1).view(logits.shape[:2])


def _of(values: Tensor, actions: Tensor) -> Tensor:
    return values.gather(2, actions[..., None])[..., 0]


def measured(config: Config, agents: int, landmarks: Any) -> Row:
    """The cost of both steps in both forms."""
    batch = drawn(config, agents, Relations(landmarks=landmarks))
    ours, theirs = Factorised(batch), Plain(batch)
    works: dict[str, Callable[[], Any]] = {
        "step": partial(step, ours),
        "information": partial(information, ours),
    }
    if agents <= config.plain:
        works["plain_step"] = partial(step, theirs)
        works["plain_information"] = partial(information, theirs)
    # A round before the others is not measured: it allocates.
    spent = [
        {name: 1e3 * timed(work)[0] for name, work in works.items()}
        for _ in range(config.rounds + 1)
    ]
    ms = {name: min(one[name] for one in spent[1:]) for name in works}
    row: Row = {"landmarks": landmarks, "agents": agents}
    for name in ("step", "information"):
        plain = ms.get(f"plain_{name}")
        row |= {
            f"{name}_plain": plain,
            name: ms[name],
            f"{name}_share": plain and ms[name] / plain,
        }
    return row


def outcome(rows: Sequence[Row]) -> str:
    """How much of the time of the plain step ours takes."""
    shares = [row["step_share"] for row in rows if row["step_share"] is not None]
    if not shares:
        return "No plain step was measured to compare with."
    return (
        f"A factorised step takes {min(shares):.3g} to {max(shares):.3g} of the time "
        "of a plain one."
    )


def run(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    least(config, discs=1, batch=1, rounds=1, plain=0, seed=0)
    if not config.sizes or min(config.sizes) < 2:
        got = " ".join(map(str, config.sizes))
        raise UserError(f"--sizes must be numbers of at least 2 agents; got '{got}'")
    for name in config.landmarks:
        if name not in MARKS:
            raise unknown("--landmarks", "way to read landmarks", name, MARKS)
    torch.set_num_threads(1)
    pieces = {
        f"{landmarks}-{agents}": partial(measured, config, agents, landmarks)
        for landmarks in config.landmarks
        for agents in config.sizes
    }
    with claim(config.run, "speed_relational") as folder:
        record(folder, config)
        rows, faults = fill(pieces, folder, config, room="cells")
        return answer(
            folder,
            f"Cost of a gradient step on {config.batch} situations",
            [
                "CPU milliseconds of one thread, the least of the rounds; what is "
                "compared ran in turns in one process",
                "step: critic and policy; information: the graph network, for all "
                "latents; share: factorised over plain",
            ],
            list(rows.values()),
            said=[outcome(list(rows.values()))],
            faults=faults,
            summary=list(rows.values()),
        )
