"""MATRL on MuJoCo robots, in small; and how claims are judged."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab.estimates import estimate
from experiments.lab.page import main, parse
from experiments.lab.verdict import Higher
from experiments.matrl import control, control_run
from experiments.matrl.control_config import Config
from experiments.matrl.control_results import Line, claims, ends_above, rises
from metaspiel.games import extras, worlds
from metaspiel.games.markov import Continuous

TINY = (
    *("--limit", 10, "--random-episodes", 3),
    *("--learner.ppo.batch", 40, "--learner.ppo.width", 8),
)
TWO = (*TINY, "--tasks", "hopper", "swimmer", "--seeds", 2)


def call(*words):
    return main(control.page, Config, [str(word) for word in words])


def learned(folder):
    """All metrics but times."""
    cells = {}
    for place in sorted((folder / "cells").glob("*/metrics.jsonl")):
        rows = [json.loads(line) for line in place.read_text().splitlines()]
        cells[place.parent.name] = [{**row, "seconds": None} for row in rows]
    return cells


@dataclass(frozen=True)
class Slides:
    """Scenes of two agents, who see one number each."""

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    steps: np.ndarray

    @property
    def over(self):
        return self.terminated | self.truncated


@dataclass(frozen=True)
class Slider(worlds.Named):
    """A robot that needs no extra: each agent is paid for holding its number at 0."""

    limit: int = 1000
    kind = "hopper"
    agents, inputs, draws, actions = 2, 1, 1, Continuous(1)

    def start(self, uniforms):
        seen = np.repeat(2 * uniforms[:, None] - 1, 2, axis=1).astype(np.float32)
        no, none = np.zeros(len(seen), bool), np.zeros(len(seen), np.int64)
        return Slides(seen, np.zeros((len(seen), 2)), no, no, steps=none)

    def restart(self, scene, where, uniforms):
        new = self.start(uniforms)
        seen = np.where(where[:, None, None], new.observations, scene.observations)
        paid = np.where(where[:, None], 0.0, scene.rewards)
        steps = np.where(where, 0, scene.steps)
        return Slides(seen, paid, new.over, scene.over & ~where, steps=steps)

    def step(self, scene, actions):
        live = ~scene.over[:, None]
        seen = scene.observations + 0.1 * live[..., None] * np.clip(actions, -1, 1)
        paid = np.where(live, -np.abs(seen[..., 0]).astype(float), 0.0)
        steps = scene.steps + 1
        no, end = np.zeros(len(seen), bool), steps >= self.limit
        return Slides(seen.astype(np.float32), paid, no, end, steps=steps)


class Swing(Slider):
    kind = "swimmer"


@pytest.fixture(scope="module")
def stand_ins():
    """Robots of two tasks that need no extra."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(worlds.WORLDS, "hopper", f"{__name__}:Slider")
        patch.setitem(worlds.WORLDS, "swimmer", f"{__name__}:Swing")
        patch.setattr(control_run, "metadata", SimpleNamespace(version=str.upper))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory, stand_ins):
    folder = tmp_path_factory.mktemp("control") / "run"
    assert call(*TWO, "--iterations", 4, "--quiet", "--out", folder) == 0
    return folder


def test_a_run_on_real_robots(tmp_path, capsys):
    pytest.importorskip("mujoco")
    words = (*TINY, "--tasks", "ant", "--seeds", 1, "--iterations", 2)
    assert call(*words, "--out", tmp_path, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert {*summary["versions"]} == {"gymnasium", "mujoco"}
    for row in summary["table"]:
        assert row["seeds"] == [0] and len(row["last"]["values"]) == 1


def test_a_small_run(whole):
    summary = json.loads((whole / "summary.json").read_text())
    metrics, table = learned(whole), summary["table"]
    assert {(row["task"], row["method"]) for row in table} == {
        (task, method) for task in ("hopper", "swimmer") for method in ("il", "matrl")
    }
    with np.load(whole / "curves.npz", allow_pickle=False) as curves:
        for row in table:
            names = [f"{row['task']}-{row['method']}-s{s}" for s in (0, 1)]
            own = np.array([[r["returns"] for r in metrics[n]] for n in names])
            key = f"{row['task']}/{row['method']}"
            assert np.array_equal(curves[f"{key}/returns"], own)
            assert row["seeds"] == curves[f"{key}/seeds"].tolist() == [0, 1]
            assert own.shape == (2, 4) and own.std() > 0
            assert row["last"]["values"] == pytest.approx(own.mean(1))
            assert row["random"] == summary["random"][row["task"]]["mean"]
            assert row["cpu_seconds"] > 0
            assert (row["rho"] is not None) == (row["method"] == "matrl")
    verdicts = {row["text"]: row["verdict"] for row in summary["claims"]}
    assert verdicts["hopper: MATRL ends above il (the paper's claim)"] == "undecided"
    # four iterations: the first ten are the last ten
    assert list(verdicts.values()) == ["undecided"] * 6
    assert "| hopper | il | 2 |" in (whole / "table.md").read_text()
    assert summary["versions"] == {"gymnasium": "GYMNASIUM", "mujoco": "MUJOCO"}
    assert 'class="panels"' in (whole / "report.html").read_text()
    assert (whole / "plots" / "curves.png").stat().st_size > 10_000


def test_a_run_that_is_extended_is_the_longer_run(whole, tmp_path, capsys):
    words = (*TINY, "--tasks", "hopper", "--seeds", 1, "--iterations", 2)
    assert call(*words, "--out", tmp_path, "--json") == 0
    short = json.loads(capsys.readouterr().out)
    assert short["env_steps"] == 80
    more = ("--tasks", "hopper", "swimmer", "--seeds", 2, "--iterations", 4)
    assert call("--out", tmp_path, "--resume", *more, "--quiet") == 0
    assert "Team returns" in capsys.readouterr().out
    assert learned(tmp_path) == learned(whole)
    tables = [
        [{**row, "cpu_seconds": None} for row in json.loads(text)["table"]]
        for text in ((f / "summary.json").read_text() for f in (whole, tmp_path))
    ]
    assert tables[0] == tables[1]
    assert call("--out", tmp_path, "--resume", "--learner.ppo.clip", 0.3) == 2
    assert "--learner.ppo.clip must stay" in capsys.readouterr().err


def test_the_settings_are_those_of_the_paper_and_the_user():
    ppo = Config().learner.ppo
    assert ppo.reward == "team" and ppo.value_clip == float("inf")
    assert (ppo.entropy, ppo.kl, ppo.bootstrap_limits) == (5e-4, 1e-4, True)
    words = ["--learner.ppo.rate", "1e-3", "--learner.br-steps", "2"]
    config = parse(Config, words, "matrl_control")
    assert config.learner == replace(
        Config().learner, ppo=replace(ppo, rate=1e-3), br_steps=2
    )


def test_episodes_of_the_default_are_whole():
    config = Config()
    ppo = config.learner.ppo
    assert ppo.batch // ppo.envs >= config.limit == 1000
    assert config.iterations * ppo.batch >= 300_000


def test_a_missing_extra_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    extras._free.cache_clear()  # robots of other tests
    assert call(*TINY, "--tasks", "ant", "--out", tmp_path / "new") == 2
    text = capsys.readouterr().err
    assert "pip install" in text and "[mujoco]" in text
    assert text.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--tasks", "walker"), "--tasks: unknown task 'walker'"),
        (("--tasks", "ant", "ant"), "each once"),
        (("--methods", "ppo"), "--methods: unknown method 'ppo'"),
        (("--seeds", 0), "--seeds must be at least 1"),
        (("--seed", -1), "--seed must be at least 0"),
        (("--random-episodes", 0), "--random-episodes must be at least 1"),
        (("--iterations", 0), "--iterations must be at least 1"),
        (("--learner.ppo.batch", 30), "batch must be a multiple of envs"),
        (("--limit", 0), "limit must be at least 1"),
        (("--learner.ppo.rate", "nan"), "rate must be positive"),
    ],
)
def test_bad_input(words, sentence, tmp_path, capsys):
    given = [str(word) for word in words]
    refused(control, given, sentence, folder=tmp_path, capsys=capsys)


def line(method, first, last, random=1.0):
    return Line(
        task="ant",
        method=method,
        seeds=list(range(len(last))),
        random=random,
        first=estimate(first, 0),
        last=estimate(last, 0),
        best=estimate(last, 0),
        cpu_seconds=1.0,
        rho=None,
        pure=None,
    )


def test_when_a_return_rises():
    def verdict(*row):
        return rises(line("il", *row), seeds=len(row[0])).verdict

    assert rises(line("il", [0.0], [2.0]), seeds=2).verdict == "undecided"
    assert verdict([0.0, 0.5], [2.0, 3.0]) == "holds"
    assert verdict([0.0, 2.5], [2.0, 2.0]) == "undecided"  # one seed fell
    assert verdict([0.0, 0.1], [0.9, 2.0]) == "undecided"  # random is as good
    assert verdict([5.0], [2.0]) == "undecided"  # one seed has no interval
    assert verdict([5.0, 5.1, 5.2], [2.0, 2.1, 2.2]) == "fails"  # all of them fell
    assert verdict([], []) == "not tested"


def test_robots_are_one_family_of_tests():
    high, low = [4.0, 5.0, 6.0, 7.0], [0.0, 1.0, 2.0, 3.0]  # p 1/70
    lines = [
        replace(line(method, values, values), task=task)
        for task, ours in (("ant", high), ("hopper", low), ("swimmer", high))
        for method, values in (("matrl", ours), ("il", low))
    ]
    asked = Config(tasks=("ant", "hopper", "swimmer"), methods=("il", "matrl"))
    ant, hopper, swimmer = claims(asked, lines)[-3:]
    assert ant.numbers["p"] == pytest.approx(1 / 70)
    assert ant.numbers["corrected"][0] == pytest.approx(3 / 70)
    assert (ant.verdict, swimmer.verdict) == ("holds", "holds")
    assert hopper.verdict == "undecided" and "least possible 0.043" in ant.evidence


def test_when_matrl_ends_above_another():
    def claim(ours, theirs):
        pair = line("matrl", ours, ours), line("il", theirs, theirs)
        made = ends_above(*pair, Higher.of(ours, theirs, 0))
        assert made.text == "ant: MATRL ends above il (the paper's claim)"
        return made

    high, low = [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]
    above = claim(high, low)
    assert above.verdict == "holds"
    assert above.numbers["p"] == pytest.approx(1 / 20)
    assert above.numbers["difference"] == 3.0 and above.numbers["apart"]
    assert "intervals apart" in above.evidence
    assert claim(low, high).verdict == "fails"
    few = claim(high[:2], low[:2])
    assert few.verdict == "undecided" and "too few trials" in few.remark
    even = claim([1.0, 5.0, 3.0], [2.0, 4.0, 3.0])
    assert (even.verdict, even.remark) == ("undecided", "")
    nothing = claim(high, [])
    assert nothing.verdict == "not tested" and "no runs" in nothing.evidence
