"""Files reach the disk whole, unchanged, through no link; else a sentence says so."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

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


def test_a_folder_is_whole_or_absent(tmp_path: Path):
    place = tmp_path / "at" / "000001"
    with pytest.raises(ZeroDivisionError), files.new_folder(place) as aside:
        files.write_text(aside / "state", "half")
        raise ZeroDivisionError
    assert not list(place.parent.iterdir())
    for text in ("first", "second"):
        with files.new_folder(place) as aside:
            files.write_text(aside / "state", text)
            files.seal_folder(aside, {"who": text})
        assert files.sealed_folder(place) == {"who": text}
    assert [p.name for p in files.numbered(place.parent)] == ["000001"]
    (place / "more").write_text("x")
    with pytest.raises(UserError, match="it was changed"):
        files.sealed_folder(place)
    (place / "more").unlink()
    (place / "state").write_text("third")
    with pytest.raises(UserError, match="it was changed"):
        files.sealed_folder(place)


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
    with pytest.raises(UserError, match="must be a whole"):
        files.read_arrays(place)


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
