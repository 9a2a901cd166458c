"""P-values of the paper, to be shown beside ours (Nguyen & Wellman 2026, Table 1)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """P-values of Nguyen & Wellman 2026, Table 1.

    Every row is compared with COffeE-PSRO that explores with R2D, under the same
    evaluation solver; the regret of the true game is compared. The paper's test is not
    known; it looks one-sided, and is not corrected for its 60 comparisons of ten trials
    a side. An entry of .01 may stand for anything up to .01.

    Attributes:
      rows: (evaluation solver, approach, exploration solver) of each row.
      columns: (number of trajectories, behaviour that drew them) of each column. The
        number is known; the behaviour is inferred from what the text says of
        behaviour cloning.
      p: one list of p-values a row, one entry a column.
    """

    rows: tuple[tuple[str, str, str], ...]
    columns: tuple[tuple[int, str], ...]
    p: tuple[tuple[float, ...], ...]


_COMPARED = (
    ("COffeE", "RD"),
    ("OEF", "R2D"),
    ("OEF", "RD"),
    ("OEF-BC", "R2D"),
    ("OEF-BC", "RD"),
)
PUBLISHED = Published(
    rows=tuple((e, *row) for e in ("RD", "R2D") for row in _COMPARED),
    columns=tuple((n, b) for n in (500, 1000, 2000) for b in ("PSRO", "uniform")),
    p=(
        (0.01, 0.53, 0.09, 0.17, 0.02, 0.03),
        (0.02, 0.04, 0.05, 0.01, 0.27, 0.01),
        (0.06, 0.04, 0.29, 0.04, 0.04, 0.02),
        (0.01, 0.76, 0.01, 0.13, 0.01, 0.01),
        (0.01, 0.89, 0.01, 0.08, 0.01, 0.01),
        (0.17, 0.76, 0.26, 0.02, 0.01, 0.05),
        (0.05, 0.02, 0.78, 0.35, 0.28, 0.01),
        (0.22, 0.02, 0.92, 0.01, 0.06, 0.03),
        (0.01, 0.51, 0.01, 0.01, 0.01, 0.03),
        (0.01, 0.78, 0.01, 0.01, 0.01, 0.01),
    ),
)
"""Table 1 of the paper."""
