"""Two small networks of MRA: the prior of latents, and the classifier of games."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

FACTS = 5  # numbers about a graph that the classifier sees
GUESSING = 35  # hidden units of the classifier


@dataclass(frozen=True)
class OneHidden:
    """A network with one hidden layer of rectified units, as a flat weight vector.

    Attributes:
      inputs: numbers in.
      width: hidden units.
      outputs: numbers out.
    """

    inputs: int
    width: int
    outputs: int

    @property
    def _sizes(self) -> tuple[int, ...]:
        d, h, a = self.inputs, self.width, self.outputs
        return d * h, h, h * a, a

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return sum(self._sizes)

    def initial(self, generator: torch.Generator) -> Float[Tensor, " P"]:
        """Fresh weights: Xavier's normal distribution, no bias."""
        d, h, a = self.inputs, self.width, self.outputs
        first = torch.randn(d * h, generator=generator) * math.sqrt(2 / (d + h))
        last = torch.randn(h * a, generator=generator) * math.sqrt(2 / (h + a))
        return torch.cat([first, torch.zeros(h), last, torch.zeros(a)])

    def scores(
        self, weights: Float[Tensor, " P"], x: Float[Tensor, "*R D"]
    ) -> Float[Tensor, "*R A"]:
        """The outputs for rows of inputs."""
        w1, b1, w2, b2 = weights.split(self._sizes)
        hidden = (x @ w1.view(self.inputs, self.width) + b1).relu()
        return hidden @ w2.view(self.width, self.outputs) + b2


@dataclass(frozen=True)
class Prior:
    """The prior of an agent's latent, given the population sizes of its game.

    Attributes:
      roles: number of sizes.
      latents: Z.
    """

    roles: int
    latents: int

    @property
    def network(self) -> OneHidden:
        """From the sizes over 10 to scores of latents."""
        return OneHidden(self.roles, 3, self.latents)

    def log_probabilities(
        self, weights: Float[Tensor, " P"], sizes: tuple[int, ...]
    ) -> Float[Tensor, " Z"]:
        """Logarithms of the chances of all latents in a game of these sizes."""
        x = torch.tensor(sizes, dtype=weights.dtype) / 10
        scores = self.network.scores(weights, x)
        return (scores / 4).log_softmax(0)


@dataclass(frozen=True)
class Classifier:
    """Which game is played, guessed from graphs whatever the number of agents.

    The number of agents can be counted in an observation, so that a classifier that
    sees everything learns nothing about the graph. This one sees facts about a graph
    that do not depend on its size, and latents; it sums up all agents.

    Attributes:
      latents: Z.
      games: number of games.
    """

    latents: int
    games: int

    @property
    def network(self) -> OneHidden:
        """From facts and latents to scores of games."""
        return OneHidden(FACTS + self.latents, GUESSING, self.games)

    def log_probabilities(
        self,
        weights: Float[Tensor, " P"],
        facts: Float[Tensor, "R n Z F"],
        counted: Bool[Tensor, "R n"],
    ) -> Float[Tensor, "R Z M"]:
        """Logarithms of the chances of all games, where all agents have a latent."""
        rows, agents, latents, _ = facts.shape
        names = one_hot(torch.arange(latents), latents).to(facts.dtype)
        names = names.expand(rows, agents, latents, latents)
        scores = self.network.scores(weights, torch.cat([facts, names], 3))
        weight = counted[:, :, None, None].float()
        mean = (scores * weight).sum(1) / weight.sum(1).clamp_min(1)
        return mean.log_softmax(2)


def facts_of(
    graphs: Float[Tensor, "R n Z N"],
    distances: Float[Tensor, "R n N"],
) -> Float[Tensor, "R n Z F"]:
    """Facts about graphs that do not tell how many agents there are.

    How far from equal attention a graph is: its entropy, largest weight, sum of the
    three largest ones and sum of squares, each 0 for equal attention and 1 for one
    agent only, and how much farther than the others on average those are to whom it
    attends. All are 0 for equal attention in a game of any size.
    """
    attended = (graphs > 0).float()
    n = attended.sum(3).clamp_min(2)
    entropy = 1 + (graphs * graphs.clamp_min(1e-12).log()).sum(3) / n.log()
    top = graphs.topk(min(3, graphs.shape[3]), 3).values
    squares = graphs.square().sum(3)
    few = (3 / n).clamp_max(1)
    high = (top.sum(3) - few) / (1 - few).clamp_min(1e-6)
    apart = [entropy, (top[..., 0] - 1 / n) / (1 - 1 / n), high]
    weight = graphs - attended / n[..., None]
    far = (weight * distances[:, :, None]).sum(3)
    facts = torch.stack([*apart, (squares - 1 / n) / (1 - 1 / n), far], 3)
    return facts * (attended.sum(3) > 1)[..., None]


def drawn(
    logs: Float[Tensor, "*R A"], uniforms: Float[Tensor, "*R"]
) -> Int64[Tensor, "*R"]:
    """Outcomes by inverse distribution functions, of one uniform number each."""
    cumulative = logs.softmax(-1).cumsum(-1)
    return (uniforms[..., None] >= cumulative[..., :-1]).sum(-1)
