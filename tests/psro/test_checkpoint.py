"""Checkpoints: the round trip is exact, damage gets a sentence, nothing is lost."""

import json
from dataclasses import replace

import numpy as np
import pytest

from meta_solvers import UserError, get
from metaspiel.games.openspiel import sequence_form
from psro import checkpoint
from psro.exact import ExactEvaluator, ExactOracle
from psro.loop import run, start
from psro.setup import Setup


@pytest.fixture(scope="module")
def parts():
    form = sequence_form("kuhn_poker")
    return Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get("mgce"),
        concept="ce",
        evaluation=get("mwce"),
        measured=("cce",),
    )


@pytest.fixture(scope="module")
def state(parts):
    return list(run(parts, start(parts), 4))[-1]


def same(one, two):
    assert one.iteration == two.iteration
    assert one.population.uids == two.population.uids
    for a, b in zip(one.population.pools, two.population.pools, strict=True):
        for m, n in zip(a, b, strict=True):
            assert m.policy.tobytes() == n.policy.tobytes()
            assert m.repeats == n.repeats
    assert one.table.values.tobytes() == two.table.values.tobytes()
    for name in ("train", "evaluation"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.joint.tobytes() == b.joint.tobytes()
        assert a.values.tobytes() == b.values.tobytes()
        assert (a.status, a.solver) == (b.status, b.solver)
    for r, s in zip(one.responses, two.responses, strict=True):
        assert (r.player, r.value, r.gain) == (s.player, s.value, s.gain)
        assert r.policy.tobytes() == s.policy.tobytes()
    assert one.gaps.keys() == two.gaps.keys()
    for key in one.gaps:
        assert one.gaps[key].tobytes() == two.gaps[key].tobytes()


def test_round_trip_is_exact(state, tmp_path):
    same(state, checkpoint.load(checkpoint.save(state, tmp_path)))


def test_what_is_optional_makes_the_round_trip(state, tmp_path):
    joint = np.zeros((2, 3, 2))
    joint[1, 2, 0], joint[0, 1, 1], joint[0, 0, 1] = 0.3, 0.7, -0.0
    plain = replace(
        state,
        population=replace(state.population, common=np.arange(5, dtype=np.float32)),
        responses=None,
        gaps={"ce": None, "cce": state.gaps["cce"]},
        evaluation_gaps=None,
        past=(np.ones((1, 1, 1)), joint),
    )
    loaded = checkpoint.load(checkpoint.save(plain, tmp_path))
    assert loaded.responses is loaded.evaluation_gaps is loaded.gaps["ce"] is None
    assert loaded.gaps["cce"].tobytes() == state.gaps["cce"].tobytes()
    assert loaded.population.common.dtype == np.float32
    assert loaded.population.common.tolist() == [0, 1, 2, 3, 4]
    assert [j.shape for j in loaded.past] == [(1, 1, 1), (2, 3, 2)]
    assert [j.tobytes() for j in loaded.past] == [j.tobytes() for j in plain.past]
    assert checkpoint.load(checkpoint.save(state, tmp_path)).population.common is None


def test_a_loaded_state_goes_on_like_the_saved_one(parts, state, tmp_path):
    loaded = checkpoint.load(checkpoint.save(state, tmp_path))
    same(list(run(parts, state, 7))[-1], list(run(parts, loaded, 7))[-1])


def test_only_the_last_checkpoints_are_kept(parts, tmp_path):
    for state in run(parts, start(parts), 5):
        checkpoint.save(state, tmp_path)
    names = [p.name for p in checkpoint.complete(tmp_path)]
    assert names == ["000004", "000005"]
    assert checkpoint.latest(tmp_path).iteration == 5


def test_what_a_kill_leaves_behind_is_never_read(state, tmp_path):
    checkpoint.save(state, tmp_path)
    half = tmp_path / ".writing-000009-1"
    half.mkdir()
    (half / "state.json").write_text("{")
    assert checkpoint.latest(tmp_path).iteration == state.iteration


def test_there_is_no_pickle(state, tmp_path):
    place = checkpoint.save(state, tmp_path)
    assert sorted(p.name for p in place.iterdir()) == ["arrays.npz", "state.json"]
    with np.load(place / "arrays.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: (p / "arrays.npz").unlink(), "arrays.npz is missing"),
        (lambda p: (p / "state.json").unlink(), "state.json is missing"),
        (lambda p: (p / "state.json").write_text("{"), "must be readable JSON"),
        (lambda p: (p / "state.json").write_bytes(b"\xff\xfe\x00"), "readable JSON"),
        (lambda p: (p / "state.json").write_text("[]"), "format must be"),
        (lambda p: (p / "arrays.npz").write_bytes(b"PK"), "only partly written"),
        (
            lambda p: (p / "arrays.npz").write_bytes(
                (p / "arrays.npz").read_bytes()[:-20]
            ),
            "only partly written",
        ),
    ],
)
def test_damage_gets_one_sentence(state, tmp_path, damage, sentence):
    place = checkpoint.save(state, tmp_path)
    damage(place)
    with pytest.raises(UserError, match=sentence) as caught:
        checkpoint.load(place)
    assert "\n" not in str(caught.value)


def test_an_edited_state_is_noticed(state, tmp_path):
    place = checkpoint.save(state, tmp_path)
    text = json.loads((place / "state.json").read_text())
    text["uids"][0].append(99)
    (place / "state.json").write_text(json.dumps(text))
    with pytest.raises(UserError, match="one was changed"):
        checkpoint.load(place)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(UserError, match="must hold a checkpoint"):
        checkpoint.latest(tmp_path / "none")
