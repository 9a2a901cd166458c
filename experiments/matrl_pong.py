"""MATRL against independent learners in Pong, by cross-play of their checkpoints.

Example: python -m experiments.matrl_pong --out runs/pong

After Figure 5a of the MATRL paper (Wen et al.). Every method trains two agents by
self-play, once a seed, and keeps checkpoints. Then

- every checkpoint of the first method plays every checkpoint of the second of the same
  seed, each method as agent 0 in half of the games (the score matrix);
- the final agents of all methods and seeds play one another (the league), which says
  how often a method wins, and gives the game in which one chooses a method: its
  equilibrium and its alpha-rank;
- every checkpoint plays against random play and, in mini_pong, against a script that
  follows the ball.

A game's score is half the difference of both agents' returns: in mini_pong the points
of the first side less those of the second, from -3 to 3. Two final agents of a run are
two networks; a method is judged by both.

The default game is metaspiel.games.mini_pong, which needs no ROM and no pixels: the
paper's is the Atari game, with --game "atari_pong" after pip install .[atari] (about
2,000 steps a second, so hours for the paper's 0.2 million frames; what agents see of it
is in metaspiel.games.atari). Settings are those of the paper's Table 6, whose
coefficients of entropy and KL, .05 and .01, go with 10 on the policy's loss, so they
are .005 and .001 here; the number of steps is ours. The paper plays 20 games a pair;
the default is 200.

Writes summary.json, scores.npz, table.md, plots, report.html, cells/ with metrics and
checkpoints, and matches/. A killed run goes on with --out FOLDER --resume, which also
adds methods and seeds.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from experiments import _run
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments._cells import Cell
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
    jobs: int = 1
    """Processes that train or play at once."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Go on with the run in --out."""
    json: bool = False
    """Print the summary as JSON and nothing else on stdout."""
    quiet: bool = False
    """Print no progress."""
    config: Path | None = None
    """YAML file with defaults for these fields."""

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
    from experiments._cells import Cell

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
    from experiments import _cells
    from matrl.methods import METHODS
    from metaspiel.games.markov import Discrete
    from metaspiel.games.worlds import load

    for name in ("seeds", "iterations", "checkpoints", "jobs"):
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


def run(config: Config) -> dict[str, Any]:
    """Trains and plays what is missing, judges and reports; returns the summary."""
    cells = check(config)
    from experiments import _cells, _folder
    from experiments import _matrl_pong as judged
    from experiments import _matrl_pong_matches as matches
    from experiments import _matrl_pong_report as report

    with _run.claim(config.out, "matrl_pong", config.resume) as folder:
        _folder.record(folder, config)  # type: ignore[arg-type]
        silent = config.quiet or config.json
        faults = _cells.train(cells, folder, config.jobs, silent)
        _cells.complain(faults, folder)
        scores = matches.played(config, cells, folder, silent)
        summary = judged.summarise(config, scores, judged.cpu(cells, folder))
        _run.write_json(folder / "summary.json", summary)
        _run.write_text(folder / "table.md", report.text(summary) + "\n")
        scores.save(folder / "scores.npz")
        report.write(folder, config, summary, scores)
    return summary


def page(config: Config) -> None:
    """Runs and prints the tables."""
    summary = run(config)
    if config.json:
        print(json.dumps(_run.spelled(summary)))
    elif not config.quiet:
        from experiments._matrl_pong_report import text

        print(text(summary))


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
