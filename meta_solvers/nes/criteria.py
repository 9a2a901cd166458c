"""What selection criteria take among the equilibria of a small game.

Figure 1 of Marris et al. 2022: maximum entropy (ME), the same with a welfare that
prefers one joint action (MWME), and minimum relative entropy to a target near one
(MRE); exactly, and by a network.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from meta_solvers.exact.batch import STATUS, equilibria
from meta_solvers.exact.problem import Concept
from meta_solvers.nes.measure import apart
from meta_solvers.nes.network import Network
from meta_solvers.nes.solver import neural_equilibria

WELFARE = 2.0  # nats for the joint action that a welfare prefers
REST = 0.01  # probability that a target leaves to all other joint actions


@dataclass(frozen=True, eq=False, kw_only=True)
class Selected:
    """What one criterion takes in a game.

    Attributes:
      criterion: "ME", or "MWME" or "MRE" and the joint action, counted from 1.
      exact: the joint of the exact solver.
      neural: the network's.
      solver_gap: total variation between the two.
      status: of the exact solver.
    """

    criterion: str
    exact: Float[ndarray, "*A"]
    neural: Float[ndarray, "*A"]
    solver_gap: float
    status: str


def select(
    payoffs: Float[ndarray, "N *A"],
    concept: Concept = "cce",
    network: Network | Path | None = None,
) -> list[Selected]:
    """Every criterion in one game; without a network the shipped one that fits."""
    labels, targets, welfares = zip(*_criteria(payoffs.shape[1:]), strict=True)
    batch = torch.from_numpy(np.repeat(payoffs[None], len(labels), 0))
    asked = (batch, concept, np.stack(targets), np.stack(welfares))
    exact = equilibria(*asked)
    answers = neural_equilibria(*asked, network=network).joint
    joints = np.asarray(exact.joint), np.asarray(answers, dtype=np.float64)
    return [
        Selected(
            criterion=label,
            exact=joints[0][i],
            neural=joints[1][i],
            solver_gap=float(far),
            status=STATUS[int(exact.status[i])],
        )
        for i, (label, far) in enumerate(zip(labels, apart(*joints), strict=True))
    ]


def _criteria(actions: tuple[int, ...]) -> Iterator[tuple[str, ndarray, ndarray]]:
    """The name of each criterion, its target and its welfare."""
    count = int(np.prod(actions))
    uniform, units = np.full(actions, 1 / count), np.eye(count).reshape(-1, *actions)
    pure = (1 - REST) * units + REST / (count - 1) * (1 - units)
    names = [str(tuple(i + 1 for i in index)) for index in np.ndindex(*actions)]
    yield "ME", uniform, 0 * uniform
    for name, unit in zip(names, units, strict=True):
        yield f"MWME {name}", uniform, WELFARE * unit
    for name, target in zip(names, pure, strict=True):
        yield f"MRE {name}", target, 0 * uniform
