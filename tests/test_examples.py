"""The programs in examples/ run, and do what the documentation says of them."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
import torch

from experiments import contents
from metaspiel.games import sequence_form

EXAMPLES = Path(__file__).parents[1] / "examples"
# scipy's notice about integer diagonals is about OpenSpiel's own code.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Input has data type int64"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:open_spiel"),
]


def loaded(name: str) -> ModuleType:
    """An example as a module, without what it does as a program."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its dataclasses look for their names
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested_here_and_shown():
    here = Path(__file__).read_text("utf-8")
    docs = EXAMPLES.parent / "docs"
    shown = "\n".join(p.read_text("utf-8") for p in docs.rglob("*.md"))
    programs = [p for p in EXAMPLES.rglob("*") if p.suffix in (".py", ".ipynb")]
    assert len(programs) >= 7
    for program in programs:
        within = program.relative_to(EXAMPLES)
        name = Path(within.parts[0]).stem
        assert f'"{name}' in here or f" {name}:" in here, program
        assert f"examples/{within.as_posix()}" in shown, program


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package of a solver, installed beside this environment."""
    place = tmp_path_factory.mktemp("own_solver")
    source = place / "source"
    source.mkdir()
    for path in (EXAMPLES / "own_solver").glob("*.*"):
        (source / path.name).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    words = ["install", "--no-deps", "--no-build-isolation", "--target", place / "site"]
    subprocess.run([*pip, *words, source], check=True)
    return place / "site"


def test_a_solver_of_another_package_is_known_by_name(installed, tmp_path):
    """On the command line, with its fields, as the guide says."""
    path = os.pathsep.join([str(installed), *filter(None, sys.path)])
    words = ["solve", "--game", "chicken", "--solver", "greedy:weight=2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "metaspiel", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["values"] == [6.0, 6.0]  # 6 + 2 * 6 is the largest weighted sum


def test_search_is_an_oracle():
    example = loaded("mcts_oracle")
    form = sequence_form(example.GAME)
    oracle = example.SearchOracle(form, simulations=20)
    setup = example.Setup(
        oracle=oracle,
        evaluator=example.ExactEvaluator(form),
        solver=example.get("nash"),
        concept="ne",
    )
    first = example.start(setup)
    *_, last = example.run(setup, first, iterations=2)
    assert last.population.sizes == (3, 3)
    for plans, tree in zip(last.population.stacked(), form.trees, strict=True):
        for plan in plans[1:]:  # a search plays one move wherever it arrives
            assert set(np.unique(plan)) == {0.0, 1.0}
            assert tree.is_behaviour(tree.behaviour(plan))
    exact = form.cce_gap(last.population.stacked(), last.train.joint)
    assert (last.gaps["ne"] <= exact + 1e-12).all()
    said = [response.value for response in first.responses]
    payoffs = form.tensor(last.population.stacked())
    assert said == pytest.approx([payoffs[0, 1, 0], payoffs[1, 0, 1]], abs=1e-12)


def test_search_by_bots_is_an_oracle_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    words = "psro --game tic_tac_toe --oracle searching:search:most=8 --solver nash_lp"
    end = "--iterations 1 --seed 0 --out run --quiet"
    assert contents.main("metaspiel", [*words.split(), *end.split()]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    assert "lower bound" in summary["gap_is"]


def test_a_batched_game_plays_by_its_rules():
    example = loaded("batched_game")
    nim = example.Nim()
    rng = torch.Generator().manual_seed(0)
    draws = torch.rand(1, 200, 2, generator=rng, dtype=torch.float64)
    now = nim.start(draws)
    heaps, movers = now.inputs.argmax(-1), now.mover
    everywhere = torch.ones_like(now.done)
    for _ in range(nim.longest):  # leave a multiple of four, or take one stick
        heap = now.inputs.argmax(-1)
        take = torch.where(heap % 4 > 0, heap % 4, 1)
        assert now.legal.gather(-1, take[..., None] - 1)[~now.done].all()
        now = nim.step(now, take - 1, everywhere)
    assert now.done.all()
    assert (now.returns.sum(-1) == 0).all()
    wins = now.returns.gather(-1, movers[..., None])[..., 0] > 0
    assert (wins == (heaps % 4 > 0)).all()  # the theorem about Nim
    again = nim.restart(now, now.returns[..., 0] > 0, draws)
    assert (again.done == (now.returns[..., 0] < 0)).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("batched_game", "iteration 3: the newest policy against each"),
        ("own_trajectories", "meta-strategy"),
        ("psro_v2", "5 NashConv"),
        ("openspiel_jpsro", "registered: ours_mgcce ours_mwcce"),
    ],
)
def test_a_program_runs(name, says, capsys, monkeypatch):
    from open_spiel.python.algorithms import jpsro

    threads = torch.get_num_threads()
    monkeypatch.setattr(jpsro, "FLAG_TO_FUNC", dict(jpsro.FLAG_TO_FUNC))
    try:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    assert says in capsys.readouterr().out


def test_the_notebook_runs(capsys, monkeypatch):
    """Its cells one after the other; the build of the docs runs it as a notebook."""
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    notebook = json.loads((EXAMPLES / "jpsro.ipynb").read_text("utf-8"))
    scope: dict[str, object] = {"__name__": "notebook"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # made anew by each build
            lines = [line for line in cell["source"] if line[0] != "%"]  # IPython's
            exec(compile("".join(lines), "jpsro.ipynb", "exec"), scope)
    assert scope["states"][-1].gap("cce") < 0.01
    scope["plt"].close("all")
    assert capsys.readouterr().out.count("policies") == 3
