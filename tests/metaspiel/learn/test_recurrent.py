"""Recurrent networks against torch's, their gradients, and a game that needs them."""

import numpy as np
import pytest
import torch
from echo import Echo
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from responses import task

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.recalling import Recalling
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Pool
from metaspiel.learn.recurrent import CELLS, Memory, Recurrent
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro.executor import InProcess
from psro.rl import LearnedOracle

THEIRS = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def windows(memory, filled, seed=0):
    """Random windows whose last so many slots are filled."""
    rng = np.random.default_rng(seed)
    shape = (len(filled), memory.window, memory.slot)
    x = torch.from_numpy(rng.normal(size=shape)).float()
    empty = np.arange(memory.window) < memory.window - np.array(filled)[:, None]
    x[..., -1] = 1
    x[torch.from_numpy(empty)] = 0
    return x.reshape(len(filled), -1)


def drawn(network, seed=0):
    return network.initial(torch.Generator().manual_seed(seed))


@given(
    cell=st.sampled_from(CELLS),
    units=st.sampled_from([1, 3, 16]),
    filled=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
@examples(max_examples=20, deadline=None)
def test_the_hidden_state_is_torchs(cell, units, filled, seed):
    memory = Memory(6, 4, cell, units)
    weights, x = drawn(memory, seed), windows(memory, filled, seed)
    theirs = THEIRS[cell](5, units, batch_first=True)
    torch.nn.utils.vector_to_parameters(weights, theirs.parameters())
    got = memory.features(weights, x)
    assert got.shape == (len(filled), units)
    for row, count, mine in zip(x, filled, got, strict=True):
        steps = row.view(4, 6)[4 - count :, :-1]
        with torch.no_grad():
            wanted = theirs(steps[None])[0][0, -1] if count else torch.zeros(units)
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-6)


@given(st.integers(0, 2**4 - 1), st.sampled_from(CELLS))
@examples(max_examples=20, deadline=None)
def test_empty_slots_change_nothing_wherever_they_are(pattern, cell):
    memory, short = Memory(4, 4, cell, 5), Memory(4, pattern.bit_count() or 1, cell, 5)
    weights, x = drawn(memory), windows(memory, [4, 4]).view(2, 4, 4)
    keep = [t for t in range(4) if pattern >> t & 1]
    gone = [t for t in range(4) if t not in keep]
    x[0, gone, -1] = 0  # one row only, so that rows differ in which slots they have
    got = memory.features(weights, x.reshape(2, -1))[0]
    wanted = torch.zeros(5)
    if keep:
        wanted = short.features(weights, x[:1, keep].reshape(1, -1))[0]
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_finite_differences(cell):
    network = Recurrent(Memory(4, 3, cell, 3), MLP(3, 4, 2))
    assert isinstance(network, Network)
    # Biases of 0 would put an empty window where rectified units have a corner.
    weights = drawn(Memory(network.size + 1, 1, "gru", 1))[: network.size]
    x, weights = windows(network.memory, [0, 1, 3]), weights.requires_grad_()
    assert network.scores(weights, x).shape == (3, 2)
    (gradient,) = torch.autograd.grad(network.scores(weights, x)[:, 0].sum(), weights)
    for at in range(network.size):
        step = torch.zeros(network.size)
        step[at] = 1e-3
        with torch.no_grad():
            up, down = (
                network.scores(weights + way, x)[:, 0].double().sum()
                for way in (step, -step)
            )
        slope = (up - down) / 2e-3
        assert float(gradient[at]) == pytest.approx(float(slope), rel=0.02, abs=2e-3)


def learned(game, network, settings, seed=2):
    asked = task(game, network, settings, Pool.uniform(network), seed=(seed,))
    (made,) = train([asked])
    pools = (Pool.of(made.policy[None], settings.play), Pool.uniform(network))
    match = Matches(
        simulator=game,
        network=network,
        pools=pools,
        profiles=pure(np.zeros((1, 2), dtype=np.int64), 400),
        seed=(5,),
    )
    (scores,) = play([match])
    return scores.mean[0, 0, 0]


@pytest.mark.parametrize("cell", CELLS)
def test_who_remembers_wins_and_who_does_not_guesses(cell):
    settings = PPOResponse(decisions=6000, games=32, rounds=16, rate=1e-2, width=16)
    game = Recalling(Echo(), 2)
    network = Recurrent.of(game, cell, width=16, units=16)
    assert learned(game, network, settings) > 0.9
    if cell == "gru":
        forgetful = MLP.of(Echo(), 8)
        assert abs(learned(Echo(), forgetful, settings)) < 0.2


def test_a_double_dqn_reads_windows_with_an_mlp():
    settings = DDQN(
        decisions=2500,
        games=16,
        capacity=3000,
        minimum=250,
        rate=3e-3,
        explore_decisions=1800,
    )
    game = Recalling(Echo(), 2)
    assert learned(game, MLP.of(game, 16), settings) > 0.9
    with pytest.raises(UserError, match="the network must be an MLP"):
        LearnedOracle(
            simulator=game,
            network=Recurrent.of(game),
            settings=settings,
            executor=InProcess(),
        )


def test_a_trial_does_not_feel_its_neighbours():
    game = Recalling(OpenSpielSimulator("leduc_poker"), 3)
    network = Recurrent.of(game, "lstm", width=8, units=8)
    settings = PPOResponse(decisions=64, games=8, rounds=8, minibatch=32, epochs=1)
    pool = Pool.of(drawn(network).numpy()[None], "sampled")
    tasks = [task(game, network, settings, pool, seed=(s,)) for s in range(3)]
    for one, many in zip(tasks, train(tasks), strict=True):
        assert train([one])[0].policy.tobytes() == many.policy.tobytes()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (lambda: Memory(4, 2, "gru", 0), "units must be at least 1; got 0"),
        (lambda: Memory(1, 2), "slot must be at least 2; got 1"),
        (lambda: Recurrent(Memory(4, 2), MLP(3, 4, 2)), "memory's 128 units as inputs"),
    ],
)
def test_impossible_networks_are_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        asked()
