"""Other means to the maximum-entropy CE and CCE, against ours."""

import numpy as np
import pytest

from meta_solvers.exact.batch import equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.references import conic, quasi_newton, rows
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure


def in_order(gains):
    return gains[np.lexsort(gains.round(6).T)]


BOTH = pytest.mark.parametrize("concept", ["cce", "ce"])


@BOTH
@pytest.mark.parametrize("actions", [(3, 4), (2, 3, 2)])
def test_deviations_are_those_of_the_dual(actions, concept):
    payoffs = np.random.default_rng(0).normal(size=(1, len(actions), *actions))
    problem, unit = build(payoffs, concept)
    dual = Dual(problem)
    sizes = [part.stop - part.start for part in dual.parts]
    wanted = dual.deviations()[0] * np.repeat(unit[0], sizes)[:, None]
    wanted = wanted[dual.mask[0] > 0]
    gains = rows(payoffs[0], concept).toarray()
    np.testing.assert_allclose(in_order(gains), in_order(wanted), atol=1e-12)


@BOTH
@pytest.mark.parametrize(
    "solver",
    [lambda *given: conic(*given, solver="clarabel"), quasi_newton],
    ids=["conic", "quasi_newton"],
)
def test_they_find_what_the_interior_point_finds(concept, solver):
    payoffs = np.random.default_rng(1).normal(size=(2, 3, 3))
    joint, optimal = solver(payoffs, concept)
    assert optimal and measure(Game(payoffs), joint).of(concept).sum() <= 1e-6
    ours = equilibria(payoffs[None], concept).joint[0]
    np.testing.assert_allclose(joint, ours, atol=1e-4)


def test_a_missing_package_is_named():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        conic(np.zeros((2, 2, 2)), "cce", solver="no_such_package")
