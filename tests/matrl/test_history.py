"""What a run came to, from the metrics of its iterations."""

import numpy as np
import pytest

from matrl import loop
from matrl.history import History, blocks
from matrl.methods import METHODS, Settings
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import PPO


def test_blocks_keep_every_iteration():
    ends, means = blocks([float(number) for number in range(120)])
    assert len(ends) <= 50 and ends[-1] == 120
    sizes = np.diff([0, *ends])
    assert means @ sizes == pytest.approx(sum(range(120)))


def test_a_history_is_that_of_the_metrics():
    game, settings = (
        load("switch"),
        Settings(ppo=PPO(batch=100, envs=2, width=8, steps=2)),
    )
    state, rows = loop.start(game, settings, 0), []
    for _ in range(3):
        state, row = loop.step(game, METHODS["matrl"], settings, state)
        rows.append(row)
    history = History.of(rows, last=2)
    returns = [row["returns"] for row in rows]
    assert history.final == pytest.approx(np.mean(returns[1:]))
    assert history.average == pytest.approx(np.mean(returns))
    assert history.best == max(returns)
    assert history.curve is not None and history.curve.steps == [100, 200, 300]
    assert history.own is not None and sum(history.own) == pytest.approx(history.final)
    rho = np.array([row["rho"] for row in rows])
    assert history.rho == pytest.approx(rho.mean())
    assert history.rho_any == pytest.approx((rho > 0).any(1).mean())
    assert history.equilibria == np.mean([row["equilibria"] for row in rows])
    assert history.approximate == 0
    alone = History.of([{k: v for k, v in r.items() if k != "rho"} for r in rows], 2)
    assert alone.rho is None and alone.rho_curve is None
