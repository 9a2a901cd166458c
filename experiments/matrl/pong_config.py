"""Settings of the Pong page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from experiments.lab.options import Flat, Parallel
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments.matrl.cells import Cell
    from matrl.methods import Settings


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    game: str = "mini_pong"
    """World for two agents with discrete actions: mini_pong, atari_pong, with
    parameters."""
    methods: tuple[str, ...] = ("matrl", "il")
    """The first two play the score matrix, all the league: il, il-matched, il-la,
    matrl, matrl-wo-br, random-rho."""
    seeds: int = 5
    """Runs of each method."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int = 100
    """Iterations of each run."""
    checkpoints: int = 10
    """Checkpoints kept of each run, evenly spaced; iterations must be a multiple."""
    games: int = 200
    """Games played by a pair, half of them on either side."""
    batch: int = 4000
    """Steps an iteration (Table 6)."""
    envs: int = 8
    """Games played side by side; 8 with 500 steps each see whole episodes."""
    rate: float = 2e-3
    """Learning rate of Adam (Table 6)."""
    steps: int = 10
    """K, Adam steps of the trial step (Table 6)."""
    br_steps: int = 5
    """K_BR, Adam steps of the best response (Table 6)."""
    br_rate: float = 2e-3
    """Learning rate of the best response's steps (Table 6)."""
    clip: float = 0.1
    """Bound of the probability ratios of the trial step (Table 6)."""
    br_clip: float = 0.1
    """Bound of the best response's sample weights (Table 6)."""
    meta_clip: float = float("inf")
    """Bound of the meta-game's ratios (authors' configuration, never read by their
    code: 0.1)."""
    entropy: float = 5e-3
    """Coefficient relative to the policy's (Table 6: .05 to 10)."""
    kl: float = 1e-3
    """Coefficient relative to the policy's (Table 6: .01 to 10)."""
    gamma: float = 0.99
    """Discount factor (Table 6)."""
    lam: float = 0.95
    """lambda of the advantage estimate (what ran in the authors' code)."""
    target_kl: float = 0.1
    """Divergence at which an agent rests (authors' code: after 1.5 times this)."""
    value_clip: float = 0.1
    """Bound of a value's change in an iteration (authors' code); inf for none."""
    width: int = 128
    """Units of each hidden layer (Table 6)."""
    run: Flat[Parallel] = Parallel()

    may_change: ClassVar = ("methods", "seeds")


def settings(config: Config) -> "Settings":
    """The settings of every method."""
    from matrl.methods import Settings
    from metaspiel.learn.ppo import PPO

    names = (
        *("batch", "envs", "rate", "steps", "clip", "entropy", "kl", "gamma", "lam"),
        *("target_kl", "value_clip", "width"),
    )
    return Settings(
        ppo=PPO(**{name: getattr(config, name) for name in names}),
        br_steps=config.br_steps,
        br_rate=config.br_rate,
        br_clip=config.br_clip,
        meta_clip=config.meta_clip,
    )


def plan(config: Config) -> "list[Cell]":
    """Every run, seed by seed."""
    from experiments.matrl.cells import Cell

    chosen = settings(config)
    return [
        Cell(
            label=method,
            game=config.game,
            method=method,
            settings=chosen,
            seed=config.seed + number,
            iterations=config.iterations,
            keep=config.iterations // config.checkpoints,
        )
        for number in range(config.seeds)
        for method in config.methods
    ]


def check(config: Config) -> "list[Cell]":
    """The runs, or a sentence that says why they cannot begin."""
    from experiments.matrl import cells as _cells
    from matrl.methods import METHODS
    from metaspiel.games.markov import Discrete
    from metaspiel.games.worlds import load

    for name in ("seeds", "iterations", "checkpoints"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name} must be at least 1; got {getattr(config, name)}")
    if config.seed < 0:
        raise UserError(f"--seed must be at least 0; got {config.seed}")
    if config.games < 2 or config.games % 2:
        raise UserError(
            f"--games must be even, for both sides, and at least 2; got {config.games}"
        )
    if config.iterations % config.checkpoints:
        raise UserError(
            f"--iterations must be a multiple of --checkpoints, {config.checkpoints}; "
            f"got {config.iterations}"
        )
    for name in config.methods:
        if name not in METHODS:
            raise unknown("--methods", "method", name, METHODS)
    if len(config.methods) < 2 or len(set(config.methods)) < len(config.methods):
        raise UserError(
            "--methods must name at least two, and none twice; "
            f"got {' '.join(config.methods) or 'none'}"
        )
    game = load(config.game)
    if game.agents != 2 or not isinstance(game.actions, Discrete):
        raise UserError(
            "--game must have two agents and discrete actions; "
            f"got {config.game} with {game.agents} and {game.actions}"
        )
    import numpy as np

    game.start(np.zeros((1, game.draws)))  # a missing extra says so
    cells = plan(config)
    _cells.check(cells)
    return cells
