"""Published protocols as flags of the page ``compare``."""

from collections.abc import Mapping
from typing import Any

_GOOFSPIEL = "goofspiel(imp_info=True,num_cards={},points_order=descending)"
GAMES = (
    "kuhn_poker",
    *(_GOOFSPIEL.format(cards) for cards in (3, 4, 5)),
    "leduc_poker",
    *(f"liars_dice(dice_sides={sides})" for sides in (4, 5, 6)),
    *(f"kuhn_poker(players={players})" for players in (3, 4)),
    "leduc_poker(players=3)",
)
"""Games of the protocol, the quick ones first, so that what is cut off is whole games.

The paper does not name three of eleven: poker of two players, goofspiel of three cards,
dice of four sides are ours.
"""
TRAINING = (
    "kuhn_poker(players=3)",
    "leduc_poker",
    _GOOFSPIEL.format(4),
    "liars_dice(dice_sides=5)",
)
"""Games on which constants may be chosen; the others judge what was chosen."""
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
    *("last", "fp", "mgcce", "mwcce"),
)

SUITES: Mapping[str, Mapping[str, Any]] = {
    "deepmind2026": {
        "games": [*GAMES],
        "training": [*TRAINING],
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
