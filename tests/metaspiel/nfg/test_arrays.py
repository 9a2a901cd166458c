"""Whatever is like an array ends in the right numbers or in one sentence."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import sparse

from meta_solvers import solve
from meta_solvers.exact.batch import equilibria
from meta_solvers.nes.solver import neural_equilibria
from metaspiel.nfg import Game, UserError, expected, measure

PAYOFFS = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]])


class Frame:
    """As a data frame: converts itself."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        if isinstance(self.values, Exception):
            raise self.values
        return np.asarray(self.values, dtype)


def tensor(**fields):
    return torch.tensor(PAYOFFS, **fields)


READ = {
    "lists": PAYOFFS.tolist(),
    "fractions": [[[Fraction(int(x)) for x in row] for row in m] for m in PAYOFFS],
    "decimals": [[[Decimal(int(x)) for x in row] for row in m] for m in PAYOFFS],
    "integers": PAYOFFS.astype(np.int8),
    "unsigned": PAYOFFS.astype(np.uint64),
    "half": PAYOFFS.astype(np.float16),
    "extended": PAYOFFS.astype(np.longdouble),
    "swapped": PAYOFFS.astype(">f8"),
    "objects": PAYOFFS.astype(object),
    "strided": np.repeat(PAYOFFS, 2, axis=2)[:, :, ::2],
    "turned": PAYOFFS[:, ::-1][:, ::-1],
    "fortran": np.asfortranarray(PAYOFFS),
    "read-only": np.broadcast_to(PAYOFFS, PAYOFFS.shape),
    "nothing masked": np.ma.masked_array(PAYOFFS, mask=False),
    "frame": Frame(PAYOFFS),
    "tensor": tensor(),
    "with a gradient": tensor(requires_grad=True),
    "list with gradients": list(tensor(requires_grad=True)),
    "bfloat16": tensor(dtype=torch.bfloat16),
    "tensor of integers": tensor(dtype=torch.int32),
}


@pytest.mark.parametrize("name", READ)
def test_arrays_of_every_kind_are_the_numbers_they_hold(name):
    given = READ[name]
    game = Game(given)
    assert game.payoffs.dtype == np.float64
    np.testing.assert_array_equal(game.payoffs, PAYOFFS)
    np.testing.assert_array_equal(Game(PAYOFFS, members=[given]).members[0], PAYOFFS)
    assert solve("mwcce", given).joint.argmax() == 3
    for batch in (equilibria([given]), neural_equilibria([given], refine=None)):
        assert float(batch.joint[0, 1, 1]) == pytest.approx(1, abs=1e-6)


def test_booleans_are_0_and_1():
    np.testing.assert_array_equal(Game(PAYOFFS > 2).payoffs, PAYOFFS > 2)


REFUSED = {
    "masked": (np.ma.masked_array(PAYOFFS, mask=PAYOFFS > 4), "2 masked"),
    "masked rows": ([np.ma.masked_array(m, mask=m > 4) for m in PAYOFFS], "1 masked"),
    "complex": (PAYOFFS + 0j, "complex"),
    "text": (PAYOFFS.astype(str), "text"),
    "bytes": (PAYOFFS.astype("S3"), "text"),
    "text among objects": ([[["1", 2], [3, 4]]] * 2, "text"),
    "dates": (PAYOFFS.astype("datetime64[s]"), "dates"),
    "durations": (PAYOFFS.astype("timedelta64[s]"), "durations"),
    "records": (np.zeros((2, 2, 2), dtype=[("a", float)]), "records"),
    "sparse": (sparse.csr_array(PAYOFFS[0]), "sparse"),
    "sparse tensor": (tensor().to_sparse(), "sparse"),
    "complex tensor": (tensor(dtype=torch.complex64), "complex"),
    "no memory": (torch.empty(2, 2, 2, device="meta"), "without memory"),
    "ragged": ([[1.0, 2.0], [3.0]], "inhomogeneous"),
    "dictionary": ({"a": 1}, "dict"),
    "generator": ((x for x in PAYOFFS), "generator"),
    "too large": ([[[10**400, 1], [1, 1]]] * 2, "too large"),
    "breaks": (Frame(RuntimeError("boom")), "boom"),
    "missing": (np.where(PAYOFFS > 4, None, PAYOFFS), "nan"),
    "infinite": (np.where(PAYOFFS > 4, np.inf, PAYOFFS), "inf"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_array_of_real_numbers_is_one_sentence(name):
    given, word = REFUSED[name]
    calls = [
        Game,
        Game.zero_sum,
        lambda x: solve("uniform", x),
        lambda x: Game(PAYOFFS, members=[x]),
        lambda x: equilibria([x]),
        lambda x: equilibria(x if hasattr(x, "dtype") else [x]),
        lambda x: neural_equilibria([x]),
        lambda x: equilibria(PAYOFFS[None], target=x),
        lambda x: equilibria(torch.tensor(PAYOFFS[None]), target=x),
        lambda x: measure(Game(PAYOFFS), x),
        lambda x: expected(Game(PAYOFFS), x),
    ]
    for call in calls:
        with pytest.raises(UserError, match=word) as raised:
            call(given)
        assert "\n" not in str(raised.value)


def test_a_gradient_does_not_follow_through_a_batch():
    wide = tensor(requires_grad=True)[None]
    target = torch.full((1, 2, 2), 0.25, requires_grad=True, dtype=torch.float64)
    assert not equilibria(wide, target=target).joint.requires_grad


@pytest.mark.parametrize("players", [30, 60])
def test_a_game_of_many_players_who_have_no_choice(players):
    game = Game(np.arange(float(players)).reshape(-1, *[1] * players))
    for name in ("uniform", "mwcce", "mgce", "mecce"):
        assert solve(name, game).joint.item() == 1


def test_subnormal_payoffs_are_payoffs():
    game = Game(PAYOFFS * 5e-324)
    assert solve("mwcce", game).joint[1, 1] == pytest.approx(1)
    assert solve("mecce", game).joint[1, 1] == pytest.approx(1, abs=1e-6)
