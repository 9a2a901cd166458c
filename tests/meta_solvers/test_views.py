"""Values in a line and in a notebook, and the front door with a spec."""

import numpy as np
import pytest

import metaspiel

CHICKEN = [[[0, 7], [2, 6]], [[0, 2], [7, 6]]]


def test_a_solver_by_its_spec_and_a_nested_list():
    solution = metaspiel.solve("mgcce", CHICKEN)
    assert repr(solution) == (
        "<MetaSolution of MaxGiniCCE: status OK, values [4.235, 4.235], gaps 0.2855 "
        "(NE), 0 (CCE), 0 (CE), support 4 of 4 joint actions>"
    )
    pennies = metaspiel.solve("nash_lp", [[1, -1], [-1, 1]])
    assert "two-player zero-sum" in pennies.diagnostics["read_as"]
    assert "two-player zero-sum" in repr(pennies)
    assert "two-player zero-sum" in pennies._repr_html_()
    assert pennies._repr_html_().count("<td>0.25</td>") == 4


def test_games_in_a_line():
    assert repr(metaspiel.Game(CHICKEN)) == "<Game: 2 players, 2x2 actions>"
    pennies = metaspiel.Game.zero_sum([[1, -1, 0], [-1, 1, 0]])
    assert repr(pennies) == "<Game: two-player zero-sum, 2x3 actions>"
    assert "<td>1, -1</td>" in pennies._repr_html_()
    large = metaspiel.Game(np.zeros((3, 20, 20, 20)))
    assert len(repr(large)) < 60 and len(large._repr_html_()) < 400
    noisy = metaspiel.Game.ensemble(np.ones((4, 2, 2, 2)), [[1, 2], [1, 1]])
    assert "ensemble of 4, with repeated actions" in repr(noisy)


def test_a_failure_has_a_line_as_well():
    with pytest.raises(metaspiel.SolverFailed) as failed:
        metaspiel.solve("rd:steps=1", CHICKEN)
    assert "MAX_STEPS" in repr(failed.value.solution)
