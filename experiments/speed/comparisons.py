"""Games and meta-solvers in which our loops are compared with OpenSpiel's."""

from dataclasses import dataclass
from typing import Literal

from psro.parts import TargetConcept


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A game, and the meta-solvers of both sides; jpsro's have an evaluation."""

    game: str
    iterations: int
    ours: str
    theirs: str
    concept: TargetConcept = "ne"
    evaluation: str | None = None

    @property
    def rounds(self) -> int:
        """Rounds that both sides make: jpsro makes one more than it is asked for."""
        return self.iterations + (self.evaluation is not None)


def _jpsro(
    game: str, iterations: int, concept: Literal["ce", "cce"] = "cce"
) -> Comparison:
    return Comparison(
        game=game,
        iterations=iterations,
        ours=f"mg{concept}",
        theirs=f"mg{concept}",
        concept=concept,
        evaluation=f"mw{concept}",
    )


def _psro(game: str, ours: str, theirs: str, iterations: int) -> Comparison:
    return Comparison(game=game, iterations=iterations, ours=ours, theirs=theirs)


_SHERIFF = (
    "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,num_rounds=2,"
    "sheriff_penalty=1.0)"
)
ROWS = {
    "kuhn": _jpsro("kuhn_poker", 10),
    "kuhn_3p": _jpsro("kuhn_poker(players=3)", 9),
    "kuhn_3p_ce": _jpsro("kuhn_poker(players=3)", 5, "ce"),
    "trade_comm_2": _jpsro("trade_comm(num_items=2)", 10),
    "trade_comm_3": _jpsro("trade_comm(num_items=3)", 20),
    "sheriff_1r": _jpsro("sheriff(num_rounds=1)", 10),
    "sheriff_gabriele": _jpsro(_SHERIFF, 40),
    "goofspiel_3": _jpsro("goofspiel(num_cards=3,returns_type=total_points)", 10),
    "goofspiel_4": _jpsro("goofspiel(num_cards=4,returns_type=total_points)", 10),
    "leduc": _jpsro("leduc_poker", 6),
    "psro_kuhn_nash": _psro("kuhn_poker", "nash_lp", "nash", 15),
    "psro_kuhn_prd": _psro("kuhn_poker", "prd", "prd", 10),
    "psro_kuhn_uniform": _psro("kuhn_poker", "uniform", "uniform", 15),
    "psro_leduc_nash": _psro("leduc_poker", "nash_lp", "nash", 12),
    "psro_leduc_prd": _psro("leduc_poker", "prd", "prd", 8),
    "psro_leduc_uniform": _psro("leduc_poker", "uniform", "uniform", 12),
}
