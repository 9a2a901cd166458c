"""Records the bits of small runs in bits.json: ``make golden``.

``record.py --only NAME ... --reason TEXT`` lists what differs now in exceptions.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runs import (
    BITS,
    EXCEPTIONS,
    ROOT,
    RUNS,
    TABLE,
    Run,
    changes,
    chosen,
    exceptions,
    fingerprint,
    machine,
    start,
    table,
)


def record(
    runs: list[Run], folder: Path, apart: bool, known: dict[str, Any]
) -> dict[str, Any]:
    """Performs runs and returns their fingerprints, and tells how long they took.

    Of runs in ``known`` only what is known of them is looked at.
    """
    said = ""
    for group in [[run] for run in runs] if apart else [runs]:
        said += start(group, folder)
    outputs, total = {}, 0.0
    for run in runs:
        place = folder / run.name
        code = place / "code"
        if not code.is_file() or code.read_text() != "0":
            raise SystemExit(f"{run.name} failed\n{said}")
        seconds = float((place / "seconds").read_text())
        total += seconds
        sys.stderr.write(f"{run.name:<20} {seconds:6.2f} s\n")
        outputs[run.name] = fingerprint(run, place, known.get(run.name))
    sys.stderr.write(f"{'together':<20} {total:6.2f} s\n")
    return outputs


def commit() -> str:
    """The commit of this checkout."""
    return subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def add(recorded: dict[str, Any], old: dict[str, Any], out: Path) -> None:
    """Puts runs that are new beside the others, with their own commit."""
    new = {name: one for name, one in recorded.items() if name not in old["runs"]}
    if new:
        both = old["runs"] | new
        old["runs"] = {run.name: both[run.name] for run in RUNS if run.name in both}
        old["added"] = old.get("added", {}) | dict.fromkeys(new, commit())
        write(old, out)


def write(result: dict[str, Any], out: Path) -> None:
    """Writes the bits of all runs."""
    out.write_text(json.dumps(result, indent=0) + "\n", "utf-8")


def except_for(recorded: dict[str, Any], old: dict[str, Any], reason: str) -> None:
    """Lists what differs in these runs as exceptions, in place of those they had."""
    because = {"reason": reason, "since": commit()[:7]}
    before = {_place(one): one for one in exceptions()}
    listed = [
        one
        for one in exceptions()
        if one["run"] not in recorded or one["output"] == "words"
    ]
    for run in chosen(recorded):
        known, now = old["runs"][run.name], recorded[run.name]
        for one in changes(run, known, now, because):
            earlier = before.get(_place(one), one)
            listed.append(earlier if earlier["now"] == one["now"] else one)
    publish(listed)


def _place(one: dict[str, Any]) -> tuple[str, ...]:
    return one["run"], one["output"], one["field"]


def publish(listed: list[dict[str, Any]]) -> None:
    """Writes the exceptions in the order of the runs, and their table in README.md."""
    order = [run.name for run in RUNS]
    listed = sorted(listed, key=lambda one: order.index(one["run"]))
    EXCEPTIONS.write_text(json.dumps(listed, indent=1) + "\n", "utf-8")
    readme = EXCEPTIONS.with_name("README.md")
    text = readme.read_text("utf-8")
    readme.write_text(text[: text.index(TABLE)] + table(listed), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[run.name for run in RUNS])
    parser.add_argument("--reason", help="why those of --only differ from what was")
    parser.add_argument("--apart", action="store_true", help="a process for each run")
    parser.add_argument("--out", type=Path, default=BITS)
    words = parser.parse_args()
    if bool(words.only) != bool(words.reason):
        parser.error("--only and --reason go together")
    here, old = machine(), json.loads(BITS.read_text("utf-8"))
    if words.only and old["machine"] != here:
        parser.error("--only: the others were recorded on another machine")
    runs = chosen(words.only or [run.name for run in RUNS])
    known = old["runs"] if words.only else {}
    with tempfile.TemporaryDirectory() as folder:
        recorded = record(runs, Path(folder), words.apart, known)
    if words.only:
        add(recorded, old, words.out)
        except_for(recorded, old, words.reason)
        return
    result = {"commit": commit(), "machine": here, "runs": recorded}
    write(result, words.out)
    if words.out == BITS:
        publish([])


if __name__ == "__main__":
    main()
