import numpy as np
import pytest
from scipy.optimize import linprog

from meta_solvers import nash, two_action
from metaspiel.nfg.catalogue import catalogue, named
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected, measure
from metaspiel.nfg.simplex import product

ENTRIES = list(catalogue().values())
NAMES = list(catalogue())


@pytest.mark.parametrize("name", NAMES)
def test_known_equilibria_have_no_regret_and_the_stated_values(name):
    entry = named(name)
    assert entry.source and entry.name == name and catalogue()[name] is entry
    for profile in entry.nash:
        joint = product(profile)
        np.testing.assert_allclose(joint.sum(), 1)
        gaps = measure(entry.game, joint)
        assert (gaps.ne <= 1e-12 * entry.game.scale).all()
        if entry.values is not None:
            values = expected(entry.game, joint)
            np.testing.assert_allclose(values, entry.values, atol=1e-12)


def matches(listed, known) -> bool:
    """The same profiles, in any order."""
    if len(listed) != len(known):
        return False
    flat = [np.concatenate([np.ravel(s) for s in p]) for p in (*listed, *known)]
    mine, theirs = flat[: len(listed)], flat[len(listed) :]
    return all(min(np.abs(a - b).max() for b in theirs) < 1e-9 for a in mine)


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_lists_called_complete_are(entry):
    checked = not entry.complete
    if entry.complete and entry.game.players == 2:
        assert matches(nash.equilibria(entry.game), entry.nash)
        checked = True
    if entry.complete and set(entry.game.actions) == {2}:
        assert matches(two_action.equilibria(entry.game), entry.nash)
        checked = True
    assert checked or entry.game.players == 1


def best_welfare(game: Game) -> float:
    """Largest welfare of a correlated equilibrium, by a linear program."""
    played, rows = np.indices(game.actions), [np.zeros(game.profiles)]
    for p in range(game.players):
        for recommended in range(game.actions[p]):
            for other in range(game.actions[p]):
                instead = np.take(game.payoffs[p], [other], axis=p)
                gain = (instead - game.payoffs[p]) * (played[p] == recommended)
                rows.append(gain.ravel())
    result = linprog(
        -game.payoffs.sum(axis=0).ravel(),
        A_ub=np.array(rows),
        b_ub=np.zeros(len(rows)),
        A_eq=np.ones((1, game.profiles)),
        b_eq=[1],
    )
    return -result.fun


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if "ce_welfare" in e.facts], ids=lambda e: e.name
)
def test_stated_welfare_is_the_best_of_all_correlated_equilibria(entry):
    assert best_welfare(entry.game) == pytest.approx(entry.facts["ce_welfare"])


def test_stag_hunt_risk_dominance():
    solver = two_action.TwoActionNash(select="risk_dominant")
    entry = named("stag_hunt")
    joint = solver.distribution(entry.game, np.random.default_rng(0)).joint
    assert joint[entry.facts["risk_dominant"]] == 1


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UserError, match=r"did you mean 'chicken'.*and 19 others"):
        named("chickn")


def test_the_catalogue_cannot_be_damaged():
    catalogue().clear()
    assert named("shapley").game.actions == (3, 3)
