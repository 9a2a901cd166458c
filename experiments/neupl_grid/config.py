"""Games, variants and options of the NeuPL grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from experiments.lab.options import Flat, Parallel, each_once, least
from experiments.lab.trust import SolverSpec
from metaspiel.learn.settings import CONDITIONINGS


@dataclass(frozen=True)
class Case:
    """A game of the grid, and how many iterations are run on it."""

    game: str
    iterations: int


GAMES: Mapping[str, Case] = {
    "kuhn": Case("kuhn_poker", 10),
    "kuhn3": Case("kuhn_poker(players=3)", 12),
    "trade": Case("trade_comm(num_items=3)", 12),
    "goofspiel": Case(
        "goofspiel(num_cards=4,imp_info=True,points_order=descending,"
        "returns_type=total_points)",
        12,
    ),
    "leduc": Case("leduc_poker", 12),
    "sheriff": Case(
        "sheriff(item_penalty=1.0,item_value=5.0,max_bribe=2,max_items=10,"
        "num_rounds=2,sheriff_penalty=1.0)",
        12,
    ),
    "bridge": Case("tiny_bridge_2p", 12),
}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the default settings of NeuPL.

    Attributes:
      kind: who plays: "separate" policies, one "neural" network, one that learns all
        codes at once ("concurrent"), or one taught by the "naive" loop.
      codes: fields of ``Codes``.
      distil: fields of ``Distillation``.
      weighting: information states that count.
      payoffs: fields of ``PayoffNetwork``.
    """

    kind: str = "neural"
    codes: Mapping[str, Any] = field(default_factory=dict)
    distil: Mapping[str, Any] = field(default_factory=dict)
    weighting: str = "own_reach"
    payoffs: Mapping[str, Any] = field(default_factory=dict)


CONCURRENT_STEPS = 100  # a network and iteration, about what the default takes
VARIANTS: Mapping[str, Variant] = {
    "jpsro": Variant(kind="separate"),
    "neupl": Variant(),
    "no-regulariser": Variant(distil={"old_weight": 0.0}),
    "concurrent": Variant(kind="concurrent", distil={"steps": CONCURRENT_STEPS}),
    "naive": Variant(kind="naive", weighting="all"),
    **{
        kind: Variant(codes={"conditioning": kind})
        for kind in CONDITIONINGS
        if kind != "film"
    },
    "codes-4": Variant(codes={"size": 4}),
    "codes-64": Variant(codes={"size": 64}),
    "new-10": Variant(distil={"new_weight": 10.0}),
    "old-10": Variant(distil={"old_weight": 10.0}),
    "all-states": Variant(weighting="all"),
    "one-network": Variant(codes={"networks": "all"}),
    "estimated": Variant(payoffs={"share": 0.5, "within": 1.0}),
    "adam": Variant(distil={"optimiser": "adam", "steps": 400}),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run and compared."""

    may_change: ClassVar[tuple[str, ...]] = ("games", "variants", "seeds")

    games: tuple[str, ...] = tuple(GAMES)
    """Games, of kuhn, kuhn3, trade, goofspiel, leduc, sheriff and bridge."""
    variants: tuple[str, ...] = ("jpsro", "neupl")
    """Variants to compare, of those listed above."""
    seeds: int = 5
    """Runs of each variant on each game."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int | None = None
    """Iterations of a run (default: 12, in two-player Kuhn poker 10)."""
    solver: SolverSpec = "mgcce"
    """Meta-solver of all runs, by name or spec; one for CCE."""
    run: Flat[Parallel] = Parallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, iterations=1)
        each_once(self, games=tuple(GAMES), variants=tuple(VARIANTS))
