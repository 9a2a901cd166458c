"""Models, learning in them and what is said of them, on a pretended and a real GPU."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from pretend_gpu import PretendGPU, real_gpu

from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.settings import DDQN
from offline import dynamics
from offline.agreement import agreement
from offline.coffee import Approach, setup
from offline.fidelity import errors
from offline.model import ModelSimulator
from offline.record import collect
from offline.settings import Training
from offline.starts import starts
from psro.executor import InProcess
from psro.loop import start, step

GAME = Bargaining()
NETWORK = MLP.of(GAME, 16)
SHORT = DDQN(
    decisions=112, games=16, batch=8, capacity=64, minimum=64, explore_decisions=64
)
TRAINING = Training(steps=5, width=16, batch=16)


def everything(name):
    """Numbers of a whole small run on one device."""
    device, data = torch.device(name), collect(GAME, 40, 0)
    model = ModelSimulator(
        learned=dynamics.train([data], [0], TRAINING, device),
        starts=starts([data], device),
    )
    parts = setup(
        model,
        NETWORK,
        Approach(),
        exploration="rd",
        settings=DDQN(**{**asdict(SHORT), "device": name, "graph": False}),
        executor=InProcess(),
        seed=0,
        episodes=8,
    )
    state = step(parts, start(parts))
    pool = Pool(
        state.population.stacked()[0],
        tuple(member.play for member in state.population.pools[0]),
    )
    agreed = agreement(
        GAME,
        model,
        NETWORK,
        policies=pool,
        payoffs=state.table.values,
        episodes=8,
        seed=(0,),
    )
    said = errors(model, GAME, collect(GAME, 20, 1, mirror="none"), 8, 0)
    return {
        "weights": model.learned.f.cpu().numpy(),
        "payoffs": state.table.values,
        "true": agreed.true,
        "u": agreed.uncertainty,
        **{f"{a} {b}": v for a, one in said.items() for b, v in one.items()},
    }


def test_a_run_on_a_pretended_gpu_is_that_of_the_cpu(monkeypatch):
    wanted = everything("cpu")
    with PretendGPU(monkeypatch):
        got = everything("cuda")
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, atol=1e-3, err_msg=name)


@real_gpu
def test_a_run_on_a_gpu_is_that_of_the_cpu():
    wanted, got = everything("cpu"), everything("cuda")
    np.testing.assert_allclose(got["weights"], wanted["weights"], atol=1e-3)
    for name in ("one_step state_error", "one_step slope", "true_roll_outs payoff"):
        assert got[name] == pytest.approx(wanted[name], rel=0.1, abs=0.1)
    assert np.isfinite(got["payoffs"]).all() and np.isfinite(got["u"]).all()
