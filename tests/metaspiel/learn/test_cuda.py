"""Learning on a GPU: on one that is pretended, and on a real one where there is one."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from pretend_gpu import PretendGPU, again, real_gpu

from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.learn import ddqn
from metaspiel.learn.co_players import CoPlayers
from metaspiel.learn.graphs import Captured
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Habit, Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.learn.tasks import Task
from metaspiel.learn.update import Batches, StackedDDQN

GAME, THREE = Bargaining(), OpenSpielSimulator("kuhn_poker(players=3)")
SHORT = DDQN(
    decisions=112, games=16, batch=8, capacity=64, minimum=64, explore_decisions=64
)
PLAYS = ("greedy", "sampled", "greedy", "greedy")


def tasks(settings, game=GAME, count=3, habit=None):
    """Responses to pools of different sizes, some of whose policies are not played."""
    network = MLP.of(game, 16)
    generator = torch.Generator().manual_seed(0)
    weights = torch.stack([network.initial(generator) for _ in range(4)]).numpy()
    made = []
    for seed in range(count):
        size = 2 + seed % 3
        pool = Pool.uniform(network) + Pool(weights[:size], PLAYS[:size])
        co_play = np.full((size + 1,) * (game.players - 1), 1.0)
        co_play[..., 1] = 0.0
        imitated = None
        if habit is not None and seed:
            chances = (np.full(size + 1, habit),) * game.players
            imitated = Habit(network, weights[3], chances)
        made.append(
            Task(
                simulator=game,
                network=network,
                settings=settings,
                player=seed % game.players,
                pools=(pool,) * game.players,
                co_play=co_play / co_play.sum(),
                seed=(seed,),
                penalty=2.0,
                coverage=0.2,
                habit=imitated,
            )
        )
    return made


@pytest.mark.parametrize("game, habit", [(GAME, 0.3), (THREE, None)])
def test_a_response_on_a_pretended_gpu_is_that_of_the_cpu(gpu, game, habit):
    wanted = train(tasks(SHORT, game, habit=habit))
    with gpu, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ddqn, "Captured", partial(Captured, capture=again))
        learned = train(tasks(replace(SHORT, device="cuda"), game, habit=habit))
    for one, two in zip(wanted, learned, strict=True):
        assert one.episodes == two.episodes
        np.testing.assert_allclose(two.policy, one.policy, atol=1e-4)


def test_ppo_on_a_pretended_gpu_is_that_of_the_cpu(gpu):
    settings = PPOResponse(decisions=64, games=8, rounds=4, minibatch=16, epochs=1)
    wanted = train(tasks(settings))
    with gpu:
        learned = train(tasks(replace(settings, device="cuda")))
    for one, two in zip(wanted, learned, strict=True):
        np.testing.assert_allclose(two.policy, one.policy, atol=1e-4)


def test_a_gpu_is_waited_for_once_a_move_of_co_players(gpu):
    with gpu:
        train(tasks(replace(SHORT, updates=0.0, device="cuda"), count=6))
    # A trial's first settled turn, then each round's, and what comes back at the end.
    assert set(gpu.waits) == {"_to_copy"} and gpu.waits.total() < 8 * SHORT.rounds


def test_networks_of_other_kinds_are_asked_in_turn(gpu):
    asked = tasks(SHORT)
    odd = [replace(asked[0], network=Strange(GAME.inputs, 16, GAME.actions))]
    odd = [replace(task, learner=asked[0].network) for task in odd]
    with gpu:
        made = CoPlayers(odd, 4, torch.device("cuda"))
    assert made._stacked is None and made.banks[0].weights.is_cuda


class Strange(MLP.__bases__[0]):
    """A network that no stack can hold."""

    def scores(self, weights, x):
        return x @ x.new_zeros(self.inputs, self.actions)


# From here on on a real GPU: `pytest -m cuda`.


def updates(device, stacked, engine="written", graph=False, count=40):
    """Weights and losses of the first learner after some updates."""
    network, batch = MLP.of(GAME), 64
    device = torch.device(device)
    learner = StackedDDQN(network, stacked, batch, 1e-4, engine, device)
    first, drawn = (torch.Generator().manual_seed(n) for n in (0, 1))
    learner.online.load(torch.stack([network.initial(first) for _ in range(stacked)]))
    learner.copy_target()
    lead = (stacked, count, batch)  # a learner's numbers do not depend on the others
    made = {
        "inputs": torch.rand(
            stacked, count, 2 * batch, network.inputs, generator=drawn
        ),
        "action": torch.randint(network.actions, lead, generator=drawn),
        "reward": torch.randn(lead, generator=drawn),
        "alive": 0.99 * torch.randint(2, lead, generator=drawn).float(),
        "illegal": torch.rand(*lead, network.actions, generator=drawn) < 0.3,
    }
    given = {n: part.transpose(0, 1).contiguous() for n, part in made.items()}
    batches = Batches(**{name: part.to(device) for name, part in given.items()})
    learn = Captured(learner).learn if graph else learner.learn
    losses = learn(batches)
    return learner.online.vectors().cpu(), losses.cpu()


@real_gpu
@pytest.mark.parametrize(
    "engine, graph", [("written", False), ("written", True), ("autograd", False)]
)
@pytest.mark.parametrize("stacked", [1, 5, 60])
def test_updates_on_a_gpu_are_those_of_the_cpu(engine, graph, stacked):
    wanted, lost = updates("cpu", stacked)
    weights, losses = updates("cuda", stacked, engine, graph)
    torch.testing.assert_close(losses, lost, rtol=1e-3, atol=1e-4)
    # Adam moves a weight by up to 1e-4 an update, whatever rounding left of its slope.
    assert (weights - wanted).abs().mean() < 1e-5
    assert (weights - wanted).abs().max() < 2e-3


@real_gpu
def test_graphs_repeat_themselves_bit_for_bit():
    one, two = (updates("cuda", 16, graph=True) for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])


def of_four(settings, graph=True):
    network = MLP.of(GAME)
    return [
        Task(
            simulator=GAME,
            network=network,
            settings=replace(settings, graph=graph),
            player=0,
            pools=(Pool.uniform(network),) * 2,
            co_play=np.ones(1),
            seed=(seed,),
            scale=5.0,
        )
        for seed in range(4)
    ]


@cache
def on_cpu():
    return train(of_four(DDQN.budget(6000)))


@real_gpu
@pytest.mark.parametrize("graph", [False, True])
def test_a_response_on_a_gpu_earns_what_one_of_the_cpu_does(graph):
    wanted = [learned.returns[-3:].mean() for learned in on_cpu()]
    learned = train(of_four(DDQN.budget(6000, "cuda"), graph))
    earned = [one.returns[-3:].mean() for one in learned]
    spread = np.sqrt((np.var(wanted, ddof=1) + np.var(earned, ddof=1)) / 4)
    assert abs(np.mean(earned) - np.mean(wanted)) < 4 * spread + 0.3
    assert all(np.isfinite(one.policy).all() for one in learned)


@real_gpu
@pytest.mark.parametrize("habit", [None, 0.3])
def test_a_gpu_plays_the_same_episodes(habit):
    """Games before learning begins are the same but for rounding."""
    calm = replace(SHORT, updates=0.0)
    wanted = train(tasks(calm, habit=habit))
    learned = train(tasks(replace(calm, device="cuda"), habit=habit))
    for one, two in zip(wanted, learned, strict=True):
        assert abs(one.episodes - two.episodes) <= 0.05 * one.episodes
        np.testing.assert_array_equal(one.policy, two.policy)


@pytest.fixture
def gpu(monkeypatch):
    return PretendGPU(monkeypatch)
