"""The YAML file of --config holds a small tree of plain fields, or is refused."""

import time

import pytest

from experiments import solve
from experiments.lab import page
from experiments.lab.page import main
from experiments.lab.yaml_file import read_fields
from metaspiel.nfg.errors import UserError

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n"
    for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed: " + "1" * 5000, "numbers of fewer digits"),
        ("[" * 5000, "nested too deeply in line 1"),
        ("{" * 90_000, "nested too deeply"),
        (BOMB, "an alias does not belong here in line 2"),
        ("seed: 1\nseed: 2", "'seed' is given twice in line 2"),
        ("run: {json: true, json: false}", "'json' is given twice"),
        (
            "seed: !!python/object:os.system x",
            "object:os.system' does not belong",
        ),
        ("seed: !!int ''", "the tag"),
        ("seed: !!bool x", "the tag"),
        (b"seed: \xff", "must be text in UTF-8"),
        ("seed: [1", "expected ',' or ']'"),
        ("- 1", "must hold fields; got [1]"),
        ("x" * 200_000, "at most 100000 characters"),
        ("? [a]\n: 1", "unhashable key"),
        ("seed: 1\n---\nseed: 2", "another document"),
        ('seed: "\\x', "in line 1"),
    ],
)
def test_what_no_configuration_is(tmp_path, text, sentence):
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    begin = time.process_time()
    with pytest.raises(UserError) as caught:
        read_fields(path)
    assert time.process_time() - begin < 2
    assert sentence in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("memory_gb: 1\nmemory-gb: 2", "memory_gb"),
        ("memory-gb: 1\nrun: {memory_gb: 1}", "memory_gb"),
        ("json: true\nrun: {json: false}", "json"),
        ("run: {json: true}\njson:", "json"),
    ],
)
def test_a_field_in_two_spellings_is_given_twice(tmp_path, capsys, text, name):
    (tmp_path / "c.yaml").write_text(text)
    words = ["--game", "chicken", "--config", str(tmp_path / "c.yaml")]
    assert main(solve.page, solve.Config, words) == 2
    assert f"c.yaml': {name} is given twice" in capsys.readouterr().err


def test_a_group_in_two_spellings_is_one(tmp_path):
    given = {"run": {"a": 1}, "in-ner": {"rate": 2}, "in_ner": {"size": 3}}
    known = {"a": 0, "in_ner.rate": 0, "in_ner.size": 0}
    flat = {"a": 1, "in_ner.rate": 2, "in_ner.size": 3}
    assert page.flat(given, known, "here") == flat
    with pytest.raises(UserError, match="rate is given twice"):
        page.flat({**given, "in_ner.rate": 2}, known, "here")


def test_plain_fields_in_any_encoding(tmp_path):
    text = (
        "seed: -3\nrate: 1.5e-3\nname: chicken\nrun: {json: yes}\nnone:\nall: [1, ~]\n"
    )
    known = {"seed": -3, "rate": 0.0015, "name": "chicken", "run": {"json": True},
             "none": None, "all": [1, None]}  # fmt: skip
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "c.yaml").write_bytes(text.encode(encoding))
        assert read_fields(tmp_path / "c.yaml") == known


@pytest.mark.parametrize("text", ["", "# a comment\n", "null\n", "---\n"])
def test_an_empty_file_sets_nothing(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    assert read_fields(tmp_path / "c.yaml") == {}


def test_numbers_are_decimal_and_dates_and_merges_are_text(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "a: 1_000\nb: 1:30\nc: 2020-01-01\nd: 010\n<<: x\n"
    )
    assert read_fields(tmp_path / "c.yaml") == {
        "a": "1_000", "b": "1:30", "c": "2020-01-01", "d": "010", "<<": "x"
    }  # fmt: skip


def test_a_nul_in_a_field_is_a_sentence(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text('payoffs: "a\\0b.csv"\n')
    assert main(solve.page, solve.Config, ["--config", str(tmp_path / "c.yaml")]) == 2
    assert "payoffs must hold no NUL" in capsys.readouterr().err
