"""Nested configurations: flags with a dot, YAML that nests, a resume that compares."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from experiments.lab.folder import binding, claim, record, stored
from experiments.lab.options import Flat, Parallel, Stateful
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.learn.ppo import PPO
from metaspiel.nfg.errors import UserError

ROOT = Path(__file__).parents[2]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A value in a value.

    Attributes:
      sizes: of something.
      rate: of something else; none where it is None.
    """

    sizes: tuple[int, ...] = (1, 2)
    rate: float | None = 0.5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a page."""

    may_change: ClassVar[tuple[str, ...]] = ("seeds",)

    seeds: int = 1
    """How many."""
    ppo: PPO = PPO(batch=400)
    """The learner."""
    inner: Inner = Inner()
    run: Flat[Parallel] = Parallel()


def page(config: Config) -> Answer:
    with claim(config.run, "nested") as folder:
        record(folder, config)
    return Answer(summary=asdict(config), text=f"batch {config.ppo.batch}")


def plain_page(config: Inner) -> Answer:
    return Answer(summary=asdict(config), text=f"rate {config.rate}")


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The page with these words, in a folder; what it says, errors included."""

    def called(*words: str, code: int = 0) -> str:
        arguments = ["--out", str(tmp_path / "run"), *words]
        assert main(page, Config, arguments) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return called


def test_a_group_has_flags_with_a_dot(call: Callable[..., str]):
    assert call("--ppo.batch", "800") == "batch 800\n"


def test_the_groups_own_check_is_the_sentence(call: Callable[..., str]):
    error = call("--ppo.batch", "0", code=2)
    assert error == "error: --ppo.batch must be at least 1; got 0\n"
    assert call("--jobs", "0", code=2).startswith("error: --jobs must be at least 1")


def test_yaml_nests_as_flags_do(call: Callable[..., str], tmp_path: Path):
    file = tmp_path / "fields.yaml"
    file.write_text("seeds: 2\nquiet: true\nppo:\n  batch: 1200\n  target-kl: 0.3\n")
    assert call("--config", str(file), "--ppo.clip", "0.3") == "batch 1200\n"
    fields = stored(tmp_path / "run")
    assert (fields["seeds"], fields["ppo"]["batch"]) == (2, 1200)
    assert (fields["ppo"]["target_kl"], fields["ppo"]["clip"]) == (0.3, 0.3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ppo:\n  btach: 3\n", "did you mean 'ppo.batch'"),
        ("ppo: 3\n", "ppo must hold fields; got 3"),
        ("run: 3\n", "run must hold fields; got 3"),
        ("resume: true\n", "must not set resume"),
        ("inner:\n  rate: [1]\n", "inner.rate must be a number or None; got [1]"),
        ("seeds: null\n", "seeds must be a whole number; got None"),
        ("ppo:\n  batch: null\n", "ppo.batch must be a whole number; got None"),
    ],
)
def test_a_wrong_field_is_named_with_its_group(
    call: Callable[..., str], tmp_path: Path, text: str, sentence: str
):
    file = tmp_path / "fields.yaml"
    file.write_text(text)
    error = call("--config", str(file), code=2)
    assert sentence in error and error.count("\n") == 1


def test_a_resume_keeps_nested_fields_and_refuses_others(
    call: Callable[..., str], tmp_path: Path
):
    call("--ppo.batch", "800", "--inner.rate", "None", "--inner.sizes", "3")
    assert call("--resume", "--seeds", "3", "--jobs", "2") == "batch 800\n"
    fields = stored(tmp_path / "run")
    assert fields["inner"] == {"sizes": [3], "rate": None} and fields["seeds"] == 3
    error = call("--resume", "--ppo.batch", "1200", code=2)
    assert "--ppo.batch must stay" in error and "800; got 1200" in error
    error = call("--resume", "--inner.rate", "0.5", code=2)
    assert "--inner.rate must stay" in error


def test_results_belong_to_what_decides_them():
    usual = Config()
    assert binding(usual) == binding(Config(seeds=9, run=Parallel(jobs=2)))
    assert binding(usual) != binding(Config(inner=Inner(rate=0.1)))


def test_a_state_is_chosen_for_a_resumed_run_only():
    with pytest.raises(UserError, match="goes with --out FOLDER --resume"):
        Stateful(resume_from="previous")
    assert Stateful(resume_from="previous", resume=True).resumes


def test_an_empty_list_is_a_list(call: Callable[..., str], tmp_path: Path):
    file = tmp_path / "fields.yaml"
    file.write_text("inner:\n  sizes: []\n  rate: null\n")
    call("--config", str(file))
    assert stored(tmp_path / "run")["inner"] == {"sizes": [], "rate": None}
    call("--resume")
    assert stored(tmp_path / "run")["inner"] == {"sizes": [], "rate": None}


def test_a_run_of_another_version_is_refused_as_such(
    call: Callable[..., str], tmp_path: Path
):
    call()
    fields = stored(tmp_path / "run") | {"device": "cpu"}
    files.write_sealed(tmp_path / "run" / "config.json", fields)
    error = call("--resume", code=2)
    assert "another version made it" in error and error.count("\n") == 1
    del fields["device"], fields["inner"]["rate"]
    files.write_sealed(tmp_path / "run" / "config.json", fields)
    error = call("--resume", code=2)
    assert "(it knows no inner.rate)" in error and error.count("\n") == 1


def test_a_page_without_options_prints_its_answer(capsys: pytest.CaptureFixture[str]):
    assert main(plain_page, Inner, ["--rate", "2"]) == 0
    assert capsys.readouterr().out == "rate 2.0\n"


LOUD = """
import os, sys, time
from dataclasses import dataclass
from experiments.lab.options import Flat, Printing
from experiments.lab.page import Answer, main

@dataclass(frozen=True, kw_only=True)
class Config:
    run: Flat[Printing] = Printing()

def page(config):
    os.write(1, b"a banner of a library\\n")
    for _ in range(200):
        config.run.say("progress " * 100)
    open(sys.argv[-1], "w").write("done")
    sys.argv.pop()
    return Answer(summary={"n": 1}, text="the end")

words = sys.argv[1:-1]
sys.exit(main(page, Config, words))
"""


def loud(folder: Path, *words: str, **streams: Any) -> "subprocess.Popen[str]":
    """A page that talks much, in a process of its own; it leaves the file "done"."""
    (folder / "loud.py").write_text(LOUD)
    command = [sys.executable, str(folder / "loud.py"), *words, str(folder / "done")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(command, text=True, cwd=ROOT, env=HERE, **pipes)


def test_json_is_alone_on_stdout_whatever_libraries_print(tmp_path: Path):
    out, errors = loud(tmp_path, "--json").communicate()
    assert json.loads(out) == {"n": 1} and "a banner" in errors


def test_a_reader_that_leaves_ends_no_run(tmp_path: Path):
    page = loud(tmp_path)
    assert page.stdout is not None and page.stdout.readline().startswith("progress")
    page.stdout.close()
    _, errors = page.communicate()
    assert page.returncode == 0 and (tmp_path / "done").exists()
    assert "Traceback" not in errors and "Broken" not in errors


def test_a_full_disk_of_the_output_is_named(tmp_path: Path):
    with open("/dev/full", "w") as full:
        page = loud(tmp_path, "--json", stdout=full)
        _, errors = page.communicate()
    assert page.returncode == 2 and errors.count("error: ") == 1
    assert "the standard output" in errors


def test_quiet_leaves_the_answer(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(page, Config, ["--quiet"]) == 0
    assert capsys.readouterr() == ("batch 400\n", "")
    assert main(page, Config, []) == 0
    assert capsys.readouterr() == ("batch 400\n", "writing to runs/nested-2\n")
    assert main(page, Config, ["--json"]) == 0
    said = capsys.readouterr()
    assert not said.err and json.loads(said.out)["seeds"] == 1
    assert main(page, Config, ["--out", "mine"]) == 0  # whoever names it knows it
    assert capsys.readouterr() == ("batch 400\n", "")


def test_quiet_may_leave_less(capsys):
    answer = Answer(summary=None, text="\nall of it", terse="")
    answer.tell(Parallel(quiet=True))
    replace(answer, terse="a part").tell(Parallel(quiet=True))
    answer.tell(Parallel())
    assert capsys.readouterr().out == "all of it\na part\n\nall of it\n"
