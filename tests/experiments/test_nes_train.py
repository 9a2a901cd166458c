"""Training and mechanism design through their pages."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from experiments import mechanism
from experiments.lab.page import main
from experiments.nes import train as nes_train

FIELDS = [
    *("--recipe.games.most", "4", "--recipe.work", "256", "--recipe.fewest", "8"),
    *("--recipe.architecture.payoff", "4", "--recipe.architecture.dual", "6"),
    *("--recipe.architecture.hidden", "8", "--recipe.architecture.unrolled", "1"),
    *("--every", "5", "--games", "8"),
]


def train(*words):
    return main(nes_train.page, nes_train.Config, [*FIELDS, *words])


def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, monkeypatch, capsys):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train("--recipe.steps", "20", "--out", str(whole), "--json") == 0
    last = json.loads(capsys.readouterr().out)
    assert last["step"] == 20
    from meta_solvers.nes.train import Training

    update = Training.update

    def interrupted(self):
        if self.step == 13:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(Training, "update", interrupted)
    assert train("--recipe.steps", "20", "--out", str(cut), "--quiet") == 130
    monkeypatch.undo()
    assert train("--recipe.steps", "20", "--out", str(cut), "--resume") == 0
    assert "step      20 of 20" in capsys.readouterr().out
    one, two = (
        load_file(f / "checkpoint/000020/training.safetensors") for f in (whole, cut)
    )
    assert one.keys() == two.keys()
    assert all(one[n].numpy().tobytes() == two[n].numpy().tobytes() for n in one)
    rows = [
        [json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()]
        for f in (whole, cut)
    ]
    assert [r["step"] for r in rows[1]] == [5, 10, 15, 20]
    for one, two in zip(*rows, strict=True):
        assert one["sizes"] == two["sizes"]
        assert one["loss"] == two["loss"]
    assert "report.html" in {p.name for p in cut.iterdir()}
    from meta_solvers.nes.solver import neural_equilibria

    payoffs = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    joint = neural_equilibria(payoffs, network=cut / "weights.safetensors").joint
    assert float(joint.sum()) == pytest.approx(4)
    assert train("--recipe.steps", "30", "--out", str(cut), "--resume") == 2
    assert "must stay" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--recipe.steps", "0"],
        ["--recipe.games.most", "1"],
        ["--recipe.architecture.players", "9"],
        ["--recipe.architecture.payoff", "0"],
        ["--recipe.rate", "2"],
        ["--device", "cuda"],
        ["--every", "0"],
    ],
)
def test_bad_trainings_are_refused(words, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert train("--out", str(tmp_path / "x"), *words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def design(*words):
    return main(mechanism.page, mechanism.Config, list(words))


def test_tolls_lower_the_cost_of_the_equilibrium(tmp_path, capsys):
    out = tmp_path / "m"
    fields = ["--players", "3", "--resources", "3", "--games", "4"]
    fields += ["--tolls.steps", "15"]
    assert design(*fields, "--out", str(out), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["cost_with_tolls"] < summary["cost_without_tolls"] - 1e-3
    assert summary["least_possible_cost"] <= summary["cost_with_tolls"]
    tolls = np.load(out / "tolls.npz")["tolls"]
    assert tolls.shape == (4, 3, 3)
    assert np.abs(tolls).max() <= 1
    assert design(*fields, "--out", str(out)) == 2
    assert design("--resources", "100", "--out", str(tmp_path / "y")) == 2
    assert design("--tolls.rate", "0", "--out", str(tmp_path / "y")) == 2
