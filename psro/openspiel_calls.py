"""Calls of OpenSpiel's Python code: its modules, LP solvers and randomness.

OpenSpiel, and what it needs, is imported only when it is used.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from metaspiel.nfg.errors import UserError, unknown

JPSRO = "open_spiel.python.algorithms.jpsro"
PSRO_V2 = "open_spiel.python.algorithms.psro_v2"
_LP = "open_spiel.python.algorithms.lp_solver"
LP_SOLVERS = ("CLARABEL", "HIGHS", "ECOS")

_PACKAGES = {"pyspiel": "open_spiel", "absl": "absl-py"}


def module(name: str, where: str) -> Any:
    """Imports a module of OpenSpiel; a missing package becomes a ``UserError``."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).split(".")[0]
        package = _PACKAGES.get(missing, missing)
        raise UserError(
            f"{where}: the package '{package}' must be installed, for OpenSpiel's "
            f"{name.removeprefix('open_spiel.python.')} imports it; "
            f"try 'pip install {package}'"
        ) from error


@contextmanager
def linear_programs_by(solver: str) -> Iterator[None]:
    """Context in which OpenSpiel solves linear programs by another cvxpy solver.

    OpenSpiel asks for ECOS, which cvxpy no longer brings along. "ECOS" changes nothing.

    Raises:
      UserError: the solver is not one of ``LP_SOLVERS``, or a package is missing.
    """
    where = "linear_programs_by()"
    if solver not in LP_SOLVERS:
        raise unknown(where, "LP solver", solver, LP_SOLVERS)
    jpsro, lp = module(JPSRO, where), module(_LP, where)
    if solver == "ECOS":
        yield
        return
    options, by_default = jpsro.DEFAULT_ECOS_SOLVER_KWARGS, lp.LinearProgram.solve
    defaults = by_default.__defaults__
    jpsro.DEFAULT_ECOS_SOLVER_KWARGS = {"solver": solver, "verbose": False}
    by_default.__defaults__ = (solver, {"verbose": False})
    try:
        yield
    finally:
        jpsro.DEFAULT_ECOS_SOLVER_KWARGS = options
        by_default.__defaults__ = defaults


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Context in which each program of OpenSpiel's jpsro ends after so many seconds.

    OpenSpiel allows a thousand million steps; on badly scaled payoffs it takes them.
    """
    options = module(JPSRO, "limited()").DEFAULT_OSQP_SOLVER_KWARGS
    before = dict(options)
    options["time_limit"] = seconds
    try:
        yield
    finally:
        options.clear()
        options.update(before)


@contextmanager
def globally_seeded(seed: int) -> Iterator[None]:
    """Inside, the two global generators that OpenSpiel draws from follow a seed."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
