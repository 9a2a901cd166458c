"""What a PSRO run is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from experiments.lab.options import Flat, Parallel, Stateful


@dataclass(frozen=True, kw_only=True)
class Run(Stateful, Parallel):
    """What all pages with states and processes share; jobs share the trials."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a PSRO run."""

    may_change: ClassVar[tuple[str, ...]] = (
        "iterations", "stop_gap", "stop_no_novel", "max_seconds", "memory_gb",
        "final_gap",
    )  # fmt: skip

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "kuhn_poker(players=3)". With --oracle ddqn
    "bargaining" is the generalised game, OpenSpiel's own is "openspiel/bargaining"."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    payoffs: Path | None = None
    """A normal-form game instead (.npy, .npz, .csv or Gambit .nfg)."""
    oracle: Literal["exact", "ddqn"] = "exact"
    """Exact best responses, or learned ones (Double DQN) with sampled payoffs; then
    gaps are lower bounds, measured where a response is learned: for what is responded
    to, under the run's concept, in all iterations but the last."""
    decisions: int = 20_000
    """Learned oracle: decisions a response; the published budget is 200000 (1 min)."""
    episodes: int = 1000
    """Learned oracle: episodes of each payoff."""
    all_instances: bool = False
    """Learned oracle: play every instance once instead of random episodes, where chance
    acts at the root only (openspiel/bargaining): exact payoffs of greedy policies."""
    final_gap: bool = False
    """Learned oracle: learn responses to the last meta-strategy too, for its gap."""
    executor: str = "inprocess"
    """Learned oracle: inprocess (trials are stacked), processes:jobs=2, ray or
    ray:address=..."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Learned oracle: where networks are trained and played."""
    solver: str = "mgcce"
    """Meta-solver that is responded to: a name or spec, as r3d:threshold=0.5."""
    eval_solver: str | None = None
    """Meta-solver only measured, under the run's concept (default: the same). A learned
    oracle knows its values, but no full-game gap of it: that would take responses of
    its own."""
    concept: Literal["auto", "ne", "cce", "ce"] = "auto"
    """What is responded to; auto follows the solver (cce for heuristics)."""
    iterations: int = 20
    """Iterations in all; a resumed run may ask for more."""
    horizon: int | None = None
    """How many iterations a meta-solver with a schedule reckons with; the run itself
    ends at --iterations."""
    seed: int = 0
    """Seed of the first trial; trial i uses seed + i."""
    trials: int = 1
    """Independent trials, each in its own folder."""
    run: Flat[Run] = Run()
    initial: Literal["uniform", "random_deterministic"] = "uniform"
    """Policies before the first iteration."""
    selection: Literal["largest_gap", "all", "all_novel", "random", "random_novel"] = (
        "largest_gap"
    )
    """Which best responses join a population."""
    tie_break: Literal["random", "first", "uniform"] = "random"
    """Which of several best actions a response takes; it changes results."""
    update: Literal["all", "cycle", "random"] = "all"
    """Whose populations grow in an iteration (gaps are measured for all)."""
    symmetric: bool = False
    """Exact oracle: one shared population; the game is checked to be symmetric. A
    learned oracle shares one wherever its game is known to be symmetric."""
    repeats: bool = True
    """A policy that is found again counts again in the meta-game."""
    prune: float = 1e-8
    """Joint probabilities below this become 0 (recorded)."""
    gaps: Literal["concept", "all"] = "concept"
    """Exact oracle: measure the full-game gap of the concept only, or of NE, CCE and
    CE."""
    stop_gap: float | None = None
    """Stop when the full-game gap is measured and at or below this."""
    stop_no_novel: bool = False
    """Stop when an iteration found no novel policy."""
    max_seconds: float | None = None
    """Stop after this much wall time (the one rule that depends on the machine)."""
    memory_gb: float = 4.0
    """Refuse games whose tree makes the process grow by more than this."""
