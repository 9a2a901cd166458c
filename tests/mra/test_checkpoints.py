"""Checkpoints: resumed bit for bit, or refused in one sentence."""

import numpy as np
import pytest
from populated import PACMAN, RESOURCE, TINY, run, same

from metaspiel import files
from metaspiel.games.worlds import load as world
from metaspiel.nfg.errors import UserError
from mra import state
from mra.adaptation import adapt, begin
from mra.baselines import EPC, RL2, epc, rl2
from mra.measuring import best_mode, measure
from mra.nets import Nets
from mra.settings import METHODS, Method
from mra.train import start, sweep

MRA = METHODS["mra"]
STAGES = EPC(sweeps=3, evaluations=4)
SMALL = RL2(units=4)
LARGER = RESOURCE[0].resized((6,))


def adaptable():
    return begin(LARGER, MRA, TINY, start(RESOURCE, MRA, TINY, 1), 2)


LOOPS = {
    "train": (
        lambda: start(RESOURCE, MRA, TINY, 1),
        lambda one: sweep(RESOURCE, MRA, TINY, one),
    ),
    "adapt": (adaptable, lambda one: adapt(LARGER, MRA, TINY, one)),
    "rl2": (
        lambda: rl2.start(RESOURCE, SMALL, TINY, 1),
        lambda one: rl2.sweep(RESOURCE, SMALL, TINY, one),
    ),
    "rl2 adapts": (
        lambda: rl2.begin(LARGER, SMALL, TINY, rl2.start(RESOURCE, SMALL, TINY, 1), 2),
        lambda one: rl2.adapt(LARGER, SMALL, TINY, one),
    ),
}


def no_time(row):
    return {name: value for name, value in row.items() if name != "seconds"}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_run_goes_on_bit_for_bit(loop, tmp_path):
    begins, step = LOOPS[loop]
    whole, last = run(step, begins(), 4)
    half, _ = run(step, begins(), 2)
    state.save(half, tmp_path)
    resumed, row = run(step, state.load(tmp_path), 2)
    assert same(whole, resumed)
    assert no_time(row) == no_time(last)


def test_epc_goes_on_bit_for_bit_through_a_transition(tmp_path):
    def step(one):
        return epc.sweep(RESOURCE, STAGES, TINY, one)

    whole, last = run(step, epc.start(RESOURCE, STAGES, TINY, 1), 3)
    half, _ = run(step, epc.start(RESOURCE, STAGES, TINY, 1), 1)
    epc.save(half, tmp_path)
    resumed, row = run(step, epc.load(tmp_path, STAGES), 2)
    assert no_time(row) == no_time(last)
    assert resumed.method == whole.method == STAGES.at(1)
    assert all(same(*pair) for pair in zip(whole.sets, resumed.sets, strict=True))


def sentence(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert 20 < len(text) < 400
    return text


@pytest.mark.parametrize("damage", ["nothing", "cut", "bit", "other", "epc", "format"])
def test_damaged_and_foreign_checkpoints_are_refused(damage, tmp_path):
    state.save(start(RESOURCE, MRA, TINY, 1), tmp_path)
    path = tmp_path / "state.safetensors"
    whole = path.read_bytes()
    if damage == "nothing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "bit":
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    elif damage == "other":
        files.write_arrays(path, {"x": np.zeros(3)}, {"format": 1})
    elif damage == "epc":
        epc.save(epc.start(RESOURCE, STAGES, TINY, 1), tmp_path)
    else:
        files.write_arrays(path, {"x": np.zeros(3)}, {"format": 99})
    with pytest.raises(UserError, match=r"state.safetensors") as caught:
        state.load(tmp_path)
    sentence(caught)
    if damage not in ("epc",):
        with pytest.raises(UserError, match=r"state.safetensors"):
            epc.load(tmp_path, STAGES)


def test_a_checkpoint_of_a_run_is_no_epc(tmp_path):
    state.save(start(RESOURCE, MRA, TINY, 1), tmp_path)
    with pytest.raises(UserError, match="must be a whole checkpoint"):
        epc.load(tmp_path, STAGES)


def test_states_that_are_of_another_run_are_refused():
    one = start(RESOURCE, MRA, TINY, 1)
    with pytest.raises(UserError, match="state must be one of resource") as caught:
        sweep(RESOURCE[:1], MRA, TINY, one)
    sentence(caught)
    with pytest.raises(UserError, match="'s graph must be 1 networks of"):
        sweep(RESOURCE, METHODS["plain"], TINY, one)
    twice = Method(copies=2)
    with pytest.raises(UserError, match=r"must be 2 networks of .*; got 1 of"):
        sweep(RESOURCE, twice, TINY, one)
    with pytest.raises(UserError, match="'s policy must be 1 networks of"):
        rl2.sweep(RESOURCE, RL2(units=5), TINY, rl2.start(RESOURCE, SMALL, TINY, 1))


def measured(game, method, of, call=measure):
    weights = start((of,), method, TINY, 1).weights
    return call(game, method, weights, count=2, seed=1)


@pytest.mark.parametrize("call", [measure, best_mode])
def test_games_that_weights_do_not_fit_are_refused(call):
    with pytest.raises(UserError, match=r"must have as many roles as .* 2; got 1"):
        measured(RESOURCE[0], MRA, PACMAN, call)
    with pytest.raises(UserError, match=r"show as much of an agent .* as treasure"):
        measured(world("treasure"), MRA, RESOURCE[0], call)
    apart = METHODS["maddpg"]
    with pytest.raises(UserError, match=r"must have as many agents as .* 3; got 4"):
        measured(RESOURCE[1], apart, RESOURCE[0], call)
    fixed = METHODS["paper-input"]
    with pytest.raises(UserError, match=r"show as much of an agent .* as resource"):
        measured(world("resource(agents=3,discs=3)"), fixed, RESOURCE[0], call)
    with pytest.raises(UserError, match=r"resized\(\): sizes must be 2 numbers"):
        PACMAN.resized((3,))


def test_methods_that_do_not_fit_games_are_refused():
    with pytest.raises(UserError, match="must learn in one game; got 2") as caught:
        start(RESOURCE, METHODS["maddpg"], TINY, 1)
    sentence(caught)
    with pytest.raises(UserError, match="copies must be at least 1; got 0"):
        Method(copies=0)
    with pytest.raises(UserError, match="needs at least 2 latents; got 1"):
        Method(relations=METHODS["plain"].relations)
    with pytest.raises(UserError, match="one network a role"):
        EPC(method=METHODS["maddpg"])
    with pytest.raises(UserError, match="one latent and no prior"):
        RL2(method=MRA)


def test_agents_of_a_role_are_shared_evenly():
    nets = Nets.of(Method(copies=3), (PACMAN,))
    five = PACMAN.resized((5, 4))
    parts = [(who.start, who.stop) for who in nets.groups(five)]
    assert parts == [(0, 1), (1, 3), (3, 5), (5, 6), (6, 7), (7, 9)]
