"""VDN, QMIX and QTRAN-base against games whose answers are known."""

from dataclasses import dataclass, replace
from functools import partial

import learners
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games.markov import Continuous, Discrete, Scene, joint_action
from metaspiel.games.switch import Switch
from metaspiel.learn import mixers, mixing
from metaspiel.learn.memory import Memory, Moves, Sample
from metaspiel.learn.mixing import Mixing
from metaspiel.learn.mlp import stacked_values
from metaspiel.learn.ppo import Diverged
from metaspiel.nfg.errors import UserError

CLIMB = ((8.0, -12.0, -12.0), (-12.0, 0.0, 0.0), (-12.0, 0.0, 0.0))  # QTRAN, Table 1
ADDITIVE = ((1.0, 3.0), (2.0, 4.0))
MONOTONE = ((0.0, 1.0), (1.0, 8.0))  # rises in both actions, but is no sum
LAST = ((7.0, 7.0), (7.0, 7.0)), MONOTONE  # QMIX, Table 1: the second step
ONCE = Mixing(
    batch=400, envs=20, every=20, minibatch=64, warm=100, width=32, mixing=16, hyper=16,
    rate=2e-3, explore_last=1.0, capacity=4000,
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Two agents, one step: a payoff that both are told half of."""

    payoffs: tuple[tuple[float, ...], ...]

    name, agents, inputs, draws, limit = "table", 2, 1, 0, 1

    @property
    def actions(self):
        return Discrete(len(self.payoffs))

    def start(self, uniforms):
        b = len(uniforms)
        no = np.zeros(b, bool)
        return Scene(np.ones((b, 2, 1), np.float32), np.zeros((b, 2)), no, no)

    def restart(self, scene, where, uniforms):
        return self.start(uniforms)

    def step(self, scene, actions):
        rows, columns = joint_action(self, len(scene.over), actions).T
        pays = np.where(scene.over, 0.0, np.array(self.payoffs)[rows, columns])
        shares = np.stack([pays / 2, pays / 2], 1)
        yes = np.ones(len(pays), bool)
        return Scene(scene.observations, shares, yes, ~yes)


@dataclass(frozen=True)
class TwoSteps:
    """QMIX's game: agent 0's first action picks the payoffs of the second step."""

    name, agents, inputs, draws, limit = "two_steps", 2, 3, 0, 2
    actions = Discrete(2)

    def start(self, uniforms):
        b = len(uniforms)
        return self._scene(np.zeros(b, int), np.zeros(b), np.zeros(b, bool))

    def restart(self, scene, where, uniforms):
        at = np.where(where, 0, self._at(scene))
        return self._scene(at, scene.rewards.sum(1), scene.over & ~where)

    def step(self, scene, actions):
        joint_action(self, len(scene.over), actions)
        at, over = self._at(scene), scene.over
        pays = np.array(LAST)[np.maximum(at, 1) - 1, actions[:, 0], actions[:, 1]]
        pays = np.where(over | (at == 0), 0.0, pays)
        ends = over | (at > 0)
        return self._scene(np.where(ends, at, 1 + actions[:, 0]), pays, ends)

    def _at(self, scene):
        return scene.observations[:, 0].argmax(1)

    def _scene(self, at, pays, over):
        seen = np.eye(3, dtype=np.float32)[at][:, None].repeat(2, 1)
        shares = np.stack([pays, 0 * pays], 1)
        return Scene(seen, shares, over, np.zeros(len(at), bool))


run = partial(learners.run, mixing)


def totals(game, given, state):
    """Q_tot of every joint action of a one-step game."""
    nets = mixing._Nets(game, given)
    own, mixer = nets.views(state.weights)
    each = stacked_values(own, torch.ones(2, 1, 1))[:, 0]
    count = each.shape[1]
    rows = torch.cartesian_prod(*[torch.arange(count)] * 2)
    states = torch.ones(len(rows), 2)
    if isinstance(nets.mixer, mixers.Joint):
        values = nets.mixer.joint(mixer, states, rows.T)
    else:
        both = torch.stack([each[0, rows[:, 0]], each[1, rows[:, 1]]], 1)
        values = nets.mixer.total(mixer, both, states)
    return values.detach().view(count, count).numpy()


@pytest.mark.parametrize(
    ("kind", "payoffs"),
    [("vdn", ADDITIVE), ("qmix", ADDITIVE), ("qmix", MONOTONE), ("qtran", MONOTONE)],
)
def test_what_a_mixer_can_say_it_learns(kind, payoffs):
    game, given = Table(payoffs), replace(ONCE, kind=kind)
    state, rows = run(game, given, 20)
    assert np.abs(totals(game, given, state) - np.array(payoffs)).max() < 0.1
    assert rows[-1]["returns"] == np.max(payoffs)


@pytest.mark.parametrize("kind", ["vdn", "qmix"])
def test_monotone_mixers_miss_the_climbing_games_peak(kind):
    given = replace(ONCE, kind=kind)
    _, rows = run(Table(CLIMB), given, 12)
    assert rows[-1]["returns"] == 0.0  # known failure (Son et al. 2019, Table 1)


def test_qtran_finds_the_climbing_games_peak():
    game, given = Table(CLIMB), replace(ONCE, kind="qtran")
    state, rows = run(game, given, 30)
    assert rows[-1]["returns"] == 8.0
    assert np.abs(totals(game, given, state) - np.array(CLIMB)).max() < 0.5


@pytest.mark.parametrize(("kind", "worth"), [("vdn", 7.0), ("qmix", 8.0)])
def test_the_two_step_game_separates_vdn_from_qmix(kind, worth):
    _, rows = run(TwoSteps(), replace(ONCE, kind=kind, target_every=50), 20)
    assert rows[-1]["returns"] == worth


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), agents=st.integers(1, 4), scale=st.floats(0.1, 10))
def test_qmix_rises_in_every_agents_value(seed, agents, scale):
    made = torch.Generator().manual_seed(seed)
    mixer = mixers.Monotone(agents, 3, 8, 4)
    flat = scale * torch.randn(mixers.count(mixer.sizes), generator=made)
    each = torch.randn(5, agents, generator=made).mul(scale).requires_grad_()
    state = torch.randn(5, 3, generator=made)
    total = mixer.total(mixers.views(mixer.sizes, flat), each, state)
    (slope,) = torch.autograd.grad(total.sum(), each)
    assert (slope >= 0).all()
    # Far below 0 the units' slope is less than the smallest float32.
    assert (slope > 0).any() or scale > 1


def sample():
    made = torch.Generator().manual_seed(1)
    return Sample(
        observations=torch.randn(2, 4, 3, generator=made),
        later=torch.randn(2, 4, 3, generator=made),
        actions=torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]]),
        rewards=torch.randn(2, 4, generator=made),
        alive=torch.tensor([1.0, 0.0, 1.0, 1.0]),
    )


@dataclass(frozen=True)
class Shaped(Table):
    """Only its sizes are asked for."""

    payoffs: tuple[tuple[float, ...], ...] = CLIMB

    name, inputs = "shaped", 3


def value(parts, agent, x):
    """One agent's values at one observation, one product at a time."""
    w1, b1, w2, b2, w3, b3 = (part[agent].detach().numpy() for part in parts)
    first = np.maximum(x @ w1 + b1[0], 0)
    return np.maximum(first @ w2 + b2[0], 0) @ w3.T + b3[0]


def test_vdns_targets_by_hand():
    given = replace(ONCE, kind="vdn")
    nets = mixing._Nets(Shaped(), given)
    online, target = (nets.views(nets.initial(seed)) for seed in (1, 2))
    got, batch = sample(), []
    for t in range(4):
        now = then = 0.0
        for n in range(2):
            seen, later = got.observations[n, t].numpy(), got.later[n, t].numpy()
            now += value(online[0], n, seen)[got.actions[n, t]]
            # Double Q: the online network chooses, the target network judges.
            then += value(target[0], n, later)[value(online[0], n, later).argmax()]
        wanted = float(got.rewards[:, t].sum()) + 0.9 * float(got.alive[t]) * then
        batch.append((now - wanted) ** 2)
    loss = mixing._loss(nets, online, target, got, 0.9)
    assert float(loss) == pytest.approx(np.mean(batch), rel=1e-5)


def mlp(parts, x):
    for w, b in zip(parts[::2], parts[1::2], strict=True):
        x = x @ w.numpy() + b.numpy()[0]
        if w is not parts[-2]:
            x = np.maximum(x, 0)
    return x


def test_qmixs_total_by_hand():
    mixer = mixers.Monotone(2, 3, 4, 5)
    flat = mixers.fresh(mixer.sizes, torch.Generator().manual_seed(3))
    parts = mixers.views(mixer.sizes, flat)
    each, state = np.array([0.3, -2.0]), np.array([1.0, 0.5, -1.0])
    w1 = np.abs(mlp(parts[:4], state)).reshape(2, 4)
    hidden = each @ w1 + mlp(parts[8:10], state)
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    wanted = hidden @ np.abs(mlp(parts[4:8], state)) + mlp(parts[10:], state)[0]
    total = mixer.total(parts, *(torch.tensor(x[None]).float() for x in (each, state)))
    assert float(total) == pytest.approx(wanted, rel=1e-5)


def test_qtrans_losses_by_hand():
    given = replace(ONCE, kind="qtran")
    nets = mixing._Nets(Shaped(), given)
    online, target = (nets.views(nets.initial(seed)) for seed in (1, 2))
    got, losses = sample(), []

    def joint(parts, state, actions):
        return mlp(parts[:6], np.concatenate([state, *np.eye(3)[list(actions)]]))[0]

    for t in range(4):
        seen, later = got.observations[:, t].numpy(), got.later[:, t].numpy()
        each = [value(online[0], n, seen[n]) for n in range(2)]
        best = [v.argmax() for v in each]
        follow = [value(online[0], n, later[n]).argmax() for n in range(2)]
        then = joint(target[1], later.ravel(), follow)
        taken = got.actions[:, t].tolist()
        wanted = float(got.rewards[:, t].sum()) + 0.9 * float(got.alive[t]) * then
        now = joint(online[1], seen.ravel(), taken)
        extra = mlp(online[1][6:], seen.ravel())[0]
        top = sum(v.max() for v in each) - joint(online[1], seen.ravel(), best) + extra
        rest = min(sum(v[u] for v, u in zip(each, taken, strict=True)) - now + extra, 0)
        losses.append((now - wanted) ** 2 + top**2 + rest**2)
    loss = mixing._loss(nets, online, target, got, 0.9)
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_resumed_run_is_the_same_run(tmp_path):
    game = Switch()
    given = Mixing(batch=400, envs=10, width=16, mixing=8, warm=100, capacity=700)
    straight, rows = run(game, given, 4)
    state, _ = run(game, given, 2)
    mixing.save(state, tmp_path / "run")
    state = mixing.load(tmp_path / "run")
    for wanted in rows[2:]:
        state, row = mixing.step(game, given, state)
        assert {**row, "seconds": 0} == {**wanted, "seconds": 0}
    for name in ("weights", "target", "mean", "square"):
        assert torch.equal(getattr(state, name), getattr(straight, name))
    assert state.memory.next == straight.memory.next
    for name, held in straight.memory.held.items():
        assert torch.equal(state.memory.held[name], held)


def test_seeds_differ_and_what_was_given_stays():
    game, given = Switch(), Mixing(batch=100, envs=10, width=16, warm=0)
    first = mixing.start(game, given, 0)
    before = first.weights.clone()
    one, _ = mixing.step(game, given, first)
    other, _ = mixing.step(game, given, mixing.start(game, given, 1))
    assert torch.equal(first.weights, before)
    assert not torch.equal(one.weights, other.weights)
    assert one.updates == other.updates == 4  # 2 every 40 of 100 steps


def test_the_target_is_copied_on_its_beat():
    game = Switch()
    given = Mixing(batch=100, envs=10, every=10, updates=1, warm=0, target_every=6)
    first = mixing.start(game, given, 0)
    state, row = mixing.step(game, given, first)  # copies before updates 0 and 6
    assert row["updates"] == 10
    assert not torch.equal(state.target, first.target)
    again = replace(given, target_every=20)
    state, _ = mixing.step(game, again, mixing.start(game, again, 0))
    assert torch.equal(state.target, first.target)


def test_epsilon_falls_linearly():
    game, given = Switch(), Mixing(batch=100, envs=10, anneal=400, explore_last=0.1)
    _, rows = run(game, given, 5)
    assert [row["epsilon"] for row in rows] == pytest.approx(
        [0.775, 0.55, 0.325, *[0.1] * 2]
    )


def test_the_replay_forgets_the_oldest():
    memory = Memory.empty(Shaped(), 5)
    for number in range(4):
        memory.add(
            Moves(
                observations=np.full((2, 2, 3), number, np.float32),
                actions=np.full((2, 2), number % 3),
                rewards=np.full((2, 2), float(number)),
                later=np.full((2, 2, 3), number + 10, np.float32),
                terminated=np.array([True, False]),
            )
        )
    assert sorted(memory.held["rewards"][:, 0].tolist()) == [1, 2, 2, 3, 3]
    got = memory.sample(np.linspace(0, 0.999, 50))
    assert set(got.rewards[0].tolist()) == {1, 2, 3}
    assert torch.equal(got.later - got.observations, torch.full((2, 50, 3), 10.0))
    assert torch.equal(got.rewards[1], got.observations[1, :, 0])


def test_a_time_limit_is_bootstrapped_and_an_end_is_not():
    given = Mixing(batch=1000, envs=10, width=16, mixing=8)
    state, _ = run(Switch(), given, 1)
    # 100 steps each: whole episodes met the limit of 50, none ended by the rules.
    assert state.memory.held["alive"].mean() == 1.0
    state, _ = run(Table(ADDITIVE), replace(ONCE, kind="vdn"), 1)
    assert state.memory.held["alive"].max() == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vdn_brings_one_agent_home_in_switch(seed):
    _, rows = run(Switch(), Mixing(kind="vdn"), 150, seed)
    best = max(row["returns"] for row in rows)
    assert best >= -0.6 - 1e-9  # one home in 7 steps; nobody home is -10, the best 8.30


@dataclass(frozen=True)
class Numbers(Shaped):
    name, actions = "numbers", Continuous(2)


def test_actions_must_be_discrete():
    with pytest.raises(UserError, match="must be discrete; got numbers"):
        mixing.start(Numbers(), Mixing(), 0)


def test_a_state_of_another_game_or_size_is_refused():
    state = mixing.start(Switch(), ONCE, 0)
    with pytest.raises(UserError, match="must be one of table"):
        mixing.step(Table(CLIMB), ONCE, state)
    with pytest.raises(UserError, match="weights; got one of switch"):
        mixing.step(Switch(), replace(ONCE, width=64), state)
    with pytest.raises(UserError, match="replay must hold 50"):
        mixing.step(Switch(), replace(ONCE, capacity=50), state)


def test_a_loss_that_is_not_finite_stops_the_run():
    given = replace(ONCE, rate=1e30, kind="vdn")
    with pytest.raises(Diverged, match="loss must be finite"):
        run(Table(CLIMB), given, 2)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    with pytest.raises(UserError, match="whole checkpoint"):
        mixing.load(tmp_path)
    mixing.save(mixing.start(Switch(), ONCE, 0), tmp_path)
    path = tmp_path / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="whole checkpoint"):
        mixing.load(tmp_path)
