"""Oracles and evaluators of a user's own: by name, by module, as bots."""

import json
from importlib import metadata

import numpy as np
import pytest

import metaspiel
from experiments import parts
from experiments.lab.page import main, with_first
from experiments.psro import __main__ as psro
from meta_solvers import registry
from psro import EVALUATORS, ORACLES, BotEvaluator, BotOracle, Ground
from psro.parts import Population, Table, Target

MODULE = '''
import pyspiel
import numpy as np
from psro import BotOracle, ExactEvaluator, ExactOracle

def first(ground):
    """Exact responses, the first of several."""
    return ExactOracle(ground.form, tie_break="first")

def fixed(ground, most: int = 3):
    """Bots that mostly do one thing."""
    def bot(numbers, player):
        return pyspiel.make_uniform_random_bot(player, int(numbers[0]))
    def candidates(player, rng):
        return [(n, player) for n in range(most)]
    return BotOracle(game=ground.game, bot=bot, candidates=candidates, episodes=10)

class Doubled:
    ensemble = 1
    def __init__(self, ground, oracle):
        self.inner = ExactEvaluator(ground.form)
    def fill(self, population, table, rng):
        return self.inner.fill(population, table, rng)

def nothing(ground):
    return None

class Failing:
    """Fails in one of its methods, the exact oracle in the others."""
    def __init__(self, ground, how: str = "respond"):
        self.inner, self.how = ExactOracle(ground.form), how
    def initial(self, rng):
        if self.how == "initial":
            raise KeyError("my own bug")
        return self.inner.initial(rng)
    def respond(self, population, targets, rng):
        if self.how == "respond":
            raise KeyError("my own bug")
        return self.inner.respond(population, targets, rng)
    def measure(self, population, targets, rng):
        return None
    def grow(self, population, chosen, rng):
        if self.how == "grow":
            raise KeyError("my own bug")
        return self.inner.grow(population, chosen, rng)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "their_parts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    patch = "experiments.psro.report.write_report"
    monkeypatch.setattr(patch, lambda *given: None)
    return tmp_path


def call(*words, page=psro):
    given = with_first(page.Config, [str(word) for word in words])
    return main(page.page, page.Config, given)


def rows(place):
    lines = (place / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_an_own_oracle_plays_as_the_built_in_one_it_is(folder, capsys):
    words = ("--iterations", 3, "--quiet", "--out")
    assert call("--oracle", "their_parts:first", *words, folder / "own") == 0
    assert call("--tie-break", "first", *words, folder / "exact") == 0
    own, exact = ([row["gap"] for row in rows(folder / n)] for n in ("own", "exact"))
    assert own == exact
    summary = json.loads((folder / "own" / "summary.json").read_text())
    assert summary["gap_is"] == "own oracle, lower bound"
    assert {"gap", "eval_gap", "cpu_seconds"} <= summary.keys()
    with pytest.raises(metaspiel.UserError, match="import the module 'their_parts'"):
        metaspiel.load_run(folder / "own")
    run = metaspiel.load_run(folder / "own", trust=True)
    assert run.exploit().total == pytest.approx(run.gap, abs=1e-9)


def test_a_run_of_bots_is_resumed_to_the_same_rows(folder):
    words = ("--game", "tic_tac_toe", "--oracle", "their_parts:fixed:most=2",
             "--solver", "uniform", "--quiet", "--out")  # fmt: skip
    assert call(*words, folder / "one", "--iterations", 3) == 0
    assert call(*words, folder / "two", "--iterations", 1) == 0
    more = ("--resume", "--iterations", 3, "--quiet", "--out", folder / "two")
    assert call(*more) == 2  # a file that names code must be trusted
    assert call(*more, "--trust") == 0
    one, two = rows(folder / "one"), rows(folder / "two")
    for row in (*one, *two):
        del row["cpu_seconds"]
    assert one == two
    run = metaspiel.load_run(folder / "one", trust=True)
    assert not run.fits
    with pytest.raises(metaspiel.UserError, match="must be weights of networks"):
        run.joint()


@pytest.mark.parametrize(("how", "code"), [("initial", 2), ("respond", 2), ("grow", 3)])
def test_a_fault_in_an_own_oracle_is_a_sentence(folder, capsys, how, code):
    out = folder / "run"
    words = ("--oracle", f"their_parts:Failing:how={how}", "--iterations", 2)
    assert call(*words, "--quiet", "--out", out) == code
    error = capsys.readouterr().err
    assert "an oracle or evaluator of your own: KeyError: 'my own bug'" in error
    assert "(their_parts.py, line " in error and "Traceback" not in error


def test_an_own_evaluator_fills_the_table(folder):
    words = ("--evaluator", "their_parts:Doubled", "--iterations", 2, "--quiet")
    assert call(*words, "--out", folder / "run") == 0
    assert call("--iterations", 2, "--quiet", "--out", folder / "usual") == 0
    gaps = [[row["gap"] for row in rows(folder / n)] for n in ("run", "usual")]
    assert gaps[0] == gaps[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--oracle", "exakt"), "did you mean 'exact'"),
        (("--oracle", "a:b:c"), "must be written"),
        (("--oracle", "their_parts:fixed:mos=2"), "unknown argument 'mos'"),
        (("--oracle", "their_parts:fixed:most=x"), "must be a whole number"),
        (("--oracle", "their_parts:fixed:most=2,most=3"), "each once"),
        (("--oracle", "their_parts:none"), "must name a factory"),
        (("--oracle", "no_such_module:make"), "no module 'no_such_module' in"),
        (("--evaluator", "nomodule:make"), "no module 'nomodule' in this folder"),
        (("--solver", "nomodule:make"), "no module 'nomodule' in this folder"),
        (("--oracle", "their_parts:nothing"), "must make an oracle"),
        (("--evaluator", "their_parts:fixed"), "must have ensemble and fill"),
        (("--oracle", "ddqn", "--evaluator", "exact"), "must go with --oracle exact"),
        (("--oracle", "their_parts:first", "--decisions", "30"), "must go with"),
    ],
)
def test_what_is_no_part_is_a_sentence(folder, capsys, words, sentence):
    assert call(*words, "--out", folder / "run") == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "run").exists()


@pytest.fixture
def looked_up_anew():
    """What other packages offer is looked up again, here and after."""
    registry.entry_points.cache_clear()
    yield
    registry.entry_points.cache_clear()


def test_names_are_registered_or_come_with_other_packages(
    looked_up_anew, monkeypatch, capsys
):
    point = metadata.EntryPoint("theirs", "psro.bots:BotOracle", "metaspiel.oracles")
    monkeypatch.setattr(
        registry.metadata,
        "entry_points",
        lambda group: [point] if group == "metaspiel.oracles" else [],
    )
    assert "theirs" in ORACLES.names()
    assert ORACLES.reaches("theirs") == (
        "import the module 'psro.bots' of the plug-in 'theirs'",
    )
    assert ORACLES.reaches("exact") == () == ORACLES.reaches("a:b:c:d")
    assert EVALUATORS.reaches("mine:make") == ("import the module 'mine'",)
    monkeypatch.setitem(EVALUATORS.registered, "mine", lambda ground, oracle, n=3: n)
    assert EVALUATORS.make("mine:n=5", None, None) == "5"
    with pytest.raises(metaspiel.UserError, match="already taken"):
        ORACLES.register("ddqn", print)
    with pytest.raises(metaspiel.UserError, match="must be an identifier"):
        ORACLES.register("a:b", print)
    assert call("evaluators", "--json", page=parts) == 0
    listed = json.loads(capsys.readouterr().out)["evaluators"]
    assert listed[1]["name"] == "mine" and listed[1]["fields"] == {"n": 3}


def test_parts_lists_every_kind(capsys):
    assert call("games", "--json", page=parts) == 0
    games = {g["name"]: g for g in json.loads(capsys.readouterr().out)["games"]}
    assert games["kuhn_poker"]["fields"]["players"] == 2
    assert "discount" in games["bargaining"]["fields"]
    assert call("oracles", page=parts) == 0
    out = capsys.readouterr().out
    assert "tie_break=random" in out and "neupl" in out


class Same:
    """A bot that always takes the legal action of a rank."""

    def __init__(self, rank):
        self.rank = rank

    def restart_at(self, state):
        pass

    def inform_action(self, state, player, action):
        pass

    def step(self, state):
        legal = state.legal_actions()
        return legal[min(self.rank, len(legal) - 1)]


def test_the_best_candidate_responds_with_an_honest_value():
    """In matching pennies a response is known: its value is 1 with no error."""
    ground = Ground(name="matrix_mp")
    oracle = BotOracle(
        game=ground.game,
        bot=lambda numbers, player: Same(int(numbers[0])),
        candidates=lambda player, rng: [0, 1],
        episodes=4,
    )
    population = oracle.initial(np.random.default_rng(0))
    target = Target(player=1, co_play=np.ones(1), own=np.ones(1), value=-1.0)
    (made,) = oracle.respond(population, [target], np.random.default_rng(0))
    assert (made.value, made.gain, made.error) == (1.0, 2.0, 0.0)
    grown = oracle.grow(population, [made], np.random.default_rng(0))
    assert isinstance(grown, Population) and grown.sizes == (1, 2)
    evaluator = oracle.evaluator(0)
    assert isinstance(evaluator, BotEvaluator)
    table = evaluator.fill(grown, Table.empty(2).grow(grown), np.random.default_rng(0))
    np.testing.assert_array_equal(table.values[0, 0], [[1.0, -1.0]])
    assert (table.episodes == 4).all() and not table.errors.any()
