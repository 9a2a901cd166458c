import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from matrl import checkpoint
from matrl.loop import start, step
from matrl.methods import METHODS, Method, Settings, method
from matrl.response import blend, distill, draw, mixed_ratio, weights
from metaspiel import files
from metaspiel.games.mini_pong import MiniPong
from metaspiel.games.pennies import Pennies
from metaspiel.games.switch import Switch
from metaspiel.learn import ppo
from metaspiel.learn.agents import Trainable
from metaspiel.learn.ppo import PPO, Diverged
from metaspiel.nfg.errors import UserError

SMALL = Settings(ppo=PPO(batch=200, envs=10, width=16))
GAME = Switch(agents=2)


def run(game, name, settings, iterations, seed=0):
    state, rows = start(game, settings, seed), []
    how = METHODS[name] if isinstance(name, str) else name
    for _ in range(iterations):
        state, row = step(game, how, settings, state)
        rows.append({k: v for k, v in row.items() if k != "seconds"})
    return state, rows


def same(one, two):
    return all(
        torch.equal(a, b)
        for role in ("actor", "critic")
        for a, b in zip(
            getattr(one.agents, role).parts,
            getattr(two.agents, role).parts,
            strict=True,
        )
    )


def test_il_is_independent_ppo_bit_for_bit():
    state, rows = run(GAME, "il", SMALL, 3)
    *_, (agents, row) = ppo.train(GAME, SMALL.ppo, 0, 3)
    assert torch.equal(state.agents.actor.weights, agents.actor.weights)
    assert torch.equal(state.agents.critic.weights, agents.critic.weights)
    assert rows[-1]["returns"] == row["returns"]


def test_rho_one_is_il_exactly():
    # Keep everything, then respond with as many steps as a trial has: weights are 1.
    keep = Method("current", respond=True)
    settings = replace(SMALL, br_steps=SMALL.ppo.steps, br_rate=SMALL.ppo.rate)
    kept, rows = run(GAME, keep, settings, 2)
    il, _ = run(GAME, "il", settings, 2)
    assert same(kept, il)
    assert rows[0]["rho"] == [1.0, 1.0] and rows[0]["weights_clipped"] == 0


def test_rho_zero_is_il_la_exactly(monkeypatch):
    from matrl import loop
    from matrl.meta_game import Choice
    from meta_solvers.base import Status

    def move(game, solver, rng, cautious):
        return Choice(np.zeros(2), 1, 0.0, Status.OK)

    monkeypatch.setattr(loop, "choose", move)
    assert same(run(GAME, "matrl", SMALL, 2)[0], run(GAME, "il-la", SMALL, 2)[0])


def test_the_matched_control_takes_as_many_steps():
    _, rows = run(GAME, "il-matched", SMALL, 1)
    assert rows[0]["trial_steps"] == [SMALL.ppo.steps + SMALL.br_steps] * 2
    longer = replace(SMALL, ppo=replace(SMALL.ppo, steps=15))
    one, two = run(GAME, "il-matched", SMALL, 1)[0], run(GAME, "il", longer, 1)[0]
    assert torch.equal(one.agents.actor.weights, two.agents.actor.weights)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("game", [Pennies(agents=3), GAME], ids=["pennies", "switch"])
def test_every_method_runs_and_tells_what_it_did(name, game):
    _, rows = run(game, name, SMALL, 2)
    row = json.loads(json.dumps(rows[-1]))
    n = game.agents
    assert row["iteration"] == 2 and row["env_steps"] == 400
    assert len(row["rho"]) == n and all(0 <= r <= 1 for r in row["rho"])
    assert len(row["returns_own"]) == len(row["kl"]) == n
    assert row["returns"] == pytest.approx(sum(row["returns_own"]))
    assert ("meta_payoffs" in row) == (METHODS[name].gate == "nash")
    if "meta_payoffs" in row:
        assert np.shape(row["meta_payoffs"]) == (n, 2**n)
        assert row["meta_regret"] <= 1e-9 and row["meta_status"] == "OK"
        assert [entry[0] for entry in row["meta_payoffs"]] == [0.0] * n
    assert ("weights_clipped" in row) == METHODS[name].respond


@pytest.mark.parametrize(
    "change",
    [
        {"aggregate": "distill"},
        {"aggregate": "mixture"},
        {"br_start": "current"},
        {"held_out": 0.3},
        {"moments": "reset"},
        {"br_clip": 1e-3},
    ],
)
def test_every_switch_changes_the_run(change):
    base = run(GAME, "random-rho", SMALL, 2)[0]
    other = run(GAME, "random-rho", replace(SMALL, **change), 2)[0]
    assert not same(base, other)


def test_judging_switches_change_what_the_meta_game_says():
    rows = [
        run(Pennies(), "matrl", replace(SMALL, **change), 2)[1][-1]
        for change in ({}, {"held_out": 0.3}, {"meta_clip": 0.01})
    ]
    payoffs = [row["meta_payoffs"] for row in rows]
    assert payoffs[0] != payoffs[1] and payoffs[0] != payoffs[2]


def test_held_out_samples_teach_nobody():
    split = replace(SMALL, held_out=0.5)
    one = run(GAME, "il", split, 1)[0]
    _, batch = ppo.experience(
        GAME,
        SMALL.ppo,
        ppo.students(GAME, SMALL.ppo),
        agents=start(GAME, SMALL, 0).agents,
        rng=_play(),
    )
    learns = torch.arange(200).view(20, 10)[:, :5].flatten()
    who = ppo.students(GAME, SMALL.ppo)
    new, _ = ppo.improve(
        SMALL.ppo,
        who.policies,
        start(GAME, SMALL, 0).agents.actor,
        batch=batch.part(learns),
        steps=SMALL.ppo.steps,
        rate=SMALL.ppo.rate,
    )
    assert torch.equal(one.agents.actor.weights, new.weights)


def _play():
    from metaspiel.learn.random import stream

    return stream(0, 1)


@pytest.mark.parametrize("name", ["matrl", "random-rho"])
def test_a_run_resumes_bit_for_bit(tmp_path, name):
    whole, rows = run(MiniPong(limit=40), name, SMALL, 4)
    state = run(MiniPong(limit=40), name, SMALL, 2)[0]
    checkpoint.save(state, tmp_path / "at")
    checkpoint.save(state, tmp_path / "at")  # over an older one
    state = checkpoint.load(tmp_path / "at")
    for _ in range(2):
        state, row = step(MiniPong(limit=40), METHODS[name], SMALL, state)
    row.pop("seconds")
    assert row == rows[-1] and same(state, whole)
    assert [p.name for p in tmp_path.iterdir()] == ["at"]


def test_damaged_checkpoints_are_refused(tmp_path):
    state = start(GAME, SMALL, 0)
    checkpoint.save(state, tmp_path / "at")
    (tmp_path / "at/agents.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="must be a whole checkpoint"):
        checkpoint.load(tmp_path / "at")
    with pytest.raises(UserError, match="must be a whole checkpoint"):
        checkpoint.load(tmp_path / "nowhere")
    checkpoint.save(state, tmp_path / "at")
    place = tmp_path / "at/agents.safetensors"
    facts, arrays = files.read_arrays(place)
    files.write_arrays(place, arrays, facts | {"format": 9})
    with pytest.raises(UserError, match="it is of format 9, not 2"):
        checkpoint.load(tmp_path / "at")
    checkpoint.save(state, tmp_path / "at")
    changed = bytearray(place.read_bytes())
    changed[-1] ^= 1
    place.write_bytes(changed)
    with pytest.raises(UserError, match="do not have the checksum"):
        checkpoint.load(tmp_path / "at")
    (tmp_path / "at/state.json").write_text('{"format": 1}')
    with pytest.raises(UserError, match="of an earlier metaspiel"):
        checkpoint.load(tmp_path / "at")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"most": 1.01}, "a ratio of probabilities must be at most 1.01"),
        ({"ppo": replace(SMALL.ppo, rate=1e38)}, "must be"),
    ],
)
def test_a_run_that_explodes_says_so_and_leaves_the_last_state(change, sentence):
    state = start(GAME, SMALL, 0)
    state, _ = step(GAME, METHODS["il"], SMALL, state)
    before = [part.clone() for part in state.agents.actor.parts]
    wild = replace(SMALL, **change)
    with pytest.raises(Diverged, match=sentence):
        for _ in range(5):
            step(GAME, METHODS["matrl"], wild, state)
    for part, old in zip(state.agents.actor.parts, before, strict=True):
        assert torch.equal(part, old) and part.isfinite().all()


def test_agents_that_share_a_network_are_refused():
    with pytest.raises(UserError, match="networks of their own"):
        start(GAME, replace(SMALL, ppo=replace(SMALL.ppo, share=True)), 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"br_steps": 0}, "br_steps must be at least 1"),
        ({"br_clip": 0.0}, "br_clip must be positive"),
        ({"held_out": 1.0}, r"held_out must be in \[0, 1\)"),
        ({"held_out": 0.01}, "at least one environment on either side"),
        ({"cautious": -1.0}, "cautious must be at least 0"),
        ({"most": 1.0}, "most must be above 1"),
    ],
)
def test_impossible_settings_are_refused(change, sentence):
    with pytest.raises(UserError, match=sentence):
        Settings(**change)


def test_unknown_methods_are_listed():
    assert method("matrl") is METHODS["matrl"]
    with pytest.raises(
        UserError, match=r"unknown method 'matlr' .*did you mean 'matrl'"
    ):
        method("matlr")


def learners():
    torch.manual_seed(0)
    parts = [
        Trainable(torch.randn(2, 9), torch.randn(2, 9), torch.rand(2, 9), c)
        for c in (torch.tensor([3.0, 3.0]), torch.tensor([8.0, 8.0]))
    ]
    return parts


def test_blends_are_copies_at_the_ends_and_means_between():
    now, then = learners()
    mixed = blend(np.array([1.0, 0.25]), now, then)
    for part, one, two in zip(mixed.parts[:3], now.parts, then.parts, strict=False):
        assert torch.equal(part[0], one[0])
        torch.testing.assert_close(part[1], 0.25 * one[1] + 0.75 * two[1])
    assert mixed.count.tolist() == [3, 8]
    assert torch.equal(blend(np.zeros(2), now, then).weights, then.weights)
    drawn = draw(np.array([1.0, 0.0]), now, then, np.random.default_rng(0))
    assert torch.equal(drawn.weights[0], now.weights[0])
    assert torch.equal(drawn.weights[1], then.weights[1])


def test_draws_follow_rho():
    now, then = learners()
    rng = np.random.default_rng(0)
    kept = [
        bool(
            (
                draw(np.array([0.7, 0.2]), now, then, rng).weights[0] == now.weights[0]
            ).all()
        )
        for _ in range(400)
    ]
    assert abs(np.mean(kept) - 0.7) < 0.07


def test_weights_are_of_the_others_and_clipped():
    ratios = torch.tensor([[2.0, 1.0], [1.0, 0.5], [1.2, 1.2]])
    rho = np.array([0.5, 0.0, 1.0])
    mixed = mixed_ratio(rho, ratios)
    torch.testing.assert_close(
        mixed, torch.tensor([[1.5, 1.0], [1.0, 0.5], [1.0, 1.0]])
    )
    open_ = weights(rho, ratios, 10.0)
    torch.testing.assert_close(
        open_, torch.tensor([[1.0, 0.5], [1.5, 1.0], [1.5, 0.5]])
    )
    torch.testing.assert_close(
        weights(rho, ratios, 0.1), torch.tensor([[1.0, 0.9], [1.1, 1.0], [1.1, 0.9]])
    )


def test_distilling_comes_nearer_to_the_mixture():
    game = Pennies()
    settings = SMALL.ppo
    agents = ppo.students(game, settings).fresh(0)
    _, batch = ppo.experience(
        game, settings, ppo.students(game, settings), agents=agents, rng=_play()
    )
    who = ppo.students(game, settings).policies
    then, _ = ppo.improve(
        replace(settings, target_kl=9.0),
        who,
        agents.actor,
        batch=batch,
        steps=60,
        rate=1e-2,
    )
    rho = np.array([0.5, 1.0])
    mean = blend(rho, agents.actor, then)
    fitted = distill(
        rho, who, mean, now=agents.actor, then=then, batch=batch, steps=200, rate=2e-3
    )
    assert torch.equal(fitted.weights[1], mean.weights[1])
    assert torch.equal(fitted.mean, mean.mean)

    def apart(learner):
        now, new, distilled = (
            who.at(one.weights, batch.seen).logs.exp()
            for one in (agents.actor, then, learner)
        )
        return float(
            ((0.5 * now + 0.5 * new - distilled)[0].abs().sum(1) * batch.share[0]).sum()
        )

    assert apart(fitted) < 0.2 * apart(mean)


def test_a_judged_game_tells_how_far_its_policies_are_from_equilibrium():
    game = Pennies(states=2, limit=2)
    _, rows = run(game, "il", SMALL, 2)
    uniform = np.full((2, game.inputs, 2), 0.5)
    # A fresh policy is nearly uniform.
    assert rows[0]["exploitability"] == pytest.approx(
        game.exploitability(uniform), abs=0.1
    )
    assert rows[1]["exploitability"] != rows[0]["exploitability"]
    assert "exploitability" not in run(GAME, "il", SMALL, 1)[1][0]
