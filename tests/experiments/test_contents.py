"""Pages by name: one word, or two that name a page together."""

import pytest

from experiments import contents
from experiments.lab.ending import Keeping, guarded
from experiments.lab.interrupts import begins_with
from metaspiel import cli
from psro.executor import WorkerLost


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        (["psro", "--seed", "1"], "psro", ["--seed", "1"]),
        (["matrl", "grid", "--json"], "matrl grid", ["--json"]),
        (["matrl_grid", "--json"], "matrl_grid", ["--json"]),
        (["neupl", "grid"], "neupl grid", []),  # though neupl is a page as well
        (["neupl", "gird"], "neupl", ["gird"]),
        (["mra", "adapt", "run", "--json"], "mra adapt", ["run", "--json"]),
        (["mra", "trian"], "mra trian", []),
        (["mra"], "mra", []),
        (["--help"], "--help", []),
    ],
)
def test_two_words_name_a_page_together(words, name, rest):
    assert contents.named(words) == (name, rest)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mra", "trian"], "unknown page 'mra_trian' (did you mean 'mra_train'?)"),
        (["matrl", "gird"], "unknown page 'matrl_gird' (did you mean 'matrl_grid'?)"),
        (["slove", "--game"], "unknown page 'slove' (did you mean 'solve'?)"),
        (["matrl", "grid", "x"], "metaspiel matrl grid: flags begin with --; got 'x'"),
    ],
)
def test_what_names_no_page_is_told_the_nearest(words, sentence, capsys):
    assert contents.main("metaspiel", words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_a_wing_alone_lists_its_pages(capsys):
    for words in (["mra"], ["mra", "--help"]):
        assert contents.main("metaspiel", words) == 0
        text = capsys.readouterr().out
        assert "mra_train" in text and "mra_grid" in text and "matrl_pong" not in text


def test_help_shows_the_words_as_they_were_typed(capsys):
    with pytest.raises(SystemExit):
        contents.main("metaspiel", ["mra", "adapt", "--help"])
    text = capsys.readouterr().out
    assert "usage: metaspiel mra adapt" in text
    assert text.count("\nExample: metaspiel mra adapt") == 2  # each on its own line
    assert contents.main("metaspiel", []) == 0
    listing = capsys.readouterr().out
    assert "mra_adapt" in listing and "matrl_grid may be written matrl grid" in listing


def test_a_first_word_is_the_value_of_a_field_that_may_have_it():
    from experiments.lab.page import with_first
    from experiments.mra.adapt_config import Config
    from experiments.mra.grid_config import Config as Grid

    assert with_first(Config, ["a", "--json"]) == ["--from-run", "a", "--json"]
    assert with_first(Config, ["--from-run", "a"]) == ["--from-run", "a"]
    assert with_first(Config, []) == []
    assert with_first(Grid, ["a"]) == ["a"]


def test_completion_knows_every_page(capsys):
    with pytest.raises(SystemExit) as ended:
        contents.main("metaspiel", ["--tyro-print-completion", "bash"])
    assert not ended.value.code
    script = capsys.readouterr().out
    assert all(name in script for name in contents.pages())


def test_an_interrupt_while_the_pages_load_is_one_sentence(capsys, monkeypatch):
    def interrupted(program: str) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(contents, "main", interrupted)
    assert cli.main() == 130
    assert capsys.readouterr().err == "interrupted: nothing was begun\n"


@pytest.mark.parametrize("how", ["itself", "through a module in C"])
def test_an_interrupt_of_a_page_is_one_sentence(capsys, tmp_path, how):
    def action() -> None:
        begins_with(tmp_path / "config.json")
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if how == "itself":
                raise
            raise ImportError("initialization failed") from error

    def said(**keeping: bool) -> str:
        assert guarded(action, Keeping(**keeping)) == 130
        return capsys.readouterr().err

    assert said() == "interrupted: there is no answer\n"
    assert said(folder=True) == "interrupted: nothing was begun\n"
    (tmp_path / "config.json").touch()
    kept = "interrupted: what is finished is kept"
    assert said(folder=True) == f"{kept} in {tmp_path}\n"
    on = f"--out {tmp_path} --resume goes on"
    assert said(folder=True, resumes=True) == f"{kept}; {on}\n"


def test_lost_workers_leave_a_folder_to_go_on_with(capsys, tmp_path):
    def action() -> None:
        (tmp_path / "config.json").touch()
        begins_with(tmp_path / "config.json")
        raise WorkerLost("it died")

    assert guarded(action, Keeping(folder=True, resumes=True)) == 1
    said = f"error: it died; --out {tmp_path} --resume goes on\n"
    assert capsys.readouterr().err == said


def test_an_import_that_fails_is_a_fault():
    def action() -> None:
        raise ImportError("no such module")

    with pytest.raises(ImportError, match="no such module"):
        guarded(action)
