"""Mutates half-way run folders and watches what resuming them does.

Example: python tests/attacks/run.py --out table.md --page psro --limit 40

Every page of ``pages.py`` is run until it is killed half way. Each case copies that
folder, applies one mutation of ``mutations.py`` and resumes it through the command
line. What comes of it is one of

    refused    exit code 2 and one sentence
    same       the results are those of a resume without a mutation
    silent     the run ends well, but with other results; or a file outside has changed
    traceback  anything else that ends: a traceback, or an error that is no sentence
    hang       it does not end

Finished cases are kept beside the table (.jsonl) and not run again; another code under
test (--root) needs another --out.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import forks
import table
from fingerprint import differing, results
from mutations import (
    ORPHANED,
    RESUMES,
    UNLOCKED,
    Bench,
    Mutation,
    chosen,
    mutations,
    seeded,
)
from pages import PAGES, Page

HERE = Path(__file__).resolve().parent
SECONDS = 120.0  # for a whole run, or a resume that is not mutated


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage:
    """A page half way, and what resuming it should give.

    Attributes:
      page: which.
      half: its folder when it was killed.
      foreign: the same of another seed.
      expected: results of a resume of ``half``.
      patience: seconds after which a resume hangs.
      room: where cases are tried.
    """

    page: Page
    half: Path
    foreign: Path
    expected: dict[str, Any]
    patience: float
    room: Path


def stage(page: Page, room: Path) -> Stage:
    """Runs a page until half way, with two seeds, and resumes it twice."""
    halves = []
    kill = None if page.killed_at is None else (page.killed_at, page.time)
    for seed in page.seed:
        desk = room / f"seed {seed}"
        out = desk / "run"
        words = [*page.begin, page.seed_flag, str(seed), "--quiet", "--out", str(out)]
        ended = forks.end(forks.begin(page.module, words, desk, kill), desk, SECONDS)
        if ended.code != (0 if kill is None else -9):
            raise SystemExit(f"{page.name}: not half way; {ended.code} {ended.error}")
        halves.append(out)
    expected, begun = [], time.monotonic()
    for _ in "ab":
        bench = _bench(halves[0], halves[1], room / "case", seeded(0))
        ended = _resumed(page, bench, "", SECONDS)[0]
        if ended.code != 0:
            raise SystemExit(f"{page.name}: no resume; {ended.code} {ended.error}")
        expected.append(results(bench.folder, page.times))
    if names := differing(*expected):
        raise SystemExit(f"{page.name}: two resumes differ in {', '.join(names)}")
    return Stage(
        page=page,
        half=halves[0],
        foreign=halves[1],
        expected=expected[0],
        patience=10 + 4 * (time.monotonic() - begun),
        room=room,
    )


def _bench(half: Path, foreign: Path, desk: Path, rng: Any) -> Bench:
    shutil.rmtree(desk, ignore_errors=True)
    (desk / "outside").mkdir(parents=True)
    shutil.copytree(half, desk / "run", symlinks=True)
    return Bench(
        folder=desk / "run", outside=desk / "outside", foreign=foreign, rng=rng
    )


def _resumed(page: Page, bench: Bench, kind: str, seconds: float) -> list[forks.Ended]:
    """Resumes a folder, in the way that a kind of mutation asks for."""
    words = [*page.resume, "--resume", "--quiet", "--out", str(bench.folder)]
    if kind == ORPHANED and page.jobs:
        words += ["--jobs", "2"]
    places = [bench.folder.parent / f"output-{i}" for i in "01"]
    first = forks.begin(page.module, words, places[0])
    if kind not in RESUMES:
        return [forks.end(first, places[0], seconds)]
    if kind == UNLOCKED:
        lock = bench.folder / ".lock"
        if forks.until(first, lambda: _owns(first, lock), seconds):
            os.kill(first, signal.SIGSTOP)
            lock.unlink(missing_ok=True)
            second = forks.begin(page.module, words, places[1])
            ended = forks.end(second, places[1], seconds)
            os.kill(first, signal.SIGCONT)
            if ended.code == 0:
                ended = forks.Ended(1, "two runs owned one folder")
            return [forks.end(first, places[0], seconds), ended]
        return [forks.end(first, places[0], seconds)]
    if kind == ORPHANED:
        before = _changed(bench.folder)
        forks.until(first, lambda: _changed(bench.folder) != before, seconds)
        os.kill(first, signal.SIGKILL)  # it alone
        second = forks.begin(page.module, words, places[1])
        ended = forks.end(second, places[1], seconds)
        forks.end(first, places[0], seconds)
        return [ended]
    second = forks.begin(page.module, words, places[1])
    pids = (first, second)
    return [forks.end(pid, p, seconds) for pid, p in zip(pids, places, strict=True)]


def _owns(pid: int, lock: Path) -> bool:
    return lock.is_file() and lock.read_bytes().startswith(f"{pid}:".encode())


def _changed(folder: Path) -> set[tuple[str, int]]:
    """Folders of pieces of the run, and when they changed."""
    places = [p for p in folder.rglob("*") if p.is_dir()]
    changed = set()
    for place in places:
        with contextlib.suppress(FileNotFoundError):
            changed.add((str(place), place.stat().st_mtime_ns))
    return changed


def _outside(folder: Path) -> dict[str, Any]:
    """All that lies outside the run folder, with times of change."""
    return {
        str(p.relative_to(folder)): (
            p.stat().st_mtime_ns,
            p.read_bytes() if p.is_file() else sorted(q.name for q in p.iterdir()),
        )
        for p in [folder, *sorted(folder.rglob("*"))]
        if p.is_file() or p.is_dir()
    }


def tried(staged: Stage, mutation: Mutation, number: int) -> dict[str, Any]:
    """Runs one case; returns its row."""
    page, begun = staged.page, time.monotonic()
    rng = seeded(zlib.crc32(page.name.encode()), number)
    bench = _bench(staged.half, staged.foreign, staged.room / "case", rng)
    mutation.apply(bench)
    before = _outside(bench.outside)
    ended = _resumed(page, bench, mutation.kind, staged.patience)
    verdicts = [judged(one) for one in ended]
    verdict, detail = next(
        (v for v in verdicts if v[0] in ("hang", "traceback")),
        next((v for v in verdicts if v[0] == "done"), verdicts[0]),
    )
    if verdict == "done":
        names = differing(staged.expected, results(bench.folder, page.times))
        verdict = "silent" if names else "same"
        detail = "differs: " + ", ".join(names) if names else ""
    if _outside(bench.outside) != before and verdict not in ("hang", "traceback"):
        verdict, detail = "silent", f"a file outside has changed ({detail})"
    return {
        "page": page.name,
        "number": number,
        "kind": mutation.kind,
        "place": mutation.place,
        "class": verdict,
        "detail": detail.replace(str(bench.folder), "run")[:300],
        "seconds": round(time.monotonic() - begun, 2),
    }


def judged(ended: forks.Ended) -> tuple[str, str]:
    """What the end of one process says; "done" where its results decide."""
    lines = ended.error.strip().splitlines()
    if ended.code is None:
        return "hang", "no end"
    if ended.code == 0:
        return "done", ""
    said = [line for line in lines if line.startswith("error: ")]
    if "Traceback" in ended.error or len(said) != 1:
        return "traceback", lines[-1] if lines else f"exit code {ended.code}"
    if ended.code not in (1, 2) or said != [lines[-1]]:
        return "traceback", f"exit code {ended.code}, not one sentence: {lines[-1]}"
    return "refused", said[0]


def prepared(page: Page, room: Path, kinds: list[str]) -> tuple[Stage, list[Mutation]]:
    """A page half way, and its mutations whose kinds begin like one of ``kinds``."""
    staged = stage(page, room)
    every = mutations(staged.half, page.fields)
    wanted = [m for m in every if page.jobs or m.kind != ORPHANED]
    if kinds:
        wanted = [m for m in wanted if m.kind.startswith(tuple(kinds))]
    return staged, wanted


def cases(
    page: Page, limit: int | None, kept: list[dict[str, Any]], *, kinds: list[str]
) -> Iterator[Any]:
    """Rows of a page's cases that were not kept.

    Args:
      page: which.
      limit: number of cases; None for those that the page has.
      kept: rows of cases that need not run again.
      kinds: how kinds that are tried begin; none for all.
    """
    done = {row["number"] for row in kept if row["page"] == page.name}
    with tempfile.TemporaryDirectory(prefix="attacks-") as room:
        staged, every = prepared(page, Path(room).resolve(), kinds)
        rng = seeded(zlib.crc32(page.name.encode()))
        count = page.cases if limit is None else limit
        for number, mutation in enumerate(chosen(every, count, rng)):
            if number not in done:
                yield tried(staged, mutation, number)


def dealt(pages: list[Page], kinds: list[str]) -> Iterator[Any]:
    """Rows of one case of each kind, on pages that take turns.

    Killing workers is left out: they import for seconds.
    """
    with tempfile.TemporaryDirectory(prefix="attacks-") as room:
        rooms = [Path(room).resolve() / page.name for page in pages]
        ready = [prepared(p, r, kinds) for p, r in zip(pages, rooms, strict=True)]
        every = sorted({m.kind for _, wanted in ready for m in wanted} - {ORPHANED})
        for number, kind in enumerate(every):
            able = [
                (staged, [m for m in wanted if m.kind == kind])
                for staged, wanted in ready
                if any(m.kind == kind for m in wanted)
            ]
            staged, same = able[number % len(able)]
            yield tried(staged, chosen(same, 1, seeded(number))[0], number)


def commit(root: Path) -> str:
    """Of the code under test."""
    words = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Tries the cases and writes the table."""
    names = [page.name for page in PAGES]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="Markdown file")
    parser.add_argument("--page", action="append", choices=names, help="these only")
    parser.add_argument("--limit", type=int, help="cases of a page")
    parser.add_argument(
        "--once", action="store_true", help="one case of each kind, on pages in turn"
    )
    parser.add_argument(
        "--kind", action="append", default=[], help="kinds that begin like this only"
    )
    parser.add_argument("--root", type=Path, default=HERE.parents[1])
    parser.add_argument("--counts", type=Path, help="also write the counts, as JSON")
    given = parser.parse_args()
    pages = [p for p in PAGES if given.page is None or p.name in given.page]
    forks.load(given.root.resolve(), sorted({page.module for page in pages}))
    store = given.out.with_suffix(".jsonl")
    kept = []
    if store.exists():
        kept = [json.loads(line) for line in store.read_text("utf-8").splitlines()]
    if given.once:
        rounds = [dealt(pages, given.kind)]
    else:
        rounds = [cases(p, given.limit, kept, kinds=given.kind) for p in pages]
    for row in chain.from_iterable(rounds):
        kept.append(row)
        with open(store, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        sys.stderr.write("{page}: {kind}, {place}: {class}\n".format(**row))
    earlier = json.loads((HERE / "before.json").read_text("utf-8"))
    given.out.write_text(table.text(kept, earlier), "utf-8")
    if given.counts is not None:
        report = {"commit": commit(given.root), "rows": table.counts(kept)}
        given.counts.write_text(table.packed(report), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
