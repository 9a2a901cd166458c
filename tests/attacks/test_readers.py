"""No reader ends in anything but an answer or one sentence, whatever it is given."""

import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_readers import Reader, faults, readers

GROWTH = 600_000  # kB that all inputs of a reader may add to the peak of the process


def wrong(reader: Reader, count: int, seed: int) -> list[str]:
    """Faults; the memory that the inputs took must be bounded as well."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = list(faults(reader, count, seed))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(ended) == count and after - before < GROWTH
    return [one for one in ended if one not in ("read", "refused")]


def test_a_few_inputs_of_every_reader():
    for reader in readers():
        assert not wrong(reader, 25, 0), reader.name


def test_a_reader_that_fails_or_says_too_much_is_noticed():
    broken = Reader("broken", (b"x",), lambda content, room: {}[content])
    assert all("KeyError" in one for one in faults(broken, 3))


@pytest.mark.slow
@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_many_inputs(reader: Reader):
    assert not wrong(reader, 1500, 1)
