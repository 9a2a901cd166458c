"""The response head: a policy that is told what mixture of co-players it answers.

A conditional network plays all policies of a player, each by a code. A response to a
mixture of co-players begins with its weights and, in place of a code, a summary of the
mixture: ``g = sum_j s_j f([nu_q^{j_q}]_{q != p})`` over the k most likely profiles j of
the co-players, with their codes nu and renormalised probabilities s (Liu et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Generator, Tensor

from metaspiel.learn.nets import Network
from metaspiel.nfg.errors import UserError, at_least


@runtime_checkable
class Conditioned(Protocol):
    """A network that plays many policies, each by a code.

    Attributes:
      body: the plain network that each code makes of it.
      codes: d, numbers in a code.
      size: P, numbers in a weight vector.
    """

    @property
    def body(self) -> Network: ...
    @property
    def codes(self) -> int: ...
    @property
    def size(self) -> int: ...

    def initial(self, generator: Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""

    def folded(
        self, weights: Float32[Tensor, " P"], codes: Float32[Tensor, "K d"]
    ) -> Float32[Tensor, "K body"]:
        """The weights of the plain network of each code."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """The most likely profiles of a player's co-players, by their codes.

    Attributes:
      codes: of each of k profiles, the codes of all co-players in a row.
      weights: probabilities, which sum to 1.
      mass: what the profiles' probabilities summed to before.
    """

    codes: Float32[ndarray, "k joined"] = field(repr=False)
    weights: Float32[ndarray, " k"] = field(repr=False)
    mass: float

    @classmethod
    def of(
        cls,
        codes: Sequence[Float32[ndarray, "_ d"]],
        co_play: Float64[ndarray, "*K"],
        most: int = 96,
    ) -> "Mixture":
        """The mixture of some co-players.

        Args:
          codes: the codes of each co-player's policies ``[K_q, d]``, in their order.
          co_play: distribution over the co-players' profiles.
          most: k, profiles that are kept at most; of those as likely the first.

        Raises:
          UserError: codes and distribution are of other numbers of policies, nothing
            is to be kept, or nothing has a probability.
        """
        sizes = tuple(len(of_player) for of_player in codes)
        fits = sizes == co_play.shape and len({c.shape[1] for c in codes}) == 1
        if not (fits and most >= 1 and co_play.sum() > 0):
            raise UserError(
                "Mixture.of(): there must be a probability for each profile of codes "
                f"of one size, and at least 1 profile kept; got codes of shapes "
                f"{[c.shape for c in codes]}, probabilities of shape {co_play.shape} "
                f"that sum to {co_play.sum():g}, and {most} kept"
            )
        flat = co_play.reshape(-1)
        likely = np.argsort(-flat, kind="stable")[:most]
        likely = likely[flat[likely] > 0]
        profiles = np.unravel_index(likely, co_play.shape)
        rows = [one[at] for one, at in zip(codes, profiles, strict=True)]
        mass = float(flat[likely].sum())
        weights = (flat[likely] / mass).astype(np.float32)
        return cls(np.concatenate(rows, axis=1), weights, mass / float(flat.sum()))


@dataclass(frozen=True)
class OneHidden:
    """A network with one hidden layer of rectified units: ``W1, b1, W2, b2``.

    Attributes:
      inputs: numbers that it reads.
      width: units of the hidden layer.
      outputs: numbers that come out.
    """

    inputs: int
    width: int
    outputs: int

    def __post_init__(self) -> None:
        at_least(self, inputs=1, width=1, outputs=1)

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every weight and bias, in the order of the vector."""
        d, h, o = self.inputs, self.width, self.outputs
        return (d, h), (1, h), (h, o), (1, o)

    @property
    def size(self) -> int:
        """Numbers in a weight vector."""
        return sum(rows * columns for rows, columns in self.layers)

    def initial(self, generator: Generator) -> Float32[Tensor, " F"]:
        """Fresh weights: normal with deviation 1/sqrt(fan-in); no bias."""
        parts = []
        for number, (rows, columns) in enumerate(self.layers):
            part = torch.randn(rows * columns, generator=generator)
            parts.append(part / rows**0.5 if number % 2 == 0 else 0 * part)
        return torch.cat(parts)

    def features(
        self, weights: Float32[Tensor, " F"], x: Float32[Tensor, "R inputs"]
    ) -> Float32[Tensor, "R outputs"]:
        """What comes out for R rows."""
        sizes = [rows * columns for rows, columns in self.layers]
        parts = zip(weights.split(sizes), self.layers, strict=True)
        w1, b1, w2, b2 = (part.view(size) for part, size in parts)
        return torch.addmm(b2, torch.addmm(b1, x, w1).relu(), w2)


@dataclass(frozen=True, eq=False, kw_only=True)
class ResponseHead:
    """The network of a learner that answers one mixture of co-players.

    A weight vector has those of the conditional network, then those of f. While it
    learns all of them move, so that it begins where the population is and goes where it
    must; ``exported`` are the weights of the plain network that it then is.

    Attributes:
      conditional: network of the player's population.
      mixture: the co-players.
      width: units of f's hidden layer.
      blank: the summary is zeros instead, whoever the co-players are (a control).
      frozen: the conditional network stays as it is, and only f learns.

    Raises:
      UserError: the mixture's codes are of another size, or nothing could be learned.
    """

    conditional: Conditioned
    mixture: Mixture
    width: int = 64
    blank: bool = False
    frozen: bool = False

    def __post_init__(self) -> None:
        at_least(self, width=1)
        joined, size = self.mixture.codes.shape[1], self.conditional.codes
        if joined % size:
            raise UserError(
                f"ResponseHead(): co-players must have codes of {size} numbers each, "
                f"as the conditional network has; got {joined} in all"
            )
        if self.blank and self.frozen:
            raise UserError(
                "ResponseHead(): blank and frozen must not go together; nothing would "
                "be learned"
            )

    @property
    def encoder(self) -> OneHidden:
        """The network f, from all co-players' codes to one."""
        joined = self.mixture.codes.shape[1]
        return OneHidden(joined, self.width, self.conditional.codes)

    @property
    def inputs(self) -> int:
        """D, numbers in an observation."""
        return self.conditional.body.inputs

    @property
    def actions(self) -> int:
        """A, scores that come out."""
        return self.conditional.body.actions

    @property
    def size(self) -> int:
        """Numbers in a weight vector."""
        return self.conditional.size + self.encoder.size

    def initial(self, generator: Generator) -> Float32[Tensor, " P"]:
        """Fresh weights of both."""
        return self.warm(self.conditional.initial(generator), generator)

    def warm(
        self, common: Float32[Tensor, " C"], generator: Generator
    ) -> Float32[Tensor, " P"]:
        """The conditional network's weights as they are, and fresh ones of f."""
        return torch.cat([common, self.encoder.initial(generator)])

    def split(
        self, weights: Float32[Tensor, " P"]
    ) -> tuple[Float32[Tensor, " C"], Float32[Tensor, " F"]]:
        """The weights of the conditional network, and those of f."""
        common, of_f = weights.split([self.conditional.size, self.encoder.size])
        return common, of_f

    def code(self, weights: Float32[Tensor, " P"]) -> Float32[Tensor, " d"]:
        """The summary g of the mixture."""
        if self.blank:
            return weights.new_zeros(self.conditional.codes)
        codes, chances = (
            torch.as_tensor(part, device=weights.device)
            for part in (self.mixture.codes, self.mixture.weights)
        )
        return chances @ self.encoder.features(self.split(weights)[1], codes)

    def exported(self, weights: Float32[Tensor, " P"]) -> Float32[Tensor, " body"]:
        """The weights of the plain network ``conditional.body`` that it is."""
        common = self.split(weights)[0]
        if self.frozen:
            common = common.detach()
        return self.conditional.folded(common, self.code(weights)[None])[0]

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """The scores of all actions for R rows of observations."""
        return self.conditional.body.scores(self.exported(weights), x)
