"""One Double-DQN update of S stacked learners, written out and by autograd.

Both engines minimise ``mean (Q(s, a) - y)^2`` with ``y = r + gamma alive Q'(s', a')``,
``a' = argmax_legal Q(s', .)`` (van Hasselt et al. 2016) by Adam (Kingma & Ba 2015). The
written-out one shares the products of s and s', touches only the row of the last layer
that belongs to the action taken, and takes one fused step over all weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from metaspiel.learn.mlp import MLP, Stack, hidden, stacked_values
from metaspiel.learn.nets import Network
from metaspiel.learn.products import multiplying
from metaspiel.learn.settings import Engine, Products
from metaspiel.nfg.errors import UserError

_relu_back = torch.ops.aten.threshold_backward
_NEVER = -1e30  # added to the value of an illegal action
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True, eq=False, kw_only=True)
class Batches:
    """U minibatches of b transitions for each of S learners.

    Attributes:
      inputs: the b states, then the b next states.
      action: the actions taken.
      reward: the rewards.
      alive: the discount where the episode went on, 0 where it ended.
      illegal: actions that the next state forbids.
    """

    inputs: Float32[Tensor, "U S both D"]
    action: Int64[Tensor, "U S b"]
    reward: Float32[Tensor, "U S b"]
    alive: Float32[Tensor, "U S b"]
    illegal: Bool[Tensor, "U S b A"]


def fused_adam(
    weights: list[Tensor],
    gradients: list[Tensor],
    moments: Sequence[list[Tensor]],
    rate: float,
) -> None:
    """One step of Adam over all weights at once, in place.

    Args:
      weights: to be moved.
      gradients: of the loss by them.
      moments: the means, the means of squares, and the steps so far, this one counted.
      rate: of learning.
    """
    torch._fused_adam_(
        self=weights,
        grads=gradients,
        exp_avgs=moments[0],
        exp_avg_sqs=moments[1],
        max_exp_avg_sqs=[],
        state_steps=moments[2],
        lr=rate,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=0.0,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )


class Adam:
    """Adam over one flat tensor; every call runs the same operations (CUDA graphs).

    Attributes:
      steps: calls so far.
    """

    def __init__(self, size: int, rate: float, device: torch.device) -> None:
        self.mean = torch.zeros(size, device=device)
        self.square = torch.zeros(size, device=device)
        self.steps = torch.zeros((), device=device)
        self.rate = rate

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Updates the weights in place."""
        self.steps += 1
        moments = [self.mean], [self.square], [self.steps]
        fused_adam([weights], [gradient], moments, self.rate)


def check_written(where: str, network: Network) -> MLP:
    """The network, if it is of the kind whose update is written out here.

    Raises:
      UserError: it is not.
    """
    if not isinstance(network, MLP):
        raise UserError(
            f"{where}: the network must be an MLP, whose update is written out; got "
            f"{network}"
        )
    return network


def operations(network: MLP, batch: int) -> float:
    """Floating-point operations of a learner's written-out update: nothing twice.

    Five passes through the hidden layer (s and s' online, s' target, and two backward),
    four through the first, and of the last only what s' needs.
    """
    d, h, a = network.inputs, network.width, network.actions
    return 2.0 * batch * (4 * d * h + 5 * h * h + 2 * h * a)


class StackedDDQN:
    """S independent Double-DQN learners, updated together.

    A trial's weights do not depend, bit for bit on a CPU, on the trials beside it.

    Attributes:
      network: network of every learner; an ``MLP``, whose gradient is written out here.
      online: the networks that learn.
      target: the networks that are bootstrapped from.
    """

    def __init__(
        self,
        network: Network,
        stacked: int,
        batch: int,
        rate: float,
        engine: Engine = "written",
        device: torch.device | None = None,
        products: Products = "float32",
    ) -> None:
        network = check_written("StackedDDQN()", network)
        device = device or torch.device("cpu")
        self.network, self.stacked, self.batch = network, stacked, batch
        self.engine, self.products = engine, products
        self.online = Stack(network, stacked, device)
        self.target = Stack(network, stacked, device)
        self.gradient = Stack(network, stacked, device)
        self.adam = Adam(len(self.online.flat), rate, device)
        s, b, h = stacked, batch, network.width
        self.first = torch.empty(s, 2 * b, h, device=device)
        self.second = torch.empty(s, 2 * b, h, device=device)
        self.scores = torch.empty(s, b, network.actions, device=device)
        offsets = torch.arange(s, device=device) * network.actions
        self.offsets = offsets[:, None]
        self._room: tuple[Tensor, Tensor] | None = None

    def copy_target(self) -> None:
        """Copies the online weights to the target network."""
        self.target.flat.copy_(self.online.flat)

    def learn(self, batches: Batches) -> Float32[Tensor, "U S"]:
        """One update a minibatch, in order; the loss of each before its update."""
        with multiplying(self.products == "bfloat16"):
            return self._learn(batches)

    def _learn(self, batches: Batches) -> Float32[Tensor, "U S"]:
        with torch.no_grad():
            bootstrap = self._bootstrap(batches)
        # Adding is many times faster than filling by a mask; no Q-value is so large.
        barred = batches.illegal.float().mul_(_NEVER)
        one = self._written if self.engine == "written" else self._autograd
        losses = []
        for u, later in enumerate(bootstrap):
            losses.append(one(batches, u, later, barred[u]))
            self.adam.step(self.online.flat, self.gradient.flat)
        return torch.stack(losses)

    def _bootstrap(self, batches: Batches) -> Float32[Tensor, "U S b H"]:
        """Hidden layers of the target networks at all next states."""
        later = batches.inputs[:, :, self.batch :]
        u, s, b, d = later.shape
        rows = later.transpose(0, 1).reshape(s, u * b, d)
        room = (None, None) if later.is_cuda else self._rooms(s, u * b)
        layers = hidden(self.target.views, rows, room).view(s, u, b, -1)
        return layers.transpose(0, 1).contiguous()

    def _rooms(self, stacked: int, rows: int) -> tuple[Tensor, Tensor]:
        """Where hidden layers are written to: asking anew for memory takes a third."""
        if self._room is None or self._room[0].shape[1] != rows:
            size = stacked, rows, self.network.width
            self._room = torch.empty(size), torch.empty(size)
        return self._room

    def _wanted(self, batches: Batches, u: int, later: Tensor, best: Tensor) -> Tensor:
        """Double-DQN targets of the taken actions."""
        value = self.target.taken(later, (best + self.offsets).view(-1))[0]
        return torch.addcmul(batches.reward[u], batches.alive[u], value)

    def _written(
        self, batches: Batches, u: int, later: Tensor, barred: Tensor
    ) -> Tensor:
        """Writes hand-derived gradients to ``self.gradient``; returns the losses."""
        net, grad, b = self.online, self.gradient, self.batch
        x = batches.inputs[u]
        h1 = torch.baddbmm(net.b1, x, net.w1, out=self.first).relu_()
        h2 = torch.baddbmm(net.b2, h1, net.w2, out=self.second).relu_()
        here, there = h2[:, :b], h2[:, b:]
        scores = torch.baddbmm(net.b3, there, net.w3.transpose(1, 2), out=self.scores)
        wanted = self._wanted(batches, u, later, scores.add_(barred).argmax(2))
        rows = (batches.action[u] + self.offsets).view(-1)
        value, weight = net.taken(here, rows)
        error = value.sub_(wanted)
        slope = error * (2.0 / b)
        self._last_layer(here, batches.action[u], rows, slope)
        back2 = _relu_back(weight * slope[:, :, None], here, 0)
        torch.bmm(h1[:, :b].transpose(1, 2), back2, out=grad.w2)
        torch.sum(back2, 1, keepdim=True, out=grad.b2)
        back1 = torch.bmm(back2, net.w2.transpose(1, 2))
        back1 = _relu_back(back1, h1[:, :b], 0)
        torch.bmm(x[:, :b].transpose(1, 2), back1, out=grad.w1)
        torch.sum(back1, 1, keepdim=True, out=grad.b1)
        return error.square().mean(1)

    def _last_layer(
        self, here: Tensor, action: Tensor, rows: Tensor, slope: Tensor
    ) -> None:
        """Gradient of the last layer: the rows of the actions taken."""
        grad = self.gradient
        if slope.is_cuda:  # adding by index is in no fixed order there
            each = torch.zeros_like(self.scores)
            each.scatter_(2, action[:, :, None], slope[:, :, None])
            torch.bmm(each.transpose(1, 2), here, out=grad.w3)
            torch.sum(each, 1, keepdim=True, out=grad.b3)
            return
        pull = (here * slope[:, :, None]).view(-1, grad.network.width)
        grad.w3.zero_().view(-1, grad.network.width).index_add_(0, rows, pull)
        grad.b3.zero_().view(-1).index_add_(0, rows, slope.view(-1))

    @torch.enable_grad()
    def _autograd(
        self, batches: Batches, u: int, later: Tensor, barred: Tensor
    ) -> Tensor:
        """Automatic differentiation of the update that ``_written`` derives by hand."""
        b = self.batch
        weights = [view.clone().requires_grad_() for view in self.online.views]
        scores = stacked_values(weights, batches.inputs[u])
        legal = scores[:, b:].detach() + barred
        wanted = self._wanted(batches, u, later, legal.argmax(2))
        taken = scores[:, :b].gather(2, batches.action[u][:, :, None])[:, :, 0]
        loss = (taken - wanted).square().mean(1)
        slopes = torch.autograd.grad(loss.sum(), weights)
        for view, part in zip(self.gradient.views, slopes, strict=True):
            view.copy_(part)
        return loss.detach()
