"""Games from files: what shells, spreadsheets and strangers write."""

import io
import struct
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaspiel.nfg import UserError, load
from metaspiel.nfg.archives import read_archive
from metaspiel.nfg.gambit import parse
from metaspiel.nfg.gambit_tokens import Tokens
from metaspiel.nfg.number_text import number, numbers_in, rows_in
from metaspiel.nfg.reading import read
from metaspiel.nfg.tables import matrices

HEAD = 'NFG 1 R "t" { "a" "b" } '
LABELS = '{ { "x" "y" } { "x" "y" } }\n'


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(call, *words):
    """The sentence of an error that comes at once."""
    begin = time.process_time()
    with pytest.raises(UserError) as caught:
        call(*words)
    assert time.process_time() - begin < 2
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD + LABELS + '{ { "" 1 1 } { "" 2 2 } }\n1.9 2 2 1', "line 3; got '1.9'"),
        (HEAD + LABELS + '{ { "" 1 1 } { "" 2 2 } }\ninf 2 2 1', "line 3; got 'inf'"),
        (HEAD + LABELS + '{ { "" 1 1 } { "" 2 2 } }\n3 2 2 1', "number from 0 to"),
        (HEAD + LABELS + '{ { "" 1 } { "" 2 2 } }\n1 1 1 1', "got '}' for a payoff"),
        (HEAD + LABELS + '{ { 1 1 } }\n1 1 1 1', "the name of an outcome in quotes"),
        (HEAD + "{ ² 2 }\n1 1 2 2 3 3 4 4", "whole number >= 1, in line 1; got '²'"),
        (HEAD + f"{{ {'9' * 5000} 2 }}\n1 1", "whole number >= 1"),
        (HEAD + "{ 4000000000 4000000000 }\n1 1", "it is too short"),
        (HEAD + "{ 2 2 }\n1_000 1 2 2 3 3 4 4", "in line 2"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4\nnan", "'nan' for one of 8 payoffs in line 3"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4 1/0", "got '1/0'"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4 1e999", "got '1e999'"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4-1 4", "got '4-1'"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4 4\n5", "got more, the first in line 3"),
        (HEAD + "{ 2 2 }\n1 1 2 2 3 3 4 4 }", "got '}'"),
        (f'NFG 1 R "t" {{ {"p " * 65} }} {{ {"1 " * 65} }} 1', "1 to 63 players"),
        ('NFG 1 R "' + '\\"' * 60_000, "must close every quote; that of line 1"),
        ('NFG 1 R ' + '"' * 120_001, "title"),
        (HEAD + "{" * 100_000, "a name"),
    ],
)  # fmt: skip
def test_a_bad_nfg_is_one_sentence_with_its_line(text, sentence):
    if sentence == "title":  # a player's name stands where its brace belongs
        sentence = "must have '{' in line 1"
    assert sentence in refused(parse, text)


def test_nfg_in_every_encoding_and_case(tmp_path):
    text = HEAD + "{ 2 2 }\n1 1 2 2 3 3 4 4\n"
    known = [[[1, 3], [2, 4]]] * 2
    for number_, encoding in enumerate(("utf-8", "utf-8-sig", "utf-16", "utf-32")):
        path = written(tmp_path / f"{number_}.NFG", text.encode(encoding))
        assert load(path).payoffs.tolist() == known
    path = written(tmp_path / "latin.nfg", HEAD.replace('"a"', '"ä"').encode("latin-1"))
    assert "must be text in UTF-8" in refused(load, path)


NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.tuples(st.integers(-99, 99), st.integers(1, 99)).map(lambda p: f"{p[0]}/{p[1]}"),
)


@given(st.lists(NUMBERS, max_size=20), st.sampled_from([" ", "\n", ", ", "\t"]))
def test_pieces_and_words_give_the_same_numbers(words, between):
    piece = numbers_in(between.join(words))
    assert piece is not None and piece.tolist() == [number(word) for word in words]


@given(st.lists(st.sampled_from(["1", "-", "+", ".", "e", "/", " ", "5"]), max_size=8))
def test_a_piece_is_never_read_otherwise_than_its_words(signs):
    text = "".join(signs)
    piece, words = numbers_in(text), [number(word) for word in text.split()]
    assert piece is None or piece.tolist() == words


NAMES = st.sampled_from(["", "o1", "a } b", "{", 'say \\"so\\"', "Ä"])


@given(st.lists(st.tuples(NAMES, NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_outcomes_at_once_are_those_read_one_by_one(table):
    text = " ".join(f'{{ "{name}" {one}, {two} }}' for name, one, two in table) + " }"
    values = [[number(one), number(two)] for _, one, two in table]
    tokens = Tokens(text, "a text")
    assert tokens.rows(2, "an outcome").tolist() == values
    tokens.end()
    fast = rows_in(text, 2)
    escapes = any("\\" in name for name, _, _ in table)
    assert (fast is None) == escapes
    assert fast is None or fast[0].tolist() == values


@pytest.mark.parametrize(
    "text",
    ['{ "a" 1 } { "b" 1 2 3 }', '{ 1 "a" 2 }', '{ "a" 1 "b" 2 }', '{ "a" 1 2 } 3 {'],
)
def test_outcomes_of_another_build_are_not_read_at_once(text):
    whole = rows_in(text, 2)
    assert whole is None or whole[0].tolist() == [[1, 2]]


def test_a_quote_in_a_name_and_commas():
    tokens = Tokens('"say \\"so\\"" {1,-2.5e1}', "a text")
    assert tokens.text("a name") == 'say "so"'
    tokens.open()
    assert (tokens.number("one"), tokens.number("two")) == (1.0, -25.0)
    assert tokens.closes() and tokens.next.kind == "end"


def test_a_large_nfg_takes_little_time_and_memory():
    size = 300
    body = " ".join(map(str, range(2 * size * size)))
    text = f'NFG 1 R "t" {{ "a" "b" }} {{ {size} {size} }} {body}'
    begin = time.process_time()
    game = parse(text)
    assert time.process_time() - begin < 5  # 0.1 s on an idle core
    assert game.payoffs[1, 1, 0] == 3 and game.payoffs[0, 0, 1] == 2 * size


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("1,2\n \n3,4", [[[1, 2]], [[3, 4]]]),
        ("1,2\r\n3,4\r\n", [[[1, 2], [3, 4]]]),
        ("1,2\r3,4\r", [[[1, 2], [3, 4]]]),
        ("1;2\n3;4\n;\n5;6\n7;8\n", [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
        ("1,5;2\n3;-4,25\n", [[[1.5, 2], [3, -4.25]]]),
        ("1\t0,5\n3\t4\n", [[[1, 0.5], [3, 4]]]),
        ("1.5\t2\t\n3\t4\t\n", [[[1.5, 2], [3, 4]]]),
        ("L,R\n1,2\n3,4\n", [[[1, 2], [3, 4]]]),
        (',L,R\nU,1,2\nD,3,4\n', [[[1, 2], [3, 4]]]),
        ("L;R\nU;1;2\nD;3;4\n", [[[1, 2], [3, 4]]]),
        (",0,1\n0,1.5,2.0\n1,3.0,4.0\n", [[[1.5, 2], [3, 4]]]),
        ("x;1;2\n1;3;4\n2;5;6\n", [[[3, 4], [5, 6]]]),
        ("me/you,0,1\n0,1.5,2\n1,3,4\n", [[[1.5, 2], [3, 4]]]),
        ("x,L\n1,2\n2,3\n", [[[1, 2], [2, 3]]]),
        ("x;1;2\nU;3;4\nD;5;6\n", [[[1, 2], [3, 4], [5, 6]]]),
        ("1;2\n1;3\n2;4\n", [[[1, 2], [1, 3], [2, 4]]]),
        ("1,5\n2,5\n", [[[1, 5], [2, 5]]]),
        ("x\n1\n2\n", [[[1], [2]]]),
        ("1.000;0.500\n3;4\n", [[[1, 0.5], [3, 4]]]),
        ("1.000\t2.50\n", [[[1, 2.5]]]),
        ("1.000;-1234.500\n", [[[1, -1234.5]]]),
        ("1.000,2.500\n3.000,4.250\n", [[[1, 2.5], [3, 4.25]]]),
        ('"1","2"\n" 3 ","1/2"\n', [[[1, 2], [3, 0.5]]]),
        ('"a; b";"c"\n1;2\n', [[[1, 2]]]),
        ("A,B\n1,2\n\nA,B\n3,4\n", [[[1, 2]], [[3, 4]]]),
        (",,\n,1,2\n,3,4\n", [[[1, 2], [3, 4]]]),
        ("7\n", [[[7]]]),
    ],
)  # fmt: skip
def test_tables_as_spreadsheets_write_them(text, known):
    assert [one.values.tolist() for one in matrices(text)] == known


def test_names_of_a_table_are_kept():
    (whole,) = matrices("agent,easy,hard\nfirst,1,2\nsecond,3,4\n")
    assert whole.rows == ("first", "second")
    assert whole.columns == ("easy", "hard")
    (heads,) = matrices("easy,hard\n1,2\n3,4\n")
    assert heads.rows == () and heads.columns == ("easy", "hard")
    (bare,) = matrices("1,2\n3,4\n")
    assert bare.rows == bare.columns == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,5;2\n1.5;3\n", "one decimal mark; got '1,5' and '1.5'"),
        ("1,500;2,250\n", "'1,500' may be 1.500 or 1500"),
        ("1.000;2.500\n3.000;4.250\n", "'1.000' may be 1.000 or 1000"),
        ("L\tR\n-12.345\t2\n", "whether a point is decimal; '-12.345' may be"),
        ("x;10;20\n1;3;4\n2;5;6\n", "got 'x'"),
        ("1,5;2\n3,4\n", "rows of one length"),
        ("1,2\n3;4\n", "rows of one length"),
        ("1,2\n3,\n", "rows of one length"),
        (",1\n2,3\n", "got ''"),
        ("nan,nan\n1,2\n", "got 'nan'"),
        ("1,L\n1,2\n", "got 'L'"),
        ("1 2\n3 4\n", "got '1 2'"),
        ("50%,1\n2,3\n", "got '50%'"),
        ("1_0,2\n3,4\n", "got '1_0'"),
        ("²,2\n3,4\n", "got '²'"),
        ('"1,2\n3,4\n', "unexpected end of data"),
        ("L,R\n", "must hold numbers"),
        (",\n ,\n", "got 0"),
        ("1,2,3;4\n5;6\n", "got '1,2,3'"),
        ("\0,1\n2,3\n", "got '\\x00'"),
    ],
)
def test_what_a_table_leaves_open_is_refused(text, sentence):
    assert sentence in refused(matrices, text)


def test_a_single_matrix_says_that_it_is_read_as_zero_sum(tmp_path):
    one = read(written(tmp_path / "one.CSV", "1,2\n3,4\n"))
    two = read(written(tmp_path / "two.csv", "1,2\n3,4\n\n1,2\n3,4\n"))
    assert "zero-sum" in one.assumed and two.assumed == ""
    assert one.game.payoffs[1].tolist() == [[-1, -2], [-3, -4]]


def archive(content, name="payoffs.npy", **more):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **more) as file:
        file.writestr(name, content)
    return made.getvalue()


def npy(shape, dtype="<f8", data=b""):
    made = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(made, about)
    return made.getvalue() + data


WHOLE = npy((2, 2, 2), data=bytes(64))


def spoilt(data, old, new):
    assert old in data
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("ending", "content", "sentence"),
    [
        (".npy", npy((10**6, 10**9)), "would unpack to 8e+06 GB, and memory_gb"),
        (".npy", npy((10**7,)), "as long as its header says, 80000000 bytes"),
        (".npy", npy((2, 2, 2), data=bytes(65)), "as long as its header says"),
        (".npy", npy((2,), "|O", bytes(16)), "must hold numbers; got object"),
        (".npy", npy((-2, -2), data=bytes(32)), "must hold numbers"),
        (".npy", npy((10**18,), "|V0"), "must hold numbers"),
        (".npy", spoilt(WHOLE, b"'descr'", b"'descr\0"), "must be a readable .npy"),
        (".npy", WHOLE[:8] + b"\0\0", "must be a readable .npy file"),
        (".npy", WHOLE[:6] + b"\x09\x09" + WHOLE[8:], "a header of an unknown version"),
        (".npz", WHOLE, "it is one array (.npy)"),
        (".npz", archive(npy((10**6, 10**6))), "would unpack to 8e+03 GB"),
        (".npz", archive(npy((10**7,))), "as long as its header says"),
        (".npz", archive(WHOLE, "payoffs"), "as no array"),
        (".npz", archive(WHOLE, "\u202ename\n.npy"), ""),
    ],
)
def test_damaged_and_hostile_arrays_are_one_sentence(
    tmp_path, ending, content, sentence
):
    path = written(tmp_path / f"game{ending}", content)
    if sentence:
        assert sentence in refused(load, path)
    else:  # the only array, whatever its name
        assert load(path).actions == (2, 2)


def test_archives_that_zip_cannot_unpack(tmp_path):
    whole = archive(WHOLE, compression=zipfile.ZIP_DEFLATED)
    central = whole.index(b"PK\x01\x02")
    bad = {
        "method": whole[: central + 10] + struct.pack("<H", 97) + whole[central + 12 :],
        "locked": whole[: central + 8] + struct.pack("<H", 1) + whole[central + 10 :],
        "deflate": whole[:45] + bytes(40) + whole[85:],
        "cut": whole[:-30],
    }
    for name, content in bad.items():
        path = written(tmp_path / f"{name}.npz", content)
        assert "must be a readable .npz file" in refused(load, path)


def test_an_archive_says_what_it_would_unpack_to_before_it_does(tmp_path):
    bomb = archive(npy((2, 900, 900), data=bytes(8 * 2 * 900**2)),
                   compression=zipfile.ZIP_DEFLATED)  # fmt: skip
    path = written(tmp_path / "bomb.npz", bomb)
    sentence = refused(load, path, 0.01)
    assert "it would unpack to 0.013 GB, and memory_gb allows 0.01" in sentence
    assert read_archive(path, ["none of these"]) == {}
    small = written(tmp_path / "small.npz", archive(WHOLE))
    assert load(small, memory_gb=1e-9).actions == (2, 2)  # no larger than the file


def test_a_header_that_lies_about_its_size_is_not_believed(tmp_path):
    """The archive says 1 MB, the array's header 8 GB, and the data go on for 50 MB."""
    whole = archive(npy((10**9,), data=bytes(50_000_000)),
                    compression=zipfile.ZIP_DEFLATED)  # fmt: skip
    central = whole.index(b"PK\x01\x02")
    small = struct.pack("<I", 10**6)
    lying = whole[: central + 24] + small + whole[central + 28 :]
    path = written(tmp_path / "lying.npz", lying)
    assert "would unpack to 8 GB" in refused(load, path)


def test_repeats_of_more_than_ten_players_keep_their_order(tmp_path):
    payoffs = np.zeros((11, *([1] * 10), 2))
    counts = {f"repeats_{p}": [p + 1] * (2 if p == 10 else 1) for p in range(11)}
    np.savez(tmp_path / "game.npz", payoffs=payoffs, **counts)
    game = load(tmp_path / "game.npz")
    assert [int(one[0]) for one in game.repeats] == list(range(1, 12))


def test_folders_pipes_and_names_that_are_no_text(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    assert "must be a file" in refused(load, tmp_path / "folder.npy")
    assert "must exist" in refused(load, tmp_path / "none.nfg")


def test_a_path_may_be_text(tmp_path):
    path = written(tmp_path / "g.csv", "1,2\n3,4\n")
    assert (load(str(path)).payoffs == load(path).payoffs).all()
