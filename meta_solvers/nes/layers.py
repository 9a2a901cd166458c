"""Equivariant layers: the complete linear bases of payoffs and duals.

Relabelling a player's actions relabels the output, and exchanging players exchanges
it, because weights depend on relations only: is this the player's own tensor, is its
own axis kept, how many other axes are. Pools are sums over the square root of the
count, so that a layer's variance does not depend on the number of actions (Marris et
al. 2022, eq. 12-15; the relative basis replaces absolute player indices, which would
break the symmetry).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class RealActions:
    """Which actions of padded games are real, as masks that broadcast on their axes.

    Attributes:
      real: per player ``[B, A_p]`` of 0 and 1.
      unpadded: known to be all 1, which so need not be read from the device.
    """

    real: tuple[Tensor, ...]
    unpadded: bool = False

    @cached_property
    def full(self) -> bool:
        """Whether nothing is padded."""
        return self.unpadded or all(bool(mask.all()) for mask in self.real)

    @property
    def players(self) -> int:
        """The number of players, N."""
        return len(self.real)

    def along(self, axis: int) -> Tensor:
        """The mask of one axis, ``[B, 1, .., A_axis, .., 1]``, 1 last for channels."""
        shape = [self.real[axis].shape[0], *[1] * (self.players + 1)]
        shape[1 + axis] = self.real[axis].shape[1]
        return self.real[axis].reshape(shape)

    def joint(self) -> Tensor:
        """The mask of joint actions, ``[B, A1, ..., AN, 1]``."""
        mask = self.along(0)
        for axis in range(1, self.players):
            mask = mask * self.along(axis)
        return mask


def unit(x: Tensor) -> Tensor:
    """Scales the channels of every entry to unit mean square."""
    # One pass over x; a square of all its entries would be another large array.
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * torch.rsqrt(length * length / x.shape[-1] + 1e-6)


def standard(x: Sequence[Tensor], mask: Sequence[Tensor]) -> list[Tensor]:
    """Every channel with mean 0 and variance 1 over all real entries of a game.

    One tensor for each player, ``[B, ..., C]``; masks are ``[B, ..., 1]``.
    """

    def summed(parts: list[Tensor]) -> Tensor:
        return torch.stack([p.flatten(1, -2).sum(1) for p in parts]).sum(0)

    def wide(value: Tensor, like: Tensor) -> Tensor:
        return value.reshape(value.shape[0], *[1] * (like.ndim - 2), value.shape[-1])

    both = list(zip(x, mask, strict=True))
    count = summed([m.expand(y.shape) for y, m in both]).clamp(min=1)
    mean = summed([y * m for y, m in both]) / count
    centred = [(y - wide(mean, y)) * m for y, m in both]
    square = summed([y.square() for y in centred]) / count
    return [y * wide(torch.rsqrt(square + 1e-6), y) for y in centred]


def relation(player: int, other: int, kept: frozenset[int]) -> tuple[int, ...]:
    """The name of the weight that carries ``other``'s tensor, pooled to ``kept``.

    Own tensor: (0, own axis kept, how many others). Another player's: (1, own axis
    kept, the other player's axis kept, how many of the rest).
    """
    if player == other:
        return (0, int(player in kept), len(kept - {player}))
    rest = kept - {player, other}
    return (1, int(player in kept), int(other in kept), len(rest))


def relations(players: int, to_dual: bool = False) -> list[tuple[int, ...]]:
    """All relations: ``6N - 4`` to payoffs, fewer to duals (a_-p is summed out)."""
    kinds = []
    for kept in subsets(players):
        for other in range(players):
            if not (to_dual and kept - {0}):
                kinds.append(relation(0, other, kept))
    return sorted(set(kinds))


def subsets(players: int) -> list[frozenset[int]]:
    """All sets of axes, small first."""
    axes = range(players)
    return [
        frozenset(chosen)
        for size in range(players + 1)
        for chosen in itertools.combinations(axes, size)
    ]


def normal_(tensor: Tensor, std: float = 1.0) -> Tensor:
    """Draws in place; without memory (on device "meta") there is nothing to draw.

    torch would load its compiler for that: 2 s, to see the shapes of a file's network.
    """
    return tensor if tensor.is_meta else nn.init.normal_(tensor, std=std)


class PayoffLinear(nn.Module):
    """Payoffs to payoffs, or to one vector for each player's actions.

    Inputs and outputs are one tensor for each player, ``[B, A1, ..., AN, C]``; with
    ``to_dual`` outputs are ``[B, A_p, C]``.
    """

    def __init__(self, players: int, inputs: int, outputs: int, to_dual: bool) -> None:
        super().__init__()
        self.players, self.to_dual = players, to_dual
        self.names = relations(players, to_dual)
        scale = (inputs * len(self.names)) ** -0.5
        drawn = normal_(torch.empty(len(self.names), outputs, inputs))
        self.weight = nn.Parameter(drawn.mul_(scale))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Sequence[Tensor], actions: RealActions) -> list[Tensor]:
        """Applies the layer; padded entries are 0 before and after."""
        pooled = self._pools(x, actions)
        result = []
        for p in range(self.players):
            # Small pools first: they are added up before they are broadcast.
            terms = self._terms(pooled, p)
            total = sum(terms[1:], terms[0] + self.bias)
            if self.to_dual:
                total = total.reshape(total.shape[0], -1, total.shape[-1])
                result.append(total * actions.real[p][:, :, None])
            else:
                result.append(total if actions.full else total * actions.joint())
        return result

    def _terms(
        self, pooled: dict[tuple[int, frozenset[int]], Tensor], player: int
    ) -> list[Tensor]:
        """Contributions of every relation to one player's tensor."""
        terms = []
        for kept in subsets(self.players):
            if self.to_dual and kept - {player}:
                continue
            groups: dict[tuple[int, ...], list[Tensor]] = {}
            for q in range(self.players):
                groups.setdefault(relation(player, q, kept), []).append(pooled[q, kept])
            for name, parts in groups.items():
                weight = self.weight[self.names.index(name)]
                terms.append(sum(parts[1:], parts[0]) @ weight.T)
        return terms

    def _pools(
        self, x: Sequence[Tensor], actions: RealActions
    ) -> dict[tuple[int, frozenset[int]], Tensor]:
        """Every player's tensor summed to every set of axes, over root of count."""
        everything = frozenset(range(self.players))
        pooled: dict[tuple[int, frozenset[int]], Tensor] = {}
        for q, tensor in enumerate(x):
            pooled[q, everything] = tensor
            for kept in reversed(subsets(self.players)):
                if kept == everything:
                    continue
                axis = min(everything - kept)
                wider = pooled[q, kept | {axis}]
                count = actions.along(axis).sum(1 + axis, keepdim=True)
                pooled[q, kept] = wider.sum(1 + axis, keepdim=True) * count.rsqrt()
        return pooled


def action_pools(x: Tensor, mask: Tensor) -> list[Tensor]:
    """The basis of CCE duals ``[B, N, A, C]``: own actions, everybody's actions.

    The third element, the identity, is x itself. ``mask`` is ``[B, N, A, 1]``; x is 0
    where it is.
    """
    count = mask.sum(2, keepdim=True).clamp(min=1)
    own = x.sum(2, keepdim=True) * count.rsqrt()
    players = x.shape[1]
    return [own, own.sum(1, keepdim=True) * players**-0.5]


def swap_pools(x: Tensor, mask: Tensor) -> list[Tensor]:
    """The basis of CE duals ``[B, N, A, A, C]`` (entry d, r; zero diagonal).

    Transpose, sums by row and by column, each also transposed, the player's total and
    everybody's total: with the identity, the 7 orbits of ordered pairs and the total
    over players. x is 0 where ``mask`` is.
    """
    count = mask.sum(3, keepdim=True).clamp(min=1)
    row = x.sum(3, keepdim=True) * count.rsqrt()
    column = x.sum(2, keepdim=True) * mask.sum(2, keepdim=True).clamp(min=1).rsqrt()
    total = (
        row.sum(2, keepdim=True)
        * mask.amax(3, keepdim=True).sum(2, keepdim=True).clamp(min=1).rsqrt()
    )
    everybody = total.sum(1, keepdim=True) * x.shape[1] ** -0.5
    flipped = [x.transpose(2, 3), row, column, row.transpose(2, 3)]
    return [*flipped, column.transpose(2, 3), total, everybody]
