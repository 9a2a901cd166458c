"""``MetaSolver``, the base class of all solvers, and checks before a game is solved."""

import math
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.values import Answer, MetaSolution, Progress, SolverFailed, Status
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, product

__all__ = [
    "Answer",
    "AnyGame",
    "MetaSolution",
    "MetaSolver",
    "Progress",
    "SolverFailed",
    "Status",
    "alone",
    "check",
    "check_players",
    "describe",
    "fact",
    "failure",
    "no_joint",
    "summands",
]

Fact = TypeVar("Fact")
AnyGame = Game | ImplicitGame
"""A game, with its tensor or without."""


def fact(compute: Callable[[Any], Fact]) -> Fact:
    """A read-only property in place of a class attribute that depends on the fields.

    It is ``property``; type checkers, which let no property override an attribute, see
    an attribute::

        @fact
        def concept(self) -> Concept:
            return self.inner.concept
    """
    return cast(Fact, property(compute))


@dataclass(frozen=True)
class MetaSolver(ABC):
    """A rule that selects a joint distribution over the actions of a game.

    A solver is a frozen dataclass: its fields are its hyper-parameters. It is an
    ordinary value, does no I/O and knows nothing of loops or populations.

    Class facts, which may be properties where they depend on the fields (``fact``):
      concept: the equilibrium it promises ("none" for heuristics).
      players: smallest and largest number of players it accepts.
      uses_members: it reads the game's ensemble.
      uses_past: it reads the past meta-strategies of the progress.
      uses_tree: it reads the policies of the progress, in the tree of their game.
      needs_tensor: it reads payoffs of joint actions, and so takes no ``ImplicitGame``.
      stochastic: it draws from ``rng``; two seeds may give two answers.
      expands_repeats: repeated actions are written out before it sees the game.
      maximises: one phrase for the table of solvers: what it selects.
      source: paper or book.
    """

    concept: ClassVar[Concept] = "none"
    players: ClassVar[tuple[int, float]] = (1, math.inf)
    uses_members: ClassVar[bool] = False
    uses_past: ClassVar[bool] = False
    uses_tree: ClassVar[bool] = False
    needs_tensor: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    expands_repeats: ClassVar[bool] = False
    maximises: ClassVar[str] = ""
    source: ClassVar[str] = ""

    @property
    def reaches(self) -> tuple[str, ...]:
        """What it imports or connects to beyond this package, each in words.

        Whoever takes a solver from a stranger's file asks first; nothing is imported or
        connected to before the solver is used. A wrapper reaches what is inside it.
        """
        held = (getattr(self, field_.name) for field_ in fields(self))
        inner = (v if isinstance(v, tuple) else (v,) for v in held)
        solvers = (s for some in inner for s in some if isinstance(s, MetaSolver))
        return tuple(what for solver in solvers for what in solver.reaches)

    def refuses(self, game: Any) -> str | None:
        """The reason to refuse ``game`` other than its number of players, or None."""
        return None

    def objection(self, game: Any, progress: Progress | None) -> str | None:
        """The reason to refuse ``game`` at this progress of the loop, or None."""
        return self.refuses(game)

    @abstractmethod
    def distribution(self, game: Any, rng: np.random.Generator) -> Answer:
        """Selects a joint. Reads only ``game`` and, if stochastic, ``rng``.

        The game is an ``ImplicitGame`` only where ``needs_tensor`` is false.
        """

    def answer(
        self, game: Any, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        """The answer to ``game``: ``distribution``, unless a solver reads ``progress``.

        The same arguments get the same answer: a solver keeps no state.
        """
        return self.distribution(game, rng)


def describe(solver: MetaSolver) -> dict[str, Any]:
    """Name and parameters of a solver as plain values, nested for wrappers."""

    def plain(value: Any) -> Any:
        if isinstance(value, MetaSolver):
            return describe(value)
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if isinstance(value, str | int | float | bool | None):
            return value
        return getattr(value, "__qualname__", None) or repr(value)

    parameters = {f.name: plain(getattr(solver, f.name)) for f in fields(solver)}
    return {"name": type(solver).__name__, "parameters": parameters}


def check(solver: MetaSolver, game: AnyGame, progress: Progress | None = None) -> None:
    """Raises a ``UserError`` when ``solver`` cannot take ``game``.

    Args:
      solver: the solver to be asked.
      game: the game to be solved.
      progress: progress of the loop that asks; None outside of a loop.
    """
    name = type(solver).__name__
    hints = typing.get_type_hints(type(solver))
    for field_ in fields(solver):
        options = typing.get_args(hints[field_.name])
        value = getattr(solver, field_.name)
        if typing.get_origin(hints[field_.name]) is typing.Literal and (
            value not in options
        ):
            raise unknown(f"{name}()", field_.name, value, map(str, options))
    check_players(solver, game.players)
    if solver.needs_tensor and isinstance(game, ImplicitGame):
        raise UserError(
            f"{name}: the game must have its tensor of payoffs; got one without"
        )
    reason = solver.objection(game, progress)
    if reason:
        raise UserError(f"{name}: {reason}")


def check_players(solver: MetaSolver, players: int) -> None:
    """Raises a ``UserError`` when ``solver`` takes no games of so many players."""
    low, high = solver.players
    if not low <= players <= high:
        if high == low:
            wanted = f"exactly {low}"
        elif high == math.inf:
            wanted = f"at least {low}"
        else:
            wanted = f"{low} to {high:.0f}"
        raise UserError(
            f"{type(solver).__name__}: the game must have {wanted} players; got "
            f"{players}"
        )


def summands(concept: Concept, game: AnyGame) -> Float64[ndarray, " N"]:
    """The number of gains that each player's gap sums ``[N]``; for CE its actions."""
    return np.array(game.actions if concept == "ce" else [1.0] * game.players, float)


def failure(game: AnyGame, status: Status, **diagnostics: Any) -> Answer:
    """An answer without a joint, with a status that says why."""
    return Answer(no_joint(game), status, 0.0, diagnostics)


def no_joint(game: AnyGame) -> Joint:
    """What stands for a joint where there is none: NaN everywhere."""
    if isinstance(game, ImplicitGame):
        return Products.of([np.full(size, np.nan) for size in game.actions])
    return np.full(game.actions, np.nan)


def alone(game: AnyGame, profile: Sequence[ndarray]) -> Joint:
    """The joint of players who mix alone, in the form that goes with the game's."""
    if isinstance(game, ImplicitGame):
        return Products.of(profile)
    return product(profile)
