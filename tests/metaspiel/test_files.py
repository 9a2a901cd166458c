"""Files reach the disk whole, unchanged, through no link; else a sentence says so."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metaspiel import files
from metaspiel.nfg.errors import UserError

ARRAYS = {"x": np.arange(6.0)[::2], "flag": np.zeros((2, 3), bool), "one": np.int64(4)}
FACTS = {"limit": float("inf"), "sizes": [1, 2], "none": None}


def strict(text: str) -> object:
    def fail(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text, parse_constant=fail)


def test_a_file_is_whole_or_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = tmp_path / "a.txt"
    files.write_text(place, "old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("write", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match=r"a\.txt") as caught:
                files.write_text(place, "new")
        assert caught.value.errno == errno.ENOSPC
        assert place.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_links_are_never_written_through(tmp_path: Path):
    outside, run = tmp_path / "precious", tmp_path / "run"
    outside.write_text("precious")
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (run / name).symlink_to(outside)
    files.write_json(run / "config.json", {})
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        files.append_text(run / "metrics.jsonl", "row\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl' must be a file.*a link"):
        files.tidy(run)
    assert outside.read_text() == "precious"


def test_what_killed_writers_left_goes_away(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".writing-12").write_text("half")
    (tmp_path / ".writing-34").mkdir()
    (tmp_path / ".writing-34" / "state.json").write_text("{")
    (tmp_path / "deep" / "kept").write_text("whole")
    files.tidy(tmp_path)
    assert [p.name for p in tmp_path.rglob("*")] == ["deep", "kept"]


def test_a_folder_that_fails_is_not_there(tmp_path: Path):
    place = tmp_path / "at" / "000001"
    with pytest.raises(ZeroDivisionError), files.new_folder(place) as aside:
        files.write_text(aside / "state", "half")
        raise ZeroDivisionError
    assert not list(place.parent.iterdir())


def filled(place: Path, text: str) -> None:
    with files.new_folder(place) as aside:
        for name in ("state", "rows"):
            files.write_text(aside / name, text)
        files.seal_folder(aside, {"who": text})


CALLS = ("mkdir", "open", "write", "fsync", "close", "rename", "replace", "unlink",
         "rmdir", "lstat", "stat", "scandir", "listdir")  # fmt: skip


def breaking(patch: pytest.MonkeyPatch, at: int, kill: bool = False) -> list[str]:
    """Makes the call ``at`` of all to ``os`` fail, or it and all after it."""
    made: list[str] = []

    def wrapped(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **words: object) -> object:
            made.append(name)
            if len(made) == at + 1 or (kill and len(made) > at):
                if name == "close":
                    real(*args, **words)
                raise OSError(errno.EIO, "Input/output error")
            return real(*args, **words)

        patch.setattr(os, name, call)

    for name in CALLS:
        wrapped(name)
    return made


@pytest.mark.parametrize("kill", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("before", [False, True], ids=["new", "replaced"])
def test_a_folder_is_whole_whichever_call_fails(
    tmp_path: Path, before: bool, kill: bool
):
    at, outcomes = 0, set()
    while True:
        room = tmp_path / str(at)
        place = room / "000001"
        room.mkdir()
        if before:
            filled(place, "old")
        with pytest.MonkeyPatch.context() as patch:
            made = breaking(patch, at, kill)
            with suppress(OSError):
                filled(place, "new")
        there = files.numbered(room)
        left = {p.name for p in room.iterdir()} - {"000001"}
        assert all(name.startswith(files.ASIDE) for name in left)
        outcome = files.sealed_folder(place)["who"] if there else "none"
        outcomes.add(outcome)
        # Between the two renames a kill leaves none, an error the old one.
        assert outcome != "none" or kill or not before
        files.tidy(room)
        assert [p.name for p in room.iterdir()] == (["000001"] if there else [])
        if len(made) <= at:
            break
        at += 1
    assert at > 20 and outcomes >= {"new", "old" if before else "none"}


def test_a_folder_goes_away_as_a_whole(tmp_path: Path):
    at, outcomes = 0, set()
    while True:
        place = tmp_path / str(at) / "000001"
        filled(place, "old")
        with pytest.MonkeyPatch.context() as patch:
            made = breaking(patch, at, kill=True)
            try:
                files.remove_folder(place)
            except OSError as error:
                assert "000001" in str(error)
        outcomes.add(place.exists())
        assert not place.exists() or files.sealed_folder(place) == {"who": "old"}
        if len(made) <= at:
            break
        at += 1
    assert outcomes == {True, False}


def test_a_sealed_folder_holds_what_it_held(tmp_path: Path):
    place = tmp_path / "000001"
    filled(place, "first")
    assert files.sealed_folder(place) == {"who": "first"}
    (place / "more").write_text("x")
    with pytest.raises(UserError, match="it was changed"):
        files.sealed_folder(place)
    (place / "more").unlink()
    (place / "state").write_text("third")
    with pytest.raises(UserError, match="it was changed"):
        files.sealed_folder(place)
    with pytest.raises(UserError, match="no fact may be named 'files'"):
        files.seal_folder(place, {"files": 1})


def test_json_has_one_spelling_of_infinity(tmp_path: Path):
    place = tmp_path / "a.json"
    value = {"up": float("inf"), "down": [-float("inf")], "no": float("nan"), "n": None}
    files.write_json(place, value)
    assert strict(place.read_text()) == {
        "up": "Infinity",
        "down": ["-Infinity"],
        "no": None,
        "n": None,
    }
    assert files.read_json(place) == value | {"no": None}
    files.write_json(place, value, nan="NaN")
    strict(place.read_text())
    read = files.read_json(place)
    assert np.isnan(read["no"]) and read["n"] is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 5000,
        b"1e999",
        b'{"a": 1} x',
    ],
)
def test_unreadable_json_gets_one_sentence(tmp_path: Path, content: bytes):
    place = tmp_path / "a.json"
    place.write_bytes(content)
    for read in (files.read_json, files.read_sealed):
        with pytest.raises(UserError, match=r"a\.json' must be readable") as caught:
            read(place)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    with pytest.raises(UserError, match="must be readable JSON"):
        files.read_json(tmp_path / "none")


@pytest.mark.parametrize("value", [{"a": 1.5, "b": float("inf")}, [1, 2, [3]], []])
def test_a_sealed_file_is_what_was_written(tmp_path: Path, value: object):
    place = tmp_path / "a.json"
    files.write_sealed(place, value, {"config": "x"})
    strict(place.read_text())
    assert files.read_sealed(place, {"config": "x"}) == value
    with pytest.raises(UserError, match="that of another run"):
        files.read_sealed(place, {"config": "y"})
    place.rename(tmp_path / "b.json")
    with pytest.raises(UserError, match="that of another run"):
        files.read_sealed(tmp_path / "b.json", {"config": "x"})
    files.write_json(place, {"a": 1})
    with pytest.raises(UserError, match="must hold a seal"):
        files.read_sealed(place)
    place.write_text("[" * 900 + "]" * 900)
    with pytest.raises(UserError):
        files.read_sealed(place)


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_every_changed_bit_of_arrays_is_noticed(tmp_path: Path, name: str):
    place = tmp_path / name
    files.write_arrays(place, ARRAYS, FACTS)
    facts, arrays = files.read_arrays(place)
    assert facts == FACTS and set(arrays) == set(ARRAYS)
    for key, array in ARRAYS.items():
        assert arrays[key].dtype == array.dtype and arrays[key].shape == array.shape
        assert arrays[key].tobytes() == np.ascontiguousarray(array).tobytes()
    whole = place.read_bytes()
    rng, silent = np.random.default_rng(0), 0
    for at in rng.integers(len(whole), size=150):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        place.write_bytes(changed)
        try:
            again = files.read_arrays(place)
        except UserError as error:
            assert "\n" not in str(error)
            continue
        # Padding of an archive may change: what is read may not.
        silent += 1
        assert again[0] == facts
        assert {k: v.tobytes() for k, v in again[1].items()} == {
            k: v.tobytes() for k, v in arrays.items()
        }
    assert silent < 75
    place.write_bytes(whole[:-7])
    with pytest.raises(UserError, match=r"must be a (whole|readable)"):
        files.read_arrays(place)


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_arrays_are_not_awaited_from_a_pipe(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)  # reading it would wait for a writer
    with pytest.raises(UserError, match="there is no such file"):
        files.read_arrays(tmp_path / name)


def test_arrays_without_a_checksum_are_for_users_only(tmp_path: Path):
    place = tmp_path / "a.npz"
    np.savez(place, x=np.ones(2))
    with pytest.raises(UserError, match="must hold a checksum"):
        files.read_arrays(place)
    assert files.read_arrays(place, unsealed=True)[1]["x"].sum() == 2
    with open(place, "wb") as file:
        np.save(file, np.ones(2))
    with pytest.raises(UserError, match="one array"):
        files.read_arrays(place)


WORDS = {"Infinity", "-Infinity", "NaN"}
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from([*WORDS, "seal", "value"]))
NAMES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["facts", "file", "allow_pickle", "seal", "a", "a.npy", "a/b"]),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.one_of(TEXTS, st.just("list")), inner, max_size=3)
    ),
    max_leaves=8,
)


def texts(value: object) -> set[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {value} if isinstance(value, str) else set()


def same(one: object, two: object) -> bool:
    """Equal, and of one type throughout."""
    return json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)


@given(VALUES)
@example({"a": "Infinity"})
@example({"a": float("-inf")})
@example({"list": [1]})
@example({"value": 1})
@example({"value": {"value": 1}})
@example({"seal": 1, "a": 2})
@example({"value": 1, "seal": 2})
def test_what_is_sealed_is_what_is_read(value: object):
    with tempfile.TemporaryDirectory() as room:
        place = Path(room) / "a.json"
        if texts(value) & WORDS:
            with pytest.raises(UserError, match="which stand for numbers"):
                files.write_sealed(place, value)
            return
        files.write_sealed(place, value, {"config": "x"})
        strict(place.read_text())
        assert same(files.read_sealed(place, {"config": "x"}), value)


@given(
    st.dictionaries(NAMES, st.integers(0, 3), max_size=3),
    st.dictionaries(NAMES, VALUES, max_size=2),
    st.sampled_from(["a.npz", "a.safetensors"]),
)
@example({"facts": 1}, {}, "a.npz")
@example({"file": 1}, {}, "a.npz")
@example({"a": 1, "a.npy": 2}, {}, "a.npz")
@example({"__metadata__": 1}, {}, "a.safetensors")
@example({}, {"sha256": "x"}, "a.npz")
@example({"a": 1}, {"limit": "NaN"}, "a.safetensors")
def test_arrays_have_any_names_that_are_not_refused(
    sizes: dict[str, int], facts: dict[str, object], name: str
):
    arrays = {key: np.arange(float(size)) for key, size in sizes.items()}
    with tempfile.TemporaryDirectory() as room:
        place = Path(room) / name
        try:
            files.write_arrays(place, arrays, facts)
        except UserError:
            odd = (
                k in TAKEN or k.endswith(".npy") or not k.isprintable() for k in arrays
            )
            assert any(odd) or "sha256" in facts or texts(facts) & WORDS
            assert not place.exists()
            return
        read_facts, read = files.read_arrays(place)
        assert same(read_facts, facts) and read.keys() == arrays.keys()
        assert all(np.array_equal(read[k], arrays[k]) for k in arrays)


TAKEN = ("facts", "file", "allow_pickle", "__metadata__")
WINDOWS = """
import os, sys
for name in ("O_NOFOLLOW", "O_DIRECTORY"):
    delattr(os, name)
sys.modules["fcntl"] = None
from pathlib import Path
from metaspiel import cli, files
files.write_text(Path(sys.argv[1]) / "a.txt", "x")
with files.new_folder(Path(sys.argv[1]) / "folder") as aside:
    files.append_text(aside / "b", "x")
sys.argv[1:] = ["--help"]
sys.exit(cli.main())
"""


def test_files_and_help_need_no_posix(tmp_path: Path):
    words = [sys.executable, "-c", WINDOWS, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"a.txt", "folder"}
