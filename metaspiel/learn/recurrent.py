"""Recurrent networks that read a window of what a player saw and did.

Their hidden state is made anew from the window at each decision (see ``Recalling``), so
that they are ordinary ``Network`` values. GRU: Cho et al. 2014, with the reset gate
after the product, as torch has it; LSTM: Hochreiter & Schmidhuber 1997.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from metaspiel.games.recalling import Recalling
from metaspiel.games.simulator import Simulator
from metaspiel.learn.conditional import Conditional
from metaspiel.learn.mlp import MLP
from metaspiel.learn.settings import NETWORKS, Conditioning, NetworkName
from metaspiel.nfg.errors import UserError, at_least, unknown

Cell = Literal["gru", "lstm"]
CELLS: tuple[Cell, ...] = get_args(Cell)
_GATES = {"gru": 3, "lstm": 4}


@dataclass(frozen=True)
class Memory:
    """A recurrent encoder of windows: the last hidden state is what it makes of one.

    A weight vector is laid out as torch has the parts: ``W_ih [G U, I], W_hh [G U, U],
    b_ih [G U], b_hh [G U]``, with the I = slot - 1 numbers of a step that are no mark
    and G gates of U units: reset, update, new (GRU); input, forget, cell, output
    (LSTM).

    Attributes:
      slot: numbers in a slot of the window; the last marks slots that are filled.
      window: W, slots, oldest first. Empty ones leave the hidden state as it is.
      cell: "gru" or "lstm".
      units: U, size of the hidden state.
    """

    slot: int
    window: int
    cell: Cell = "gru"
    units: int = 128

    def __post_init__(self) -> None:
        at_least(self, slot=2, window=1, units=1)
        if self.cell not in CELLS:
            raise unknown("Memory()", "cell", self.cell, CELLS)

    @classmethod
    def of(cls, game: Recalling, cell: Cell = "gru", units: int = 128) -> "Memory":
        """The encoder of what a game's players remember."""
        return cls(game.slot, game.window, cell, units)

    @property
    def inputs(self) -> int:
        """Numbers in a window."""
        return self.window * self.slot

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every weight and bias, in the order of the vector."""
        rows = _GATES[self.cell] * self.units
        return (rows, self.slot - 1), (rows, self.units), (1, rows), (1, rows)

    @property
    def size(self) -> int:
        """Numbers in a weight vector."""
        return sum(rows * columns for rows, columns in self.layers)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " M"]:
        """Fresh weights, uniform within 1/sqrt(units) of 0, as torch draws them."""
        bound = 1 / math.sqrt(self.units)
        return torch.rand(self.size, generator=generator) * (2 * bound) - bound

    def features(
        self, weights: Float[Tensor, " M"], x: Float[Tensor, "R inputs"]
    ) -> Float[Tensor, "R units"]:
        """The hidden state after each window; zeros where it is empty."""
        slots = x.view(len(x), self.window, self.slot).transpose(0, 1)
        filled = slots[..., -1] > 0.5
        # One answer for all slots, so that a device is waited for once.
        asked = torch.stack([filled.any(1), filled.all(1)]).tolist()
        hidden = state = x.new_zeros(len(x), self.units)
        if True not in asked[0]:
            return hidden
        first = asked[0].index(True)
        w_ih, w_hh, b_ih, b_hh = self._views(weights)
        seen = slots[first:, :, :-1].reshape(-1, self.slot - 1)
        given = torch.addmm(b_ih, seen, w_ih.T).view(-1, len(x), w_ih.shape[0])
        advance = _gru if self.cell == "gru" else _lstm
        for t, gates in enumerate(given, start=first):
            recalled = torch.addmm(b_hh, hidden, w_hh.T)
            new = advance(gates, recalled, hidden, state)
            if not asked[1][t]:
                mark = filled[t][:, None]
                new = (
                    torch.where(mark, new[0], hidden),
                    torch.where(mark, new[1], state),
                )
            hidden, state = new
        return hidden

    def _views(self, weights: Float[Tensor, " M"]) -> list[Tensor]:
        sizes = [rows * columns for rows, columns in self.layers]
        parts = weights.split(sizes)
        return [p.view(s) for p, s in zip(parts, self.layers, strict=True)]


def _gru(
    given: Tensor, recalled: Tensor, hidden: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    units = hidden.shape[1]
    both = (given[:, : 2 * units] + recalled[:, : 2 * units]).sigmoid()
    reset, update = both.chunk(2, 1)
    new = torch.addcmul(given[:, 2 * units :], reset, recalled[:, 2 * units :]).tanh()
    return torch.lerp(new, hidden, update), state


def _lstm(
    given: Tensor, recalled: Tensor, hidden: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    enter, forget, new, leave = (given + recalled).chunk(4, 1)
    state = torch.addcmul(forget.sigmoid() * state, enter.sigmoid(), new.tanh())
    return leave.sigmoid() * state.tanh(), state


@dataclass(frozen=True)
class Recurrent:
    """A network that reads windows: a memory, and an ``MLP`` on what it makes of them.

    A weight vector has the memory's weights, then the head's.

    Attributes:
      memory: encoder of a window.
      head: network on its hidden state.

    Raises:
      UserError: the head does not read as many numbers as the memory has units.
    """

    memory: Memory
    head: MLP

    def __post_init__(self) -> None:
        if self.head.inputs != self.memory.units:
            raise UserError(
                f"Recurrent(): the head must have the memory's {self.memory.units} "
                f"units as inputs; got {self.head.inputs}"
            )

    @classmethod
    def of(
        cls, game: Recalling, cell: Cell = "gru", *, width: int = 200, units: int = 128
    ) -> "Recurrent":
        """The network for a game whose players remember."""
        memory = Memory.of(game, cell, units)
        return cls(memory, MLP(units, width, game.actions))

    @property
    def inputs(self) -> int:
        """Numbers in a window."""
        return self.memory.inputs

    @property
    def actions(self) -> int:
        """A, the number of outputs."""
        return self.head.actions

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return self.memory.size + self.head.size

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Fresh weights of both."""
        return torch.cat([self.memory.initial(generator), self.head.initial(generator)])

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """The scores of all actions for R windows."""
        of_memory, of_head = weights.split([self.memory.size, self.head.size])
        return self.head.scores(of_head, self.memory.features(of_memory, x))


@dataclass(frozen=True)
class ConditionalRecurrent:
    """A recurrent network of which every code is a policy; the memory is one for all.

    A weight vector has the memory's weights, then those of what codes condition.

    Attributes:
      memory: encoder of a window.
      conditional: what reads its hidden state.

    Raises:
      UserError: it does not read as many numbers as the memory has units.
    """

    memory: Memory
    conditional: Conditional

    def __post_init__(self) -> None:
        _ = self.body  # which refuses what does not fit

    @property
    def body(self) -> Recurrent:
        """The network that a code turns into a policy."""
        return Recurrent(self.memory, self.conditional.body)

    @property
    def codes(self) -> int:
        """d, numbers in a code."""
        return self.conditional.codes

    @property
    def actions(self) -> int:
        """A, the number of scores."""
        return self.conditional.actions

    @property
    def size(self) -> int:
        """Numbers in a weight vector."""
        return self.memory.size + self.conditional.size

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Fresh weights of both."""
        of_memory = self.memory.initial(generator)
        return torch.cat([of_memory, self.conditional.initial(generator)])

    def folded(
        self, weights: Float[Tensor, " P"], codes: Float[Tensor, "K d"]
    ) -> Float[Tensor, "K Q"]:
        """The weights of the recurrent network that each code stands for."""
        of_memory, rest = self._split(weights)
        heads = self.conditional.folded(rest, codes)
        return torch.cat([of_memory.expand(len(codes), -1), heads], 1)

    def heated(self, weights: Float[Tensor, " P"], heat: float) -> Float[Tensor, " P"]:
        """Weights with which all scores are divided by a number."""
        of_memory, rest = self._split(weights)
        return torch.cat([of_memory, self.conditional.heated(rest, heat)])

    def paired(
        self,
        weights: Float[Tensor, " P"],
        codes: Float[Tensor, "K d"],
        x: Float[Tensor, "I D"],
        *,
        state: Int64[Tensor, " R"],
        code: Int64[Tensor, " R"],
    ) -> Float[Tensor, "R A"]:
        """Scores of R pairs of a window and a code, see ``Conditional.paired``."""
        of_memory, rest = self._split(weights)
        made = self.memory.features(of_memory, x)
        return self.conditional.paired(rest, codes, made, state=state, code=code)

    def _split(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        parts = weights.split([self.memory.size, self.conditional.size])
        return parts[0], parts[1]


Shared = Conditional | ConditionalRecurrent
"""A network of which every code is a policy."""


def shared_by_codes(body: MLP | Recurrent, codes: int, kind: Conditioning) -> Shared:
    """The network of which every code stands for a body."""
    if isinstance(body, Recurrent):
        return ConditionalRecurrent(body.memory, Conditional(body.head, codes, kind))
    return Conditional(body, codes, kind)


def network_of(
    game: Simulator, kind: NetworkName = "mlp", *, width: int = 200
) -> MLP | Recurrent:
    """The network of a game's policies by the name of its kind.

    Args:
      game: where they play.
      kind: "mlp" reads what the mover sees as one row of numbers, a window as well;
        "gru" and "lstm" read a window slot by slot.
      width: units of each hidden layer, which a recurrent one has after its memory.

    Raises:
      UserError: no such kind, or a recurrent one for players who remember nothing.
    """
    if kind == "mlp":
        return MLP.of(game, width)
    if kind not in CELLS:
        raise unknown("network_of()", "network", kind, NETWORKS)
    if not isinstance(game, Recalling):
        raise UserError(
            f"network_of(): a network '{kind}' reads a memory of past decisions, so "
            f"that memory must be given; '{game.name}' is played without"
        )
    return Recurrent.of(game, kind, width=width)
