"""A CE or CCE that maximises whatever concave objective the user writes in cvxpy."""

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np

from meta_solvers.base import Answer, MetaSolver, Status, fact, failure
from meta_solvers.polytope import polytope
from metaspiel.nfg.errors import UserError, shown, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept


def _cvxpy() -> Any:
    """The module cvxpy, imported late because that takes a second."""
    return import_module("cvxpy")


def _entropy(joint: Any, game: Game) -> Any:
    cp = _cvxpy()
    return cp.sum(cp.entr(joint)) + np.log(game.copies.ravel()) @ joint


def _gini(joint: Any, game: Game) -> Any:
    cp = _cvxpy()
    return 1.0 - cp.sum_squares(joint / np.sqrt(game.copies.ravel()))


def _welfare(joint: Any, game: Game) -> Any:
    return _one_unit(game).sum(axis=0) @ joint


def _egalitarian(joint: Any, game: Game) -> Any:
    cp = _cvxpy()
    return cp.min(_one_unit(game) @ joint)


def _one_unit(game: Game) -> np.ndarray:
    """Payoffs ``[N, profiles]`` in [0, 1], by one shift and scale for all players."""
    flat = game.payoffs.reshape(game.players, -1)
    low, spread = flat.min(), np.ptp(flat)
    return np.asarray((flat - low) / (spread if spread > 0 else 1.0))


Objective = Callable[[Any, Game], Any]

_OBJECTIVES: dict[str, Objective] = {
    "entropy": _entropy,
    "welfare": _welfare,
    "gini": _gini,
    "egalitarian": _egalitarian,
}


@dataclass(frozen=True)
class UserObjective(MetaSolver):
    """The CE or CCE that maximises a concave objective, through cvxpy.

    Slower than a solver made for one objective, but any objective can be tried::

        def spread(joint: cp.Variable, game: Game) -> cp.Expression:
            return -cp.max(joint)

        solve(UserObjective(spread), game)
        solve(get("cvx:objective=my_package.my_module:spread"), game)

    Attributes:
      objective: a function of the joint and the game, to be maximised; or where it is,
        as "package.module:function"; or one of "entropy", "gini", "welfare" (sum of
        payoffs) and "egalitarian" (smallest player's payoff). The joint comes as a flat
        ``cp.Variable`` ``[profiles]`` in C order, so that ``payoffs.ravel() @ joint``
        is an expected payoff; the result is a scalar concave ``cp.Expression``.
        Repeated actions come once: ``game.copies`` says how often they count.
      equilibrium: the set that is searched.
      solver: a solver that cvxpy has installed and that fits the objective's cones.
    """

    objective: str | Objective = "entropy"
    equilibrium: Literal["ce", "cce"] = "cce"
    solver: str = "CLARABEL"

    maximises: ClassVar[str] = "any concave function of the joint"
    source: ClassVar[str] = "Diamond & Boyd 2016 (cvxpy)"

    def __post_init__(self) -> None:
        if self.equilibrium not in ("ce", "cce"):
            raise unknown(
                "UserObjective()", "equilibrium", self.equilibrium, ("ce", "cce")
            )
        if isinstance(self.objective, str):
            named = self.objective in _OBJECTIVES
            if not named and ":" not in self.objective:
                known = [*_OBJECTIVES, "package.module:function"]
                raise unknown("UserObjective()", "objective", self.objective, known)
        elif not callable(self.objective):
            raise UserError(
                "UserObjective(): objective must be a function or its name; "
                f"got {self.objective!r}"
            )

    @fact
    def concept(self) -> Concept:
        return self.equilibrium

    @property
    def reaches(self) -> tuple[str, ...]:
        if not isinstance(self.objective, str) or self.objective in _OBJECTIVES:
            return ()
        module, _, name = self.objective.partition(":")
        return (f"import the module '{shown(module)}' and call its '{shown(name)}'",)

    def refuses(self, game: Game) -> str | None:
        try:
            cp = _cvxpy()
        except ModuleNotFoundError as error:
            return (
                f"the package '{error.name}' must be installed; "
                f"try 'pip install {error.name}'"
            )
        installed = cp.installed_solvers()
        if self.solver.upper() not in installed:
            return (
                f"solver must be one that cvxpy has installed: "
                f"{', '.join(installed)}; got '{shown(self.solver)}'"
            )
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        cp = _cvxpy()
        shape = polytope(game, self.equilibrium)
        size = shape.profiles
        joint = cp.Variable(size, nonneg=True, name="joint")
        variables = joint
        if shape.variables > size:
            lifted = cp.Variable(shape.variables - size, name="lifted")
            variables = cp.hstack([joint, lifted])
        constraints = [shape.equal @ variables == shape.equal_to]
        if shape.below.shape[0]:
            constraints.append(shape.below @ variables <= 0)
        goal = self._goal(joint, game)
        problem = cp.Problem(cp.Maximize(goal), constraints)
        try:
            with warnings.catch_warnings():
                # The status says so, and becomes ours.
                warnings.filterwarnings("ignore", "Solution may be inaccurate")
                problem.solve(solver=self.solver.upper())
        except cp.SolverError as error:
            reason = f"cvxpy with {self.solver.upper()}: {error}"
            return failure(game, Status.NUMERICAL, reason=reason)
        diagnostics: dict[str, Any] = {"cvxpy_status": str(problem.status)}
        status = _status(str(problem.status))
        if joint.value is None or status in (Status.INFEASIBLE, Status.NUMERICAL):
            return failure(game, status, **diagnostics)
        steps = getattr(problem.solver_stats, "num_iters", None)
        diagnostics |= {"objective": float(problem.value)}
        if steps is not None:
            diagnostics |= {"iterations": int(steps)}
        values = np.asarray(joint.value, dtype=np.float64)
        return Answer(values.reshape(game.actions), status, 0.0, diagnostics)

    def _goal(self, joint: Any, game: Game) -> Any:
        """The objective as a concave expression; a ``UserError`` where it is none."""
        cp = _cvxpy()
        function = self.objective
        if isinstance(function, str):
            function = _OBJECTIVES.get(function) or _imported(function)
        try:
            inspect.signature(function).bind(joint, game)
        except (TypeError, ValueError):
            raise UserError(
                "UserObjective: the objective must be a function of (joint, game); got "
                f"{self.objective}"
            ) from None
        goal = function(joint, game)
        if not isinstance(goal, cp.Expression):
            raise UserError(
                "UserObjective: objective(joint, game) must return a cvxpy Expression; "
                f"got {type(goal).__name__}"
            )
        if math.prod(goal.shape) != 1:
            raise UserError(
                "UserObjective: objective(joint, game) must return one number; "
                f"got an expression of shape {list(goal.shape)}"
            )
        if not goal.is_concave():
            raise UserError(
                "UserObjective: objective(joint, game) must be concave by cvxpy's "
                f"rules (DCP), for it is maximised; got curvature {goal.curvature} "
                f"of {_short(goal)}"
            )
        return cp.sum(goal)


def _status(name: str) -> Status:
    """The ``Status`` of a cvxpy status; unbounded means that there is no maximum."""
    table = {
        "optimal": Status.OK,
        "optimal_inaccurate": Status.INACCURATE,
        "infeasible": Status.INFEASIBLE,
        "infeasible_inaccurate": Status.INFEASIBLE,
        "user_limit": Status.MAX_STEPS,
    }
    return table.get(name, Status.NUMERICAL)


def _short(goal: Any) -> str:
    text = str(goal)
    return text if len(text) <= 80 else text[:77] + "..."


def _imported(path: str) -> Objective:
    """The function that "package.module:function" names."""
    module, _, name = path.partition(":")
    try:
        if not all(map(str.isidentifier, [*module.split("."), name])):
            raise ValueError("these are no names of Python")
        objective = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            "UserObjective: objective must name a function that can be imported, as "
            f"'package.module:function'; got '{shown(path)}' ({shown(error, 200)})"
        ) from None
    if not callable(objective):
        raise UserError(
            f"UserObjective: objective must name a function; got '{path}', "
            f"a {type(objective).__name__}"
        )
    checked: Objective = objective
    return checked
