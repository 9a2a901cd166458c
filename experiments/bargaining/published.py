"""P-values of the paper, to be shown beside ours (Nguyen & Wellman 2026, Table 1).

Every row is compared with COffeE-PSRO that explores with R2D, under the same evaluation
solver; the regret of the true game is compared. The paper's test is not known; it looks
one-sided, and is not corrected for its 60 comparisons of ten trials a side. An entry of
.01 may stand for anything up to .01.
"""

_COLUMNS = [(size, who) for size in (500, 1000, 2000) for who in ("psro", "uniform")]
"""The sizes are known; the behaviours are inferred from what is said of cloning."""
_ROWS = {
    ("rd", "coffee", "rd"): (0.01, 0.53, 0.09, 0.17, 0.02, 0.03),
    ("rd", "oef", "r2d"): (0.02, 0.04, 0.05, 0.01, 0.27, 0.01),
    ("rd", "oef", "rd"): (0.06, 0.04, 0.29, 0.04, 0.04, 0.02),
    ("rd", "oef-bc", "r2d"): (0.01, 0.76, 0.01, 0.13, 0.01, 0.01),
    ("rd", "oef-bc", "rd"): (0.01, 0.89, 0.01, 0.08, 0.01, 0.01),
    ("r2d", "coffee", "rd"): (0.17, 0.76, 0.26, 0.02, 0.01, 0.05),
    ("r2d", "oef", "r2d"): (0.05, 0.02, 0.78, 0.35, 0.28, 0.01),
    ("r2d", "oef", "rd"): (0.22, 0.02, 0.92, 0.01, 0.06, 0.03),
    ("r2d", "oef-bc", "r2d"): (0.01, 0.51, 0.01, 0.01, 0.01, 0.03),
    ("r2d", "oef-bc", "rd"): (0.01, 0.78, 0.01, 0.01, 0.01, 0.01),
}
PUBLISHED = {
    (*row, *column): p
    for row, values in _ROWS.items()
    for column, p in zip(_COLUMNS, values, strict=True)
}
"""By evaluation solver, approach, exploration solver, trajectories and behaviour."""
