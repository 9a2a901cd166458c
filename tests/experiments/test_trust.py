"""A stranger's file imports no code and opens no connection before it is trusted."""

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from experiments import contents
from experiments.bargaining import config as bargaining
from experiments.lab import words
from experiments.lab.folder import page_of, record, widened
from experiments.lab.page import main
from experiments.lab.trust import Reaching
from experiments.psro import __main__ as psro
from meta_solvers import get, registry
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro import executor_specs

CODE = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()

def spread(joint, game):
    import cvxpy
    return -cvxpy.max(joint)
"""
PARTS = ("oracle", "evaluator", "solver", "evaluation", "exploration", "executor")
SPECS = (
    "cvx:objective=strange:spread",
    "mix(cvx:objective=strange:spread):weight=0.05",
    "fallback(mgcce,undominated(cvx:objective=strange:spread,equilibrium=ce))",
    "strange:Solver",
    "best(rd,mix(strange : Solver:share=0.5):weight=0.05)",
)


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that can be imported, and the file that shows that it was."""
    (tmp_path / "strange.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_entry_points", lambda: {"plugged": PLUGGED})
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    return tmp_path / "strange.ran"


PLUGGED = metadata.EntryPoint("plugged", "strange:Solver", registry.ENTRY_POINTS)


def marked() -> list[tuple[str, str, str]]:
    """Pages, fields and what a stranger would write there, of all marked fields."""
    every = []
    for page in contents.pages():
        known = words.fields(contents.module(page).Config())
        for name, (_, holder) in known.items():
            hints = get_type_hints(type(holder), include_extras=True)
            for mark in marks(hints[name.rpartition(".")[2]]):
                spec = SPECS[0]
                if mark.of is executor_specs.reaches:
                    spec = "ray:address=127.0.0.1:1"
                elif "oracle" in name or "evaluator" in name:
                    spec = "strange:make"
                every.append((page, name, spec))
    return every


def marks(hint: Any) -> list[Reaching]:
    inner = [mark for part in get_args(hint) for mark in marks(part)]
    return [hint] if isinstance(hint, Reaching) else inner


def run(page: Any, *given: object) -> int:
    return main(page.page, page.Config, [str(word) for word in given])


def one_sentence(error: str) -> bool:
    return error.startswith("error: ") and error.count("\n") == 1 and "--trust" in error


def test_every_field_that_takes_specs_is_marked():
    """Fields named for solvers and executors; two take names of lists of their own."""
    own = {("speed_equilibria", "solvers"), ("speed_gradients", "solvers")}
    asking = {(page, name) for page, name, _ in marked()}
    named = {
        (page, name)
        for page in contents.pages()
        for name in words.fields(contents.module(page).Config())
        if any(part in name for part in PARTS)
    }
    assert named - own <= asking and len(asking) > 8


@pytest.mark.parametrize(("page", "name", "spec"), marked())
def test_no_page_takes_code_or_connections_from_a_file(
    page: str,
    name: str,
    spec: str,
    strange: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    module = contents.module(page)
    several = isinstance(words.fields(module.Config())[name][0], tuple)
    file = tmp_path / "fields.yaml"
    file.write_text(yaml.safe_dump({name: [spec] if several else spec}))
    assert run(module, "--config", file) == 2
    error = capsys.readouterr().err
    assert (
        one_sentence(error) and str(file) in error and name in error.replace("-", "_")
    )
    what = "connect to the cluster" if "ray" in spec else "import the module 'strange'"
    assert what in error
    assert not strange.exists()


@pytest.mark.parametrize(
    "spec", [*SPECS, "plugged", "mix(plugged)", "best(rd,plugged)"]
)
def test_specs_are_seen_through(spec: str, strange: Path):
    (what,) = registry.reaches(spec)
    assert "import the module 'strange'" in what
    assert not strange.exists() and "strange" not in sys.modules


@pytest.mark.parametrize(
    "spec", ["mgcce", "cvx", "cvx:objective=gini", "mix(prd)", "nonsense(", "plugge"]
)
def test_our_own_solvers_reach_nothing(spec: str):
    assert registry.reaches(spec) == ()
    assert all(registry.reaches(name) == () for name in ("openspiel_jpsro", "nes"))


def test_a_function_of_the_script_is_its_own():
    assert get("cvx").reaches == ()
    assert type(get("cvx"))(objective=lambda joint, game: 0).reaches == ()


def test_only_an_address_is_connected_to():
    assert executor_specs.reaches("ray:jobs=2,address=10.0.0.1:6379") == (
        "connect to the cluster at '10.0.0.1:6379'",
    )
    assert not [
        s for s in ("ray", "processes:jobs=2", "ry") if executor_specs.reaches(s)
    ]


def test_a_resume_asks_first_and_then_goes_on_bit_for_bit(
    strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asked = ["--game", "kuhn_poker", "--solver", SPECS[0], "--quiet"]
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert run(psro, *asked, "--iterations", 3, "--out", whole) == 0
    assert run(psro, *asked, "--iterations", 1, "--out", half) == 0
    strange.unlink()
    del sys.modules["strange"]
    more = ["--out", half, "--resume", "--iterations", 3, "--quiet"]
    before = (half / "config.json").read_bytes(), (half / "metrics.jsonl").read_bytes()
    assert run(psro, *more) == 2
    assert one_sentence(capsys.readouterr().err) and not strange.exists()
    after = (half / "config.json").read_bytes(), (half / "metrics.jsonl").read_bytes()
    assert before == after
    assert run(psro, *more, "--solver", SPECS[0].replace("spread", "other")) == 2
    assert "must stay" in capsys.readouterr().err and not strange.exists()
    assert run(psro, *more, "--trust") == 0 and strange.exists()
    games = [files.read_arrays(f / "meta_game.npz")[1] for f in (whole, half)]
    assert all((games[0][name] == games[1][name]).all() for name in games[0])


def test_what_is_given_on_the_command_line_is_the_users(strange: Path, tmp_path: Path):
    out = tmp_path / "run"
    file = tmp_path / "fields.yaml"
    file.write_text(f"solver: {SPECS[1]}\n")
    given = ["--game", "kuhn_poker", "--iterations", 0, "--quiet", "--out", out]
    assert run(psro, *given, "--config", file, "--solver", "mgcce") == 0
    assert not strange.exists()
    assert run(psro, "--out", out, "--resume", "--quiet", "--solver", "mgcce") == 0


def test_a_grid_that_remembers_solvers_asks_for_each(strange: Path, tmp_path: Path):
    wanted = bargaining.Config(grid=True, explorations=("rd", SPECS[0]))
    record(tmp_path, wanted)
    now = replace(wanted, explorations=("rd",))
    with pytest.raises(UserError, match="--explorations must be trusted to import"):
        widened(tmp_path, now, lists=("explorations",))
    now = replace(now, run=replace(now.run, trust=True))
    wide = widened(tmp_path, now, lists=("explorations",))
    assert wide.explorations == ("rd", SPECS[0]) and not strange.exists()


def test_alternatives_hide_nothing(
    strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "fields.yaml"
    spec = "cvx:equilibrium=ce|cce,objective=strange:spread"
    file.write_text(yaml.safe_dump({"solvers": [spec]}))
    assert run(contents.module("compare"), "--config", file) == 2
    assert one_sentence(capsys.readouterr().err) and not strange.exists()


def test_what_a_resume_names_again_is_typed_now(
    strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    compare, spec = contents.module("compare"), "strange:Newest"
    code = "from meta_solvers.baselines import Last\n\nclass Newest(Last):\n    pass\n"
    (tmp_path / "strange.py").write_text(CODE + code)
    words = ("--iterations", 0, "--seeds", 1, "--quiet", "--out", tmp_path / "run")
    assert run(compare, "--games", "kuhn_poker", "--solvers", spec, *words) == 0
    strange.unlink()
    sys.modules.pop("strange")
    assert run(compare, "--resume", "--solvers", "uniform", *words) == 2
    assert one_sentence(capsys.readouterr().err) and not strange.exists()
    assert run(compare, "--resume", "--solvers", spec, "uniform", *words) == 0
    assert run(compare, "--resume", *words) == 2
    assert run(compare, "--resume", "--trust", *words) == 0


def test_a_file_cannot_trust_itself(
    strange: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "fields.yaml"
    file.write_text(f"solver: {SPECS[0]}\ntrust: true\n")
    assert run(psro, "--config", file) == 2
    assert "must not set trust" in capsys.readouterr().err and not strange.exists()


def test_the_page_of_a_run_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert all(page_of(contents.module(p).Config) == p for p in contents.pages())
    out = tmp_path / "run"
    assert run(psro, "--game", "kuhn_poker", "--iterations", 0, "--out", out) == 0
    capsys.readouterr()
    assert run(contents.module("demo"), "--out", out, "--resume") == 2
    error = capsys.readouterr().err
    assert "must be a run of the page demo; it is one of psro" in error
