"""What runs of a comparison amount to: curves of numbers, by game, method and seed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NotRequired

from experiments.compare.axes_config import EXACT, Method
from experiments.compare.naming import short_names

FINISHED, FAILED, SKIPPED = "finished", "failed", "does not apply"
"""Outcomes of a cell: the solver failed in the run, or could not play it at all."""

COLUMNS: Mapping[str, Any] = {
    "iteration": list[int],
    "gap": list[float | None],
    "best": list[float | None],
    "train_gap": list[float | None],
    "own_gap": list[float | None],
    "welfare": list[float],
    "train_welfare": list[float],
    "support": list[int | None],
    "policies": list[list[int]],
    "status": list[str],
    "cpu_seconds": list[float],
    "population_exploitability": NotRequired[list[float | None]],
}
"""Columns of curves, lists of an entry an iteration, and their types.

``gap`` is the exact gap that is compared, of the evaluated solver, and ``best`` the
lowest so far; ``train_gap`` that of what is responded to; ``own_gap`` is under the
run's concept, of a learned oracle what responses learned to gain.
``population_exploitability``, a NashConv / 2, is None unless it was asked for.
"""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a run.

    Attributes:
      game: as it was asked for.
      solver: that is responded to.
      evaluation: the solver whose gap is compared, or "same".
      oracle: how responses were found.
      seed: of the run.
      outcome: whether it finished.
      reason: why not.
      code: a hash of the source of the user's own solvers; empty where there are none.
      concept: what was responded to.
      gap_is: whether the oracle's own gaps are exact.
      caveats: sentences on what was played.
      curves: a list a column, see ``COLUMNS``.
    """

    game: str
    solver: str
    evaluation: str
    oracle: str
    seed: int
    outcome: str
    reason: str = ""
    code: str = ""
    concept: str = ""
    gap_is: str = ""
    caveats: Sequence[str] = ()
    curves: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """What is compared."""
        return Method(
            solver=self.solver, evaluation=self.evaluation, oracle=self.oracle
        )

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """The curves as one row an iteration."""
        for values in zip(*self.curves.values(), strict=True):
            yield dict(zip(self.curves, values, strict=True))

    @property
    def judged(self) -> bool:
        """Whether it finished, with an exact gap of every iteration."""
        gaps = self.curves.get("gap", ())
        return self.outcome == FINISHED and bool(gaps) and None not in gaps


SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(("game", "solver", "evaluation", "oracle", "outcome"), str),
    **dict.fromkeys(("reason", "concept", "gap_is"), str),
    "code": NotRequired[str],
    "seed": int,
    "caveats": list[str],
    "curves": dict,
}


@dataclass(frozen=True)
class Results:
    """All runs of a comparison, in the order of their games and methods."""

    runs: Sequence[Result]

    @cached_property
    def games(self) -> list[str]:
        """The games, each once."""
        return list(dict.fromkeys(one.game for one in self.runs))

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Names of the games for tables and sentences."""
        return short_names(self.games)

    @cached_property
    def methods(self) -> list[Method]:
        """The methods, each once."""
        return list(dict.fromkeys(one.method for one in self.runs))

    @cached_property
    def labels(self) -> Mapping[Method, str]:
        """Names of the methods for readers: an oracle that all share is left out."""
        alike = len({one.oracle for one in self.methods}) == 1
        return {
            one: (replace(one, oracle=EXACT) if alike else one).name
            for one in self.methods
        }

    def on(self, games: Collection[str]) -> "Results":
        """The runs on some of the games."""
        return Results([one for one in self.runs if one.game in games])

    @property
    def iterations(self) -> int:
        """Iterations of every run that finished; 0 where none did."""
        lengths = [len(one.curves["gap"]) - 1 for one in self.runs if one.judged]
        return max(lengths, default=0)

    @cached_property
    def _groups(self) -> dict[tuple[str, Method], list[Result]]:
        groups: dict[tuple[str, Method], list[Result]] = {}
        for one in sorted(self.runs, key=lambda one: one.seed):
            groups.setdefault((one.game, one.method), []).append(one)
        return groups

    def of(self, game: str, method: Method) -> list[Result]:
        """All runs of a method on a game, by seed."""
        return self._groups.get((game, method), [])

    def judged(self, game: str, method: Method) -> list[Result]:
        """The runs of a method that finished with exact gaps, by seed."""
        return [one for one in self.of(game, method) if one.judged]

    def same(self, game: str, method: Method) -> bool:
        """Whether several seeds of a method all had the same gaps, to the bit."""
        gaps = [list(one.curves["gap"]) for one in self.judged(game, method)]
        return len(gaps) > 1 and all(one == gaps[0] for one in gaps)
