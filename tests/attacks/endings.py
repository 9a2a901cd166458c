"""Ends runs of every page in every way that a machine ends them, and resumes them.

Example: python tests/attacks/endings.py --out endings.md --page psro

A run is ended as it is about to make one of its files whole, the first, a middle or
the last one: by kill -9, by Ctrl-C, by SIGTERM, or by a disk that is full from then on.
What is right is an exit code (-9, 130, 130, 2) with one sentence that names what
happened, and a resume, or a new run in the same folder where nothing was begun yet,
that ends with the results of a run that was left alone.
"""

import argparse
import errno
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forks
from fingerprint import differing, results
from pages import PAGES, Page

HERE = Path(__file__).resolve().parent
SECONDS = 240.0
WRITING = os.O_WRONLY | os.O_RDWR
POINTS = ("first", "middle", "last")


@dataclass(frozen=True)
class Way:
    """One way to end a run: what happens, and what has to be left."""

    name: str
    code: int
    says: str
    happen: Callable[[str], None]


def _sent(number: signal.Signals) -> Callable[[str], None]:
    return lambda path: os.kill(os.getpid(), number)


def _full(path: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


WAYS = (
    Way("kill -9", -9, "", _sent(signal.SIGKILL)),
    Way("SIGINT", 130, "interrupted: ", _sent(signal.SIGINT)),
    Way("SIGTERM", 130, "interrupted: ", _sent(signal.SIGTERM)),
    Way("disk full", 2, "No space left on device", _full),
)


def watch(out: Path, way: Way | None, at: int) -> Callable[[], None]:
    """What a child does first: it ends in its own way, or counts its files.

    Args:
      out: the run folder.
      way: how it ends; None counts only.
      at: which rename into the folder it ends at; a full disk stays full.
    """

    def install() -> None:
        forks.write_every_state()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in background jobs
        made, counter = [0], out.parent / "count"

        def hear(event: str, given: tuple[Any, ...]) -> None:
            to = str(given[1]) if event == "os.rename" else str(given and given[0])
            inside = to.startswith(str(out)) and not to.endswith(".lock")
            if event == "os.rename" and inside:
                made[0] += 1
                if way is None:
                    counter.write_text(str(made[0]), "utf-8")
                elif made[0] == at or (made[0] > at and way.happen is _full):
                    way.happen(to)
            full = way is not None and way.happen is _full and made[0] >= at
            if full and event == "open" and inside and given[2] & WRITING:
                _full(to)

        sys.addaudithook(hear)

    return install


def run(
    page: Page, desk: Path, resume: bool, first: Callable[[], None] | None
) -> forks.Ended:
    """Runs or resumes a page in ``desk``/run."""
    out = desk / "run"
    seeded = [*page.begin, page.seed_flag, str(page.seed[0])]
    words = [*(["--resume"] if resume else seeded), "--quiet", "--out", str(out)]
    pid = forks.begin(page.module, words, desk / "output", first=first)
    return forks.end(pid, desk / "output", SECONDS)


def judged(way: Way, ended: forks.Ended) -> str:
    """What is wrong with the end of a run; empty where all is right."""
    lines = ended.error.strip().splitlines()
    if ended.code != way.code:
        return f"exit code {ended.code}: {lines[-1] if lines else ''}"
    if "Traceback" in ended.error:
        return f"traceback: {lines[-1]}"
    said = [line for line in lines if line.startswith(("error: ", "interrupted: "))]
    reports = [line for line in said if "writing a report" in line]
    if way.says and not (len(said) == 1 + len(reports) and way.says in said[-1]):
        return f"says {said}"
    return ""


def cases(page: Page, room: Path, points: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Rows of all cases of a page."""
    alone = room / "alone"
    ended = run(page, alone, False, watch(alone / "run", None, 0))
    if ended.code != 0:
        raise SystemExit(f"{page.name}: {ended.code} {ended.error}")
    expected = results(alone / "run", page.times)
    count = int((alone / "count").read_text("utf-8"))
    places = {"first": 1, "middle": (count + 1) // 2, "last": count}
    for point in points:
        for way in WAYS:
            desk = room / f"{way.name} {point}"
            first = run(page, desk, False, watch(desk / "run", way, places[point]))
            wrong = judged(way, first)
            begun = (desk / "run" / "config.json").is_file()
            again = run(page, desk, begun, None)
            if not wrong and again.code != 0:
                wrong = f"goes not on: {again.code} {again.error.strip()[-200:]}"
            if not wrong:
                names = differing(expected, results(desk / "run", page.times))
                wrong = f"differs: {', '.join(names)}" if names else ""
            at = f"{point} of {count}"
            yield {"page": page.name, "way": way.name, "at": at, "wrong": wrong}


def text(rows: list[dict[str, Any]]) -> str:
    """The table: a line a page, a column a way."""
    names = list(dict.fromkeys(row["page"] for row in rows))
    lines = ["| page | " + " | ".join(way.name for way in WAYS) + " |"]
    lines.append("|---" * (1 + len(WAYS)) + "|")
    for name in names:
        cells = []
        for way in WAYS:
            own = [r for r in rows if (r["page"], r["way"]) == (name, way.name)]
            bad = sum(bool(row["wrong"]) for row in own)
            cells.append(f"{len(own) - bad} right" + (f", **{bad} wrong**" * bool(bad)))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    wrong = [row for row in rows if row["wrong"]]
    lines += ["", *("- {page}, {way}, {at}: {wrong}".format(**row) for row in wrong)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Tries the cases and writes the table."""
    able = [page for page in PAGES if page.killed_at is not None]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="Markdown file")
    parser.add_argument("--page", action="append", choices=[p.name for p in able])
    parser.add_argument("--point", action="append", choices=POINTS)
    given = parser.parse_args()
    pages = [page for page in able if given.page is None or page.name in given.page]
    forks.load(HERE.parents[1], sorted({page.module for page in pages}))
    rows = []
    for page in pages:
        with tempfile.TemporaryDirectory(prefix="endings-") as room:
            points = tuple(given.point or POINTS)
            for row in cases(page, Path(room).resolve(), points):
                sys.stderr.write("{page}: {way}, {at}: {wrong}\n".format(**row))
                rows.append(row)
                given.out.write_text(text(rows), "utf-8")
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
