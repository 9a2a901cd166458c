"""Published protocols as flags of the page ``compare``."""

from collections.abc import Mapping
from typing import Any

TRAINING = (
    "kuhn_poker(players=3)",
    "leduc_poker",
    "goofspiel(imp_info=True,num_cards=4,points_order=descending)",
    "liars_dice(dice_sides=5)",
)
"""Games on which constants may be chosen."""
TEST = (
    "kuhn_poker",
    "goofspiel(imp_info=True,num_cards=3,points_order=descending)",
    "liars_dice(dice_sides=4)",
    "goofspiel(imp_info=True,num_cards=5,points_order=descending)",
    "liars_dice(dice_sides=6)",
    "kuhn_poker(players=4)",
    "leduc_poker(players=3)",
)
"""Games that judge what was chosen; the paper does not name the first three."""
BASELINES = ("uniform", "nash", "alpharank", "prd", "rm", "shor > shor_eval")
"""Meta-solvers of the paper, SHOR with its own evaluation."""
MATCHED = "matched(shor:scale=1000,nash)"
"""Our meta-solver for training, its fields chosen on the games for it."""
OURS = (
    "shor:scale=10 > shor_eval:scale=10",
    "shor > average(shor):last=9",
    "shor:scale=10 > average(shor:scale=10):last=9",
    f"{MATCHED} > average({MATCHED}):last=9",
    f"{MATCHED} > fallback(anytime,average({MATCHED}):last=9)",
    *("last", "rd", "rrd", "fp", "mgcce", "mwcce"),
)

SUITES: Mapping[str, Mapping[str, Any]] = {
    "deepmind2026": {
        "games": [*TRAINING, *TEST],
        "solvers": [*BASELINES, *OURS],
        "oracles": ["exact:initial=random_deterministic,tie_break=uniform"],
        "concept": "ne",
        "iterations": 100,
        "seeds": 5,
    }
}
"""Values of fields by the name of a protocol.

deepmind2026 is that of SHOR (arXiv 2602.16928): exact best responses, ties uniform.
Starts are random policies: from uniform ones no run would depend on its seed.
"""
