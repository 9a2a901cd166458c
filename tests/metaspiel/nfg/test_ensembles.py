"""Random games known through ensembles."""

from dataclasses import replace

import numpy as np
import pytest

from metaspiel.nfg.ensembles import Ensembles
from metaspiel.nfg.errors import UserError


def test_members_are_as_said():
    games = Ensembles(actions=40, members=200, width=2.0)
    for bias in (0.0, 0.7):
        true, known = replace(games, bias=bias).draw(np.random.default_rng(0))
        assert true.symmetric and known.symmetric
        errors = known.members[:, 0] - true.payoffs[0]
        spread = errors.std(axis=(0, 2))  # of each strategy: its uncertainty
        assert spread.min() > 0 and 1.8 < spread.max() < 2.1
        slope = np.polyfit(spread, errors.mean(axis=(0, 2)), 1)[0]
        assert slope == pytest.approx(bias, abs=0.05)


@pytest.mark.parametrize(
    "fields",
    [{"actions": 1}, {"members": 0}, {"width": -1.0}, {"bias": float("nan")}],
)
def test_what_cannot_be_drawn_is_refused(fields):
    with pytest.raises(UserError, match=f"{next(iter(fields))} must be a number"):
        Ensembles(**fields)
