"""Runs without the payoff tensor, through the pages and as values."""

import json

import numpy as np
import pytest

from experiments.compare import __main__ as compare
from experiments.lab.page import main
from experiments.psro import __main__ as psro
from experiments.psro.exporting import array, gambit, policies
from experiments.psro.loading import load_run
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.products import Products
from psro import checkpoint

RUN = ("--game", "kuhn_poker(players=3)", "--solver", "rm:steps=40", "--no-tensor")


def call(*words, page=psro):
    return main(page.page, page.Config, [str(word) for word in words])


def measured(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    made = [json.loads(line) for line in lines]
    for row in made:
        row.pop("cpu_seconds")
    return made


def stored(folder):
    place = checkpoint.complete(folder / "checkpoint")[-1]
    with np.load(place / "arrays.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays}


def test_a_run_is_resumed_bit_for_bit_and_read(tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    more = ("--tie-break", "first", "--eval-solver", "average(rm:steps=20):last=3")
    assert call(*RUN, *more, "--iterations", 3, "--out", whole) == 0
    assert call(*RUN, *more, "--iterations", 1, "--out", parts) == 0
    assert call("--iterations", 3, "--resume", "--out", parts) == 0
    assert measured(whole) == measured(parts) and stored(whole) == stored(parts)
    last = measured(whole)[-1]
    assert last["support"] is None and last["entropy"] is None and last["gap"] > 0
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["tensor"] is False
    assert {path.stem for path in (whole / "plots").iterdir()} == {
        *("gap", "value", "strategy", "time")
    }
    with np.load(whole / "meta_game.npz") as arrays:
        assert "payoffs" not in arrays and arrays["weights"].sum() == pytest.approx(1)

    run = load_run(whole)
    assert isinstance(run.sigma, Products) and not run.independent
    assert run.meta_game.actions == run.sigma.shape == run.cells.shape
    assert run.exploit().gap.sum() == pytest.approx(run.gap, abs=1e-9)
    members, _ = run.drawn(np.random.default_rng(0))
    assert all(k < size for k, size in zip(members, run.sigma.shape, strict=True))
    assert run.joint().device()
    assert "behaviours" in policies(run)[0]
    for writer in (array, gambit):
        with pytest.raises(UserError, match="payoffs of all profiles"):
            writer(run)


def test_independent_players_have_policies_of_their_own(tmp_path):
    out = tmp_path / "run"
    words = ("--game", "kuhn_poker", "--solver", "fp:steps=40", "--no-tensor")
    assert call(*words, "--iterations", 3, "--out", out) == 0
    run = load_run(out)
    assert run.independent and run.concept == "ne"
    from open_spiel.python.algorithms.exploitability import nash_conv

    assert nash_conv(run.game, run.joint()) == pytest.approx(run.gap, abs=1e-9)
    assert measured(out)[-1]["support"] == np.count_nonzero(run.cells > 1e-8)


def test_a_comparison_has_both_forms(tmp_path, capsys):
    words = ("--games", "kuhn_poker", "--solvers", "fp:steps=40", "rm:steps=40")
    oracles = ("--oracles", "exact:tie_break=first")
    free = "exact:tie_break=first,tensor=false"
    out = tmp_path / "compared"
    code = call(
        *(*words, *oracles, free, "--seeds", 1, "--iterations", 3),
        *("--out", out, "--json"),
        page=compare,
    )
    assert code == 0
    made = [json.loads(path.read_text()) for path in (out / "cells").glob("*.json")]
    assert len(made) == 4
    told = json.dumps(made)
    assert "tensor=false" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--solver", "mgcce"), "must have its tensor of payoffs"),
        (("--eval-solver", "mwcce"), "must have its tensor of payoffs"),
        (("--symmetric",), "--no-tensor: --symmetric needs the payoffs"),
        (("--evaluator", "mine:make"), "--no-tensor: --evaluator needs the payoffs"),
        (("--oracle", "ppo"), "it must go with --oracle exact"),
        (("--oracle", "neupl"), "--oracle neupl"),
    ],
)
def test_what_needs_the_tensor_is_refused(tmp_path, capsys, words, sentence):
    given = ("--game", "kuhn_poker", "--no-tensor", "--solver", "rm:steps=40", *words)
    out = tmp_path / "run"
    assert call(*given, "--out", out) == 2
    said = capsys.readouterr().err
    assert sentence in said and len(said.strip().splitlines()) == 1
    assert not out.exists()
