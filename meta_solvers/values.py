"""Inputs and outputs of solvers: progress, answers, statuses, solutions."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg import views
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gaps import Concept, Gaps
from metaspiel.nfg.simplex import Joint, marginals, support

if TYPE_CHECKING:
    from metaspiel.games.zero_sum import Pools


class Status(Enum):
    """Status of a solve; each value is a sentence, see also ``sentence``."""

    OK = "solved: the stopping rule was met and the measured gap is within tolerance"
    INACCURATE = "finished, but the measured gap is above the tolerance"
    MAX_STEPS = "stopped at the step limit before its stopping rule was met"
    INCOMPLETE = "an equilibrium, but chosen from a list that may lack a better one"
    OUTSIDE = "answered as asked, but the game is outside what the solver was made for"
    INFEASIBLE = "no joint distribution satisfies the constraints"
    NUMERICAL = "the numerical method broke down and has no answer"

    def sentence(self, concept: Concept) -> str:
        """What a human reads about an answer of a solver that promises ``concept``."""
        if self is Status.OK and concept == "none":
            return (
                "answered: the joint is a distribution and the solver's own rule was "
                "met; no equilibrium is promised, so no gap was held to a tolerance"
            )
        return str(self.value)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a solver returns to ``solve``: a joint and its own account of it.

    Attributes:
      joint: ``[A1, ..., AN]``; ignored when the status is INFEASIBLE or NUMERICAL.
      status: the solver's own verdict; ``solve`` measures before it believes OK.
      epsilon: gap per player ``[N]`` (or one number) the solver was asked to allow.
      diagnostics: plain numbers and strings about the solve, never thrown away.
      warm: plain arrays from which the solver may start in a game of more actions.
    """

    joint: Joint
    status: Status = Status.OK
    epsilon: Any = 0.0
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    warm: Mapping[str, ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Progress:
    """Progress of the loop that asks for an answer; most solvers do not read it.

    Attributes:
      iteration: number of the loop's iteration, from 0.
      horizon: iterations that are planned; None where nobody knows.
      gap: the last gap measured in the full game, summed over players; None before.
      past: joint meta-strategies of earlier iterations, oldest first, as they were
        answered: their shapes are those of earlier, smaller meta-games, whose axes only
        ever grow at the end. Empty unless a solver ``uses_past``, and where it sees
        other actions than the loop (repeats written out, dominated ones left out).
      pools: the policies that the actions are, in the tree of their game; None unless a
        solver ``uses_tree`` and the loop's evaluator has the tree, and where it sees
        other actions than the loop.
      warm: what the same solver's answer left in the last iteration, ``Answer.warm``;
        a hint that never changes what is asked for. Empty where ``past`` would be for
        other actions.
    """

    iteration: int
    horizon: int | None = None
    gap: float | None = None
    past: tuple[Any, ...] = ()
    pools: "Pools | None" = None
    warm: Mapping[str, ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.iteration < 0:
            raise UserError(
                f"Progress(): iteration must be at least 0; got {self.iteration}"
            )
        if self.horizon is not None and self.horizon < 1:
            raise UserError(
                f"Progress(): horizon must be at least 1 or None; got {self.horizon}"
            )

    def without_actions(self) -> "Progress":
        """The same without what it says of actions, for who sees others."""
        return replace(self, past=(), pools=None, warm={})


@dataclass(frozen=True, eq=False, kw_only=True)
class MetaSolution:
    """A solver's answer with its gaps measured.

    Attributes:
      joint: ``[A1, ..., AN]``, non-negative, sums to 1; all NaN when there is none. Of
        a game without its tensor it is ``Products``.
      gaps: measured CE, CCE and NE gaps.
      values: expected payoff of each player ``[N]``.
      status: how the solve ended.
      diagnostics: the solver's own numbers plus what ``solve`` found and mended.
      solver: name and parameters of what produced this.
      seconds: CPU seconds of the solve, measuring excluded.
      warm: what the solver may start from in a game of more actions, ``Progress.warm``.
    """

    joint: Joint
    gaps: Gaps
    values: Float64[ndarray, " N"]
    status: Status
    diagnostics: Mapping[str, Any]
    solver: Mapping[str, Any]
    seconds: float
    warm: Mapping[str, ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {fact}" for name, fact in self._facts.items())
        read = f" ({self.diagnostics['read_as']})" if self._read else ""
        return f"<MetaSolution of {self.solver['name']}: {said}{read}>"

    def _repr_html_(self) -> str:
        """The facts for a notebook; of two players also the joint, if it is small."""
        facts = self._facts | ({"read as": str(self._read)} if self._read else {})
        facts["status"] = f"{self.status.name}: {self.status.value}"
        small = isinstance(self.joint, ndarray) and self.joint.ndim == 2
        table = views.matrix(self.joint[None]) if small else ""
        return views.html(f"MetaSolution of {self.solver['name']}", facts, table)

    @property
    def _read(self) -> Any:
        """How ``solve`` read an array that is ambiguous; None where it is not."""
        return self.diagnostics.get("read_as")

    @property
    def _facts(self) -> dict[str, str]:
        """What there is to say, in words."""
        gaps = (
            f"{views.number(getattr(self.gaps, name).sum())} ({name.upper()})"
            for name in ("ne", "cce", "ce")
        )
        played = support(self.joint, 0.0)
        return {
            "status": self.status.name,
            "values": views.numbers(self.values),
            "gaps": ", ".join(gaps),
            "support": f"{'some' if played is None else played} of "
            f"{self.joint.size} joint actions",
        }

    def require(self) -> "MetaSolution":
        """This solution if it has a joint; otherwise raises ``SolverFailed``."""
        if np.isnan(self.values).any():
            raise SolverFailed(self)
        return self

    @property
    def marginals(self) -> tuple[Float64[ndarray, " A_p"], ...]:
        """Each player's own distribution."""
        return marginals(self.joint)


class SolverFailed(RuntimeError):
    """A solve ended with a status other than OK; ``solution`` holds what there is."""

    def __init__(self, solution: MetaSolution) -> None:
        super().__init__(solution)  # the one argument, so that it pickles
        self.solution = solution

    def __str__(self) -> str:
        name, status = self.solution.solver["name"], self.solution.status
        return f"{name}: {status.value} ({dict(self.solution.diagnostics)})"
