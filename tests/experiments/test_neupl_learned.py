"""Learned NeuPL studies: small real runs through the command line, and their claims."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments import contents
from experiments.lab.page import main
from experiments.neupl_learned import __main__ as page
from experiments.neupl_learned import (
    config,
    duels,
    flag,
    kuhn_results,
    transfer,
    transfer_results,
)
from experiments.neupl_learned.config import Size, Variant
from experiments.neupl_learned.course import grown, tree
from experiments.neupl_learned.kuhn import Judged, Result
from experiments.neupl_learned.measures import diversity, everywhere, forgetting
from experiments.neupl_learned.transfer import Probe
from experiments.neupl_learned.transfer import Result as Transfer
from psro.parts import Response

TINY = Size(
    game="kuhn_poker",
    iterations=2,
    decisions=64,
    episodes=20,
    seeds=1,
    ppo={"games": 8},
    width=8,
    tree=True,
    distil={"steps": 20},
    states={"own": 64, "old": 32},
)
FLAG = replace(
    TINY, game="capture_the_flag_2v2(rows=3,columns=5,horizon=3)", tree=False
)
PROBED = {"probes": (1,), "budgets": (64, 128), "iterations": 1}
SMALL = {
    "learned_kuhn": {"kuhn": TINY},
    "transfer": {"kuhn3": replace(TINY, **PROBED), "flag": replace(FLAG, **PROBED)},
    "flag": {"flag": replace(FLAG, iterations=1)},
    "openspiel_flag": {
        "openspiel": replace(
            FLAG, game="capture_the_flag(horizon=3,grid=a.b)", iterations=1
        )
    },
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The same studies, of little games."""
    for name, sizes in SMALL.items():
        monkeypatch.setitem(config.SIZES, name, sizes)
    monkeypatch.setattr(flag, "_FRESH", 50)
    monkeypatch.setattr(transfer, "_EPISODES", 50)


def call(*words):
    return main(page.page, page.Config, [str(word) for word in words])


def cells(folder):
    return {p.name: p.read_bytes() for p in sorted((folder / "cells").iterdir())}


def timeless(value):
    """A result without its times."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not k.startswith("cpu")}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def test_studies_are_run_judged_and_widened(tmp_path, capsys):
    out = tmp_path / "run"
    variants = ("--variants", "neupl", "separate", "no-regulariser")
    assert call("--studies", "learned_kuhn", *variants, "--out", out, "--quiet") == 0
    kept = cells(out)
    assert len(kept) == 3
    summary = json.loads((out / "summary.json").read_text())
    assert summary["claims"][0]["verdict"] == "holds"
    assert len(summary["claims"]) == 5
    studies = ("--studies", *SMALL)
    assert call(*studies, *variants, "--out", out, "--resume", "--quiet") == 0
    assert len(cells(out)) == 7
    assert all(cells(out)[name] == one for name, one in kept.items())
    table = (out / "table.md").read_text()
    for words in ("CPU min", "cold over warm", "cross-play", "held-out error"):
        assert words in table
    pictures = {p.name for p in (out / "plots").iterdir()}
    assert {"learned_gaps.png", "learned_transfer.png", "flag_curves.png"} <= pictures


def test_a_seed_gives_the_same_bits(tmp_path):
    words = ("--studies", "learned_kuhn", "--variants", "neupl", "--quiet")
    words = (*words, "--iterations", 1)
    made = []
    for name in ("one", "two"):
        assert call(*words, "--seeds", 1, "--out", tmp_path / name) == 0
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        made.append(timeless(summary["cells"]))
    assert made[0] == made[1]


def test_says_what_the_cheetah_lacks(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    assert call("--studies", "cheetah") == 2
    error = capsys.readouterr().err
    assert "metaspiel[mujoco]" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--studies", "chess"), "--studies"),
        (("--variants", "neupl", "neupl"), "each once"),
        (("--solver", "guess"), "unknown name 'guess'"),
        (("--solver", "nash"), "must be one for CCE; got 'nash'"),
        (("--decisions", 0), "--decisions must be at least 1; got 0"),
        (("--scale", "cuda", "--studies", "flag"), "torch sees no CUDA device"),
    ],
)
def test_refuses(words, sentence, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert call(*words) == 2
    assert sentence in capsys.readouterr().err


def test_the_contents_list_the_page():
    assert "neupl_learned" in contents.pages()


@pytest.fixture(scope="module")
def courses():
    """A run of codes and one of separate networks."""
    form = tree(TINY.game)
    return [
        grown(TINY, Variant(separate=s), solver="mgcce", seed=0, form=form)
        for s in (False, True)
    ]


def test_separate_networks_forget_nothing_and_differ(courses):
    for course in courses:
        states = everywhere(course.referee)
        network = course.oracle.network
        assert diversity(network, course.realised[-1], states) > 0
        ages = forgetting(course, states)
        assert len(ages) == 3
        assert ages[0] == 0.0
    assert not np.any(ages)  # the last ones are separate


def test_to_deviate_to_what_is_played_gains_nothing(courses):
    course = courses[0]
    pools = course.realised[-1].pools
    joint = np.zeros_like(course.last.train.joint)
    joint[1, 2] = 1.0
    side = duels.Side(course.realised[-1], joint)
    own, other = (
        Response(
            player=0, policy=pools[0][k].policy, value=0.0, gain=0.0, play="sampled"
        )
        for k in (1, 0)
    )
    paid = duels.deviations(course, side, 0, [own, other], episodes=50, seed=0)
    assert not paid[0].any()
    assert paid[1].any()


def test_a_zero_sum_duel_with_oneself_is_what_is_stored(courses):
    course = courses[1]
    side = duels.Side.of(course)
    mean, error = duels.duel(course, side, side, episodes=4000, seed=0)
    plans = course.referee.plans(course.last.population)
    exact = float((course.referee.form.tensor(plans)[0] * side.joint).sum())
    # Both halves are drawn apart; against itself the joint is a product here.
    product = np.outer(side.joint.sum(1), side.joint.sum(0))
    apart = float((course.referee.form.tensor(plans)[0] * product).sum())
    assert abs(mean - apart) <= 5 * error
    assert abs(exact) <= 2


def probed(warm, cold, best=1.0):
    probe = Probe(iteration=1, player=0, best=best, warm=warm, cold=cold)
    return Transfer(budgets=[512, 1024, 2048], probes=[probe], cpu_seconds=1.0)


def test_unfinished_responses_are_counted_not_guessed():
    runs = {
        0: probed([0.95, 1.0, 1.0], [0.1, 0.2, 0.95]),
        1: probed([0.95, 1.0, 1.0], [0.1, 0.2, 0.3]),
        2: probed([0.1, 0.2, 0.3], [0.1, 0.95, 1.0]),
        3: probed([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        4: probed([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], best=0.01),
    }
    known, nothing = transfer_results.pairs(runs, 0.9)
    assert nothing == 1
    assert transfer_results.arrived(known) == (1, 1, 1, 1)
    assert transfer_results.logs(known) == [2.0]
    assert transfer_results.ratio([2.0]) == "4.00"


def judged(excess):
    return Judged(
        gap=0.1,
        learned=None,
        stored=0.0,
        realised=0.1,
        eta=0.1,
        excess=excess,
        said=0.5,
        believed=False,
        share=1.0,
    )


@pytest.mark.parametrize(("excess", "verdict"), [(-0.1, "holds"), (0.1, "fails")])
def test_a_broken_bound_is_told(excess, verdict):
    one = Result(
        judged=[judged(-0.1), judged(excess)],
        policies=[3, 3],
        unreached=0,
        worst_error=0.0,
        forgetting=[0.0, 0.1],
        drift=[0.1],
        diversity=1.0,
        bytes_a_policy=10.0,
        cpu={"all": 1.0},
    )
    assert kuhn_results._bound("kuhn", {"neupl": {0: one}}).verdict == verdict
    used = kuhn_results._used("kuhn", {0: one}, {0: one})
    assert used.verdict == "fails"
    assert "in 0 of 2 iterations" in used.evidence
    assert kuhn_results._covered("kuhn", {0: one}, {0: one}).verdict == "not tested"
    sure = replace(one, judged=[replace(judged(-0.1), believed=True, said=0.05)])
    assert kuhn_results._covered("kuhn", {0: one}, {0: sure}).verdict == "fails"
