"""``Products``: a joint distribution as a weighted sum of independent play.

Players who mix alone play one product, an average over time is a product a step, and
a sparse joint a product a cell. None needs the ``prod A_p`` cells of an array.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


@dataclass(frozen=True, eq=False)
class Products:
    """A weighted sum of products of mixed strategies.

    Attributes:
      weights: of each product; 1 in all ``[M]``.
      strategies: of each player, its mixed strategy in each product ``[M, A_p]``.
    """

    weights: Float64[ndarray, " M"]
    strategies: tuple[Float64[ndarray, "M _"], ...]

    @classmethod
    def of(cls, profile: Sequence[ndarray]) -> "Products":
        """One product: players who mix alone, each by its strategy ``[A_p]``."""
        return cls(np.ones(1), tuple(np.array(own, float)[None] for own in profile))

    @classmethod
    def together(
        cls, parts: Sequence["Products"], weights: Sequence[float]
    ) -> "Products":
        """A weighted sum of such sums, all over the same actions."""
        pairs = zip(parts, weights, strict=True)
        columns = zip(*(part.strategies for part in parts), strict=True)
        return cls(
            np.concatenate([weight * part.weights for part, weight in pairs]),
            tuple(np.concatenate(own) for own in columns),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of actions of each player, as of an array."""
        return tuple(own.shape[1] for own in self.strategies)

    @property
    def ndim(self) -> int:
        """N, the number of players."""
        return len(self.strategies)

    @property
    def size(self) -> int:
        """The number of joint actions."""
        return prod(self.shape)

    @property
    def marginals(self) -> tuple[Float64[ndarray, " A_p"], ...]:
        """Each player's own distribution."""
        return tuple(self.weights @ own for own in self.strategies)

    @property
    def alone(self) -> "Products":
        """The same strategies of players who mix alone."""
        return self if len(self.weights) == 1 else Products.of(self.marginals)

    def array(self) -> Float64[ndarray, "*A"]:
        """The joint written out, of games that are small enough."""
        flat = self.weights[:, None]
        for own in self.strategies[:-1]:
            flat = (flat[:, :, None] * own[:, None]).reshape(len(flat), -1)
        return (flat.T @ self.strategies[-1]).reshape(self.shape)

    def others(
        self, player: int, weights: Float64[ndarray, " M"] | None = None
    ) -> "Products":
        """What the co-players of one play, with other weights if some are given."""
        rest = (own for q, own in enumerate(self.strategies) if q != player)
        return Products(self.weights if weights is None else weights, tuple(rest))

    def widened(self, actions: Sequence[int]) -> "Products":
        """The same over more actions of each player, which are not played."""
        pairs = zip(self.strategies, actions, strict=True)
        more = (np.pad(own, ((0, 0), (0, size - own.shape[1]))) for own, size in pairs)
        return Products(self.weights, tuple(more))

    def drawn(self, rng: np.random.Generator) -> tuple[int, ...]:
        """A joint action, drawn."""
        row = rng.choice(len(self.weights), p=self.weights / self.weights.sum())
        strategies = (own[row] for own in self.strategies)
        return tuple(int(rng.choice(len(s), p=s / s.sum())) for s in strategies)

    def mended(self, prune: float = 0.0) -> tuple["Products", float, float]:
        """The same without what rounding leaves, and without what is hardly played.

        Args:
          prune: actions that a player plays less often than this are left out.

        Returns:
          The joint; by how much rounding was mended, at most; and the largest
          probability of a player's actions that are left out.
        """
        weights = np.maximum(self.weights, 0.0)
        weights = weights / weights.sum()
        off, lost, mended = float(np.abs(weights - self.weights).sum()), 0.0, []
        for own in self.strategies:
            positive = np.maximum(own, 0.0)
            positive = positive / positive.sum(axis=1, keepdims=True)
            off += float(weights @ np.abs(positive - own).sum(axis=1))
            played = weights @ positive
            rare = played < prune
            if rare.any() and not rare.all():
                lost = max(lost, float(played[rare].sum()))
                kept = np.where(rare, 0.0, positive)
                mass = kept.sum(axis=1, keepdims=True)
                # A product in which nothing else is played stays as it is.
                whole = mass > 0
                kept = kept / np.where(whole, mass, 1.0)
                positive = np.where(whole, kept, positive)
            mended.append(positive)
        return Products(weights, tuple(mended)), off, lost
