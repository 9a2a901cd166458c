"""Studies, their sizes and the options of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from experiments.lab.options import Flat, Parallel, each_once, least
from experiments.lab.trust import SolverSpec
from psro.parts import Start

RARE = {"rounds": 16, "minibatch": 256, "lam": 0.98, "entropy": 0.02}
"""Fields of PPO where rewards are rare: longer batches, longer traces."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A game and how much of it is played.

    Attributes:
      game: by name.
      iterations: of the loop.
      decisions: of each response.
      episodes: of each payoff.
      seeds: runs, if not asked for otherwise.
      ppo: other fields of ``PPOResponse``.
      width: units of each hidden layer of all policies.
      tree: its tree fits, so that gains are exact.
      probes: iterations after which transfer is measured.
      budgets: decisions after which a response is looked at there.
      players: who learn there, and who exploit.
      distil: fields of ``Distillation`` that differ from the defaults.
      states: fields of ``States`` that do.
    """

    game: str
    iterations: int
    decisions: int
    episodes: int
    seeds: int = 3
    ppo: Mapping[str, Any] = field(default_factory=dict)
    width: int = 128
    tree: bool = False
    probes: tuple[int, ...] = ()
    budgets: tuple[int, ...] = ()
    players: tuple[int, ...] = (0, 1)
    distil: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, Any] = field(default_factory=dict)


_KUHN = {"rate": 3e-3}
_FLAG = "capture_the_flag_2v2(rows=3,columns=5,horizon=20)"
SIZES: Mapping[str, Mapping[str, Size]] = {
    "learned_kuhn": {
        "kuhn": Size(
            game="kuhn_poker",
            iterations=5,
            decisions=4096,
            episodes=400,
            seeds=5,
            ppo=_KUHN,
            width=64,
            tree=True,
        ),
        "kuhn3": Size(
            game="kuhn_poker(players=3)",
            iterations=3,
            decisions=2048,
            episodes=400,
            ppo=_KUHN,
            width=64,
            tree=True,
        ),
    },
    "transfer": {
        "kuhn3": Size(
            game="kuhn_poker(players=3)",
            iterations=2,
            decisions=2048,
            episodes=400,
            seeds=5,
            ppo=_KUHN,
            width=64,
            tree=True,
            probes=(1, 2),
            budgets=(512, 1024, 2048, 4096),
            players=(0, 1, 2),
        ),
        "leduc": Size(
            game="leduc_poker",
            iterations=2,
            decisions=8192,
            episodes=400,
            width=64,
            tree=True,
            probes=(1, 2),
            budgets=(2048, 4096, 8192, 16384, 32768),
        ),
        "flag": Size(
            game=_FLAG,
            iterations=1,
            decisions=24_576,
            episodes=100,
            ppo=RARE,
            width=64,
            probes=(1,),
            budgets=(2048, 4096, 8192, 16384),
            players=(0, 2),
        ),
    },
    "flag": {
        "flag": Size(
            game=_FLAG,
            iterations=2,
            decisions=40_960,
            episodes=100,
            ppo=RARE,
            width=64,
            players=(0, 2),
        )
    },
    "openspiel_flag": {
        "openspiel": Size(
            game="capture_the_flag(horizon=30,grid=...\na.b\n...)",
            iterations=2,
            decisions=24_576,
            episodes=100,
            ppo={**RARE, "entropy": 0.05},
            width=64,
        )
    },
    "cheetah": {
        "cheetah": Size(
            game="halfcheetah_2x3(horizon=25)",
            iterations=2,
            decisions=20_480,
            episodes=50,
            ppo=RARE,
            width=64,
        )
    },
}
"""The sizes of each study, by a short name of the game."""

Scale = Literal["small", "large", "cuda"]
_WHOLE = "capture_the_flag_2v2"


def _larger(name: str, **changes: Any) -> dict[str, Size]:
    """The sizes of a study, all with these changes."""
    return {game: replace(size, **changes) for game, size in SIZES[name].items()}


LARGE: Mapping[str, Mapping[str, Size]] = {
    "learned_kuhn": _larger(
        "learned_kuhn", iterations=6, decisions=8192, episodes=1000, seeds=5
    ),
    "transfer": {
        "kuhn3": replace(
            SIZES["transfer"]["kuhn3"],
            iterations=4,
            decisions=8192,
            probes=(1, 2, 4),
            budgets=(512, 1024, 2048, 4096, 8192, 16_384),
            seeds=5,
        ),
        "leduc": replace(
            SIZES["transfer"]["leduc"],
            iterations=4,
            decisions=32_768,
            probes=(1, 2, 4),
            budgets=(2048, 4096, 8192, 16_384, 32_768, 65_536),
            seeds=5,
        ),
        "flag": replace(
            SIZES["transfer"]["flag"],
            game=_WHOLE,
            iterations=2,
            decisions=98_304,
            probes=(1, 2),
            budgets=(8192, 16_384, 32_768, 65_536, 98_304),
            seeds=5,
        ),
    },
    "flag": _larger(
        "flag", game=_WHOLE, iterations=3, decisions=98_304, episodes=500, seeds=5
    ),
    "openspiel_flag": _larger(
        "openspiel_flag", iterations=3, decisions=49_152, episodes=300, seeds=5
    ),
    "cheetah": _larger("cheetah", iterations=3, decisions=40_960, episodes=100),
}
"""Sizes for a machine of 16 cores."""

_CUDA = {"games": 1024, "rounds": 40, "minibatch": 2048, "device": "cuda"}
CUDA: Mapping[str, Mapping[str, Size]] = {
    "flag": {
        name: replace(size, decisions=1_024_000, seeds=2, ppo={**size.ppo, **_CUDA})
        for name, size in LARGE["flag"].items()
    }
}
"""Sizes for a GPU, of the study that plays in batches there."""
SCALES: Mapping[Scale, Mapping[str, Mapping[str, Size]]] = {
    "small": SIZES,
    "large": LARGE,
    "cuda": CUDA,
}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the default settings of NeuPL.

    Attributes:
      separate: networks of their own instead of codes.
      start: weights that their responses begin with.
      head: fields of ``Head``.
      distil: fields of ``Distillation``.
      payoffs: fields of ``PayoffNetwork``.
      games: where it is run, of those of learned_kuhn.
    """

    separate: bool = False
    start: Start = "scratch"
    head: Mapping[str, Any] = field(default_factory=dict)
    distil: Mapping[str, Any] = field(default_factory=dict)
    payoffs: Mapping[str, Any] = field(default_factory=dict)
    games: tuple[str, ...] = ("kuhn", "kuhn3")


_TWO = ("kuhn",)
VARIANTS: Mapping[str, Variant] = {
    "neupl": Variant(),
    "separate": Variant(separate=True),
    "no-regulariser": Variant(distil={"old_weight": 0.0}, games=_TWO),
    "blank": Variant(head={"blank": True}, games=_TWO),
    "dirichlet": Variant(head={"prior": "dirichlet"}, games=_TWO),
    "half": Variant(head={"prior": "half"}, games=_TWO),
    "estimated": Variant(payoffs={"share": 0.5}, games=("kuhn3",)),
    "estimated-any": Variant(payoffs={"share": 0.5, "within": 1.0}),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run and compared."""

    may_change: ClassVar[tuple[str, ...]] = ("studies", "variants", "seeds")

    studies: tuple[str, ...] = ("learned_kuhn", "transfer", "flag", "openspiel_flag")
    """Studies, of learned_kuhn, transfer, flag, openspiel_flag and cheetah."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Variants of learned_kuhn: neupl, separate, no-regulariser, blank (no summary of
    co-players), dirichlet and half (priors of mixtures), estimated (payoffs, where
    within 1 % of their range) and estimated-any (payoffs, however wrong)."""
    scale: Scale = "small"
    """Sizes of the studies: small (an hour on one core), large (16 cores for half an
    hour), cuda (flag only, on a GPU)."""
    seeds: int | None = None
    """Runs of each (default: 3; of kuhn, and of kuhn3 in transfer, 5)."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int | None = None
    """Iterations of the loop (default: each study's own)."""
    decisions: int | None = None
    """Decisions of each response (default: each study's own)."""
    episodes: int | None = None
    """Episodes of each payoff (default: each study's own)."""
    solver: SolverSpec = "mgcce"
    """Meta-solver of all runs, by name; a joint one."""
    run: Flat[Parallel] = Parallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, iterations=1, decisions=1, episodes=2)
        each_once(self, studies=tuple(SCALES[self.scale]), variants=tuple(VARIANTS))

    def sizes(self, study: str) -> dict[str, Size]:
        """The sizes of a study, by a short name of the game."""
        every = SCALES[self.scale][study]
        return {game: self._size(size) for game, size in every.items()}

    def _size(self, size: Size) -> Size:
        """The size with what was asked for otherwise; probes and budgets follow."""
        if self.iterations is not None:
            probes = tuple(p for p in size.probes if p <= self.iterations)
            size = replace(size, iterations=self.iterations, probes=probes)
        if self.decisions is not None:
            most = max(size.budgets, default=1)
            budgets = (max(1, b * self.decisions // most) for b in size.budgets)
            size = replace(size, decisions=self.decisions, budgets=tuple(budgets))
        if self.episodes is not None:
            size = replace(size, episodes=self.episodes)
        return size if self.seeds is None else replace(size, seeds=self.seeds)
