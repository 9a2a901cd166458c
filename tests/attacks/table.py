"""Counts of cases, before and after, as Markdown."""

import json
from collections.abc import Callable, Iterable
from typing import Any

CLASSES = ("refused", "same", "silent", "traceback", "hang")
BAD = CLASSES[2:]


def counts(cases: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many cases of each page and kind ended how."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for case in cases:
        page, kind = case["page"], case["kind"]
        row = sums.setdefault((page, kind), {"page": page, "kind": kind})
        row[case["class"]] = row.get(case["class"], 0) + 1
    return list(sums.values())


def packed(counted: dict[str, Any]) -> str:
    """Counts as JSON, a row a line."""
    rows = ",\n".join("  " + json.dumps(row) for row in counted["rows"])
    return f'{{"commit": "{counted["commit"]}", "rows": [\n{rows}\n]}}\n'


def text(cases: list[dict[str, Any]], earlier: dict[str, Any]) -> str:
    """Tables by page, by kind and by both, and the cases that went wrong."""
    before, after = earlier["rows"], counts(cases)
    pages = {row["page"] for row in after}
    before = [row for row in before if row["page"] in pages]
    head = f"# Mutated run folders: {len(cases)} cases\n\nBefore: {earlier['commit']}."
    parts = [head]
    keys: dict[str, Callable[[dict[str, Any]], str]] = {
        "Page": lambda row: str(row["page"]),
        "Attack": lambda row: str(row["kind"]),
        "Page and attack": lambda row: f"{row['page']}: {row['kind']}",
    }
    for title, key in keys.items():
        parts.append(_table(title, key, before, after))
    wrong = [case for case in cases if case["class"] in BAD]
    lines = [
        "- {class}: {page}: {kind}, `{place}`: {detail}".format(**case)
        for case in wrong
    ]
    return "\n\n".join([*parts, "## Cases that went wrong", "\n".join(lines)]) + "\n"


def _table(
    title: str,
    key: Callable[[dict[str, Any]], str],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
) -> str:
    names = dict.fromkeys(map(key, [*after, *before]))
    lines = [f"| {title} | before | after |", "|---|---|---|"]
    for name in [*names, "all"]:
        cells = []
        for rows in (before, after):
            mine = [row for row in rows if name in ("all", key(row))]
            sums = {c: sum(row.get(c, 0) for row in mine) for c in CLASSES}
            words = [
                f"**{n} {c}**" if c in BAD else f"{n} {c}" for c, n in sums.items() if n
            ]
            cells.append(", ".join(words) or "-")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
