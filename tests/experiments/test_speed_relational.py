"""Cost of networks over entities, in small."""

import json

import pytest
import torch

from experiments.lab.page import main
from experiments.speed import relational
from experiments.speed.relational_config import Config
from experiments.speed.relational_steps import (
    Factorised,
    Plain,
    drawn,
    information,
    step,
)
from metaspiel.learn.relational_settings import Relations

SMALL = ("--sizes", "2", "4", "--batch", "16", "--plain", "2", "--rounds", "1")


def call(*words):
    return main(relational.page, Config, list(words))


def test_rows_and_resume(tmp_path, capsys):
    out = tmp_path / "r"
    assert call(*SMALL, "--out", str(out), "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["landmarks"], row["agents"]) for row in rows] == [
        ("concatenated", 2),
        ("concatenated", 4),
        ("pooled", 2),
        ("pooled", 4),
    ]
    assert all(row["step"] > 0 and row["information"] > 0 for row in rows)
    assert [row["step_plain"] is None for row in rows] == [False, True] * 2
    assert "| concatenated | 4 |" in (out / "table.md").read_text()
    (out / "cells" / "pooled-4.json").unlink()
    assert call("--resume", "--out", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out)[:3] == rows[:3]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--sizes", "1"), "--sizes must be numbers of at least 2 agents; got '1'"),
        (("--rounds", "0"), "rounds must be at least 1; got 0"),
        (("--batch", "0"), "batch must be at least 1; got 0"),
        (("--plain", "-1"), "plain must be at least 0; got -1"),
    ],
)
def test_bad_words(words, sentence, capsys):
    assert call(*words) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("landmarks", ["pooled", "concatenated"])
def test_both_forms_make_the_same_step(landmarks):
    batch = drawn(Config(batch=24), 4, Relations(landmarks=landmarks))
    ours, theirs = Factorised(batch), Plain(batch)
    gradients = []
    for nets in (ours, theirs):
        torch.manual_seed(0)  # of the sampled actions
        gradients.append((*step(nets), information(nets)))
    for one, other in zip(*gradients, strict=True):
        scale = other.abs().max()
        assert scale > 0
        # The information is a small difference of large numbers.
        torch.testing.assert_close(one / scale, other / scale, atol=1e-4, rtol=0)
