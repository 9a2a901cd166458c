"""Records the bits of small runs in bits.json: ``make golden``.

``python tests/golden/record.py --only NAME ...`` records some of them again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runs import BITS, ROOT, RUNS, Run, chosen, fingerprint, machine, start


def record(runs: list[Run], folder: Path, apart: bool) -> dict[str, Any]:
    """Performs runs and returns their fingerprints, and tells how long they took."""
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
        outputs[run.name] = fingerprint(run, place)
    sys.stderr.write(f"{'together':<20} {total:6.2f} s\n")
    return outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[run.name for run in RUNS])
    parser.add_argument("--apart", action="store_true", help="a process for each run")
    parser.add_argument("--out", type=Path, default=BITS)
    words = parser.parse_args()
    here = machine()
    kept: dict[str, Any] = {}
    if words.only:
        old = json.loads(BITS.read_text("utf-8"))
        if old["machine"] != here:
            raise SystemExit("--only: the others were recorded on another machine")
        kept = old["runs"]
    runs = chosen(words.only or [run.name for run in RUNS])
    with tempfile.TemporaryDirectory() as folder:
        recorded = record(runs, Path(folder), words.apart)
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    both = kept | recorded
    result = {
        "commit": commit,
        "machine": here,
        "runs": {run.name: both[run.name] for run in RUNS if run.name in both},
    }
    words.out.write_text(json.dumps(result, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
