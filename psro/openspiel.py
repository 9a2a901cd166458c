"""Our meta-solvers inside OpenSpiel's own loops, and OpenSpiel's inside ours.

Nothing of OpenSpiel is copied: ``as_psro_v2`` makes a ``meta_strategy_method`` for
``PSROSolver``, ``register_in_jpsro`` adds names to the table of ``jpsro.run_loop``, and
``JPSROSolver`` and ``PSROv2Solver`` call its meta-solvers as they are. OpenSpiel, and
what it needs, is imported only when it is used.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import MetaSolution, MetaSolver
from meta_solvers.registry import get
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from psro.openspiel_calls import JPSRO, LP_SOLVERS, linear_programs_by, module
from psro.openspiel_solvers import (
    JPSRO_CONCEPTS,
    PSRO_V2_CONCEPTS,
    JPSROSolver,
    PSROv2Solver,
    overwritten,
)

__all__ = [
    "JPSRO_CONCEPTS",
    "LP_SOLVERS",
    "PSRO_V2_CONCEPTS",
    "JPSROSolver",
    "PSROv2Method",
    "PSROv2Solver",
    "as_jpsro",
    "as_psro_v2",
    "linear_programs_by",
    "register_in_jpsro",
]


class PSROv2Method:
    """One of our solvers as a ``meta_strategy_method`` of OpenSpiel's ``PSROSolver``.

    Every call draws from a generator made of the seed and the number of the call, so
    a run can be repeated. The joint is returned as an n-dimensional array, which
    OpenSpiel's samplers, oracles and rectifier need.

    Attributes:
      calls: number of calls so far.
      solution: the last answer with its status and measured gaps; None before.
    """

    def __init__(self, solver: MetaSolver, seed: int = 0) -> None:
        self.solver, self.seed, self.calls = solver, seed, 0
        self.solution: MetaSolution | None = None

    def __call__(self, solver: Any, return_joint: bool = False) -> Any:
        """Marginals ``[A_p]`` and, if asked for, the joint ``[A1, ..., AN]``.

        ``solver`` is OpenSpiel's ``PSROSolver``, of which only the meta-game is read.
        """
        rng = np.random.default_rng([self.seed, self.calls])
        self.calls += 1
        game = Game(np.stack([np.asarray(g, float) for g in solver.get_meta_game()]))
        self.solution = solve(self.solver, game, rng, throw=False).require()
        marginals = [np.array(m) for m in self.solution.marginals]
        return (marginals, np.array(self.solution.joint)) if return_joint else marginals


def as_psro_v2(solver: MetaSolver | str, seed: int = 0) -> PSROv2Method:
    """``solver`` (or the spec of one) for ``PSROSolver(meta_strategy_method=...)``.

    Make one for each ``PSROSolver``: it counts its calls.
    """
    return PSROv2Method(get(solver) if isinstance(solver, str) else solver, seed)


JPSROFunction = Callable[..., tuple[ndarray, dict[str, Any]]]


def as_jpsro(solver: MetaSolver | str, seed: int = 0) -> JPSROFunction:
    """``solver`` (or the spec of one) as OpenSpiel's ``jpsro`` calls a meta-solver.

    The dictionary beside the joint holds ``solution``, with status and measured gaps.
    """
    chosen = get(solver) if isinstance(solver, str) else solver
    calls = itertools.count()

    def meta_solver(
        meta_game: Float64[ndarray, "N *A"],
        per_player_repeats: Sequence[Sequence[int]],
        ignore_repeats: bool = False,
    ) -> tuple[Float64[ndarray, "*A"], dict[str, Any]]:
        """The joint ``[A1, ..., AN]``, and the solver's diagnostics."""
        repeats = None if ignore_repeats else per_player_repeats
        rng = np.random.default_rng([seed, next(calls)])
        solution = solve(chosen, Game(meta_game, repeats=repeats), rng, throw=False)
        return np.array(solution.require().joint), {"solution": solution}

    return meta_solver


def register_in_jpsro(
    *specs: str, prefix: str = "", overwrite: bool = False, seed: int = 0
) -> tuple[str, ...]:
    """Lets ``jpsro.run_loop`` find our solvers under ``prefix + spec``.

    They stay until the process ends, and count their calls, as ``as_psro_v2`` says.

    Args:
      specs: specs of solvers, e.g. ``"mgcce"``.
      prefix: put before each spec, e.g. ``"our_"``.
      overwrite: replace OpenSpiel's (or an earlier) solver of the same name.
      seed: seed of what stochastic solvers draw.

    Returns:
      The names, for ``train_meta_solver`` and ``eval_meta_solver``.

    Raises:
      UserError: a spec does not parse, a name is taken, or a package is missing.
    """
    where = "register_in_jpsro()"
    functions = {prefix + spec: as_jpsro(spec, seed) for spec in specs}
    table = module(JPSRO, where).FLAG_TO_FUNC
    taken = [name for name in functions if name in table]
    if taken and not overwrite:
        raise UserError(
            f"{where}: a name must be new to OpenSpiel's jpsro; got '{taken[0]}', "
            "which it has, and equal names need not mean equal solvers ('rd' is "
            "replicator dynamics here and a random Dirichlet joint there); pass "
            f"prefix='our_' to get 'our_{taken[0]}', or overwrite=True to replace it"
        )
    for name in taken:
        if name in JPSRO_CONCEPTS:
            overwritten.setdefault(name, table[name])
    table.update(functions)
    return tuple(functions)
