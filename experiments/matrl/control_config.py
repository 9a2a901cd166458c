"""Tasks and settings of the robot page."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from experiments.lab.options import Flat, Parallel
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments.matrl.cells import Cell
    from matrl.methods import Settings
    from metaspiel.games.markov import MarkovGame


TASKS = {"hopper": "Figure 4c", "ant": "Figure 8", "swimmer": "Figure 8"}


"""Games, and where the paper draws them."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    tasks: tuple[str, ...] = ("hopper", "ant", "swimmer")
    """Robots to learn, of hopper, ant and swimmer."""
    methods: tuple[str, ...] = ("il", "matrl")
    """Methods to compare, of il, il-matched, il-la, matrl, matrl-wo-br and random-
    rho."""
    iterations: int = 75
    """Iterations of each cell; 75 of 4000 steps are 0.3 million."""
    seeds: int = 3
    """Cells of each task and method."""
    seed: int = 0
    """Seed of the first cell; the others count on."""
    limit: int = 1000
    """Steps after which an episode ends."""
    batch: int = 4000
    """Steps an iteration (Table 5)."""
    envs: int = 4
    """Robots played side by side."""
    rate: float = 2e-3
    """Learning rate of Adam (Table 5)."""
    steps: int = 10
    """K, Adam steps of the trial step (Table 5)."""
    br_steps: int = 5
    """K_BR, Adam steps of the best response (Table 5)."""
    br_rate: float = 2e-3
    """Learning rate of the best response's steps (Table 5)."""
    clip: float = 0.1
    """Bound of the probability ratios of the trial step (Table 5)."""
    br_clip: float = 0.1
    """Bound of the best response's sample weights (Table 5)."""
    meta_clip: float = float("inf")
    """Bound of the meta-game's ratios (authors' configuration, never read by their
    code: 0.1, Ant 0.2)."""
    entropy: float = 5e-4
    """Coefficient relative to the policy's (Table 5: .05 to 100)."""
    kl: float = 1e-4
    """Coefficient relative to the policy's (Table 5: .01 to 100)."""
    gamma: float = 0.99
    """Discount factor (Table 5)."""
    lam: float = 0.95
    """lambda of the advantage estimate (what ran in the authors' code)."""
    target_kl: float = 0.1
    """Divergence at which an agent rests (authors' code: after 1.5 times this)."""
    value_clip: float = float("inf")
    """Bound of a value's change in an iteration; inf for none (the paper's squared
    error)."""
    bootstrap_limits: bool = True
    """An episode cut by the time limit is worth what the critic says."""
    width: int = 128
    """Units of each hidden layer (Table 5)."""
    random_episodes: int = 20
    """Episodes of uniform actions, to compare with."""
    run: Flat[Parallel] = Parallel()

    may_change: ClassVar = ("tasks", "methods", "seeds", "iterations")


def game(config: Config, task: str) -> "MarkovGame":
    """The robot with this run's limit."""
    from metaspiel.games.worlds import load

    robot: Any = load(task)
    return replace(robot, limit=config.limit)


def settings(config: Config) -> "Settings":
    """The settings of every method."""
    from matrl.methods import Settings
    from metaspiel.learn.ppo import PPO

    names = (
        *("batch", "envs", "rate", "steps", "clip", "entropy", "kl", "gamma", "lam"),
        *("target_kl", "value_clip", "bootstrap_limits", "width"),
    )
    ppo = PPO(**{name: getattr(config, name) for name in names}, reward="team")
    return Settings(
        ppo=ppo,
        br_steps=config.br_steps,
        br_rate=config.br_rate,
        br_clip=config.br_clip,
        meta_clip=config.meta_clip,
    )


def plan(config: Config) -> "list[Cell]":
    """Every cell, seed by seed: a run that is cut short has some of everything."""
    from experiments.matrl.cells import Cell

    chosen = settings(config)
    return [
        Cell(
            label=f"{task} {method}",
            game=game(config, task).name,
            method=method,
            settings=chosen,
            seed=config.seed + number,
            iterations=config.iterations,
        )
        for number in range(config.seeds)
        for task in config.tasks
        for method in config.methods
    ]


def check(config: Config) -> "list[Cell]":
    """The cells, or a sentence that says why they cannot begin."""
    from experiments.matrl import cells as _cells
    from matrl.methods import METHODS

    for name in ("iterations", "seeds", "random_episodes"):
        if getattr(config, name) < 1:
            raise UserError(
                f"--{name.replace('_', '-')} must be at least 1; "
                f"got {getattr(config, name)}"
            )
    if config.seed < 0:
        raise UserError(f"--seed must be at least 0; got {config.seed}")
    for flag, given, known in (
        ("--tasks", config.tasks, TASKS),
        ("--methods", config.methods, METHODS),
    ):
        for name in given:
            if name not in known:
                raise unknown(flag, flag[2:-1], name, known)
        if not given or len(set(given)) < len(given):
            raise UserError(
                f"{flag} must name something, and nothing twice; "
                f"got {' '.join(given) or 'nothing'}"
            )
    cells = plan(config)
    _cells.check(cells)
    for task in config.tasks:
        random_returns(config, task, 1, 1)
    return cells


def random_returns(
    config: Config, task: str, episodes: int, most: int | None = None
) -> list[float]:
    """Team returns of uniform actions.

    Raises:
      UserError: the extra ``mujoco`` is not installed.
    """
    from metaspiel.learn.random import stream

    robot = game(config, task)
    rng = stream(config.seed, sorted(TASKS).index(task))
    scene = robot.start(rng.random((episodes, robot.draws)))
    total = scene.rewards.sum(1)
    for _ in range(most or robot.limit):
        shape = (episodes, robot.agents, robot.actions.size)
        scene = robot.step(scene, rng.uniform(-1, 1, shape).astype("float32"))
        total += scene.rewards.sum(1)
        if scene.over.all():
            break
    returns: list[float] = total.tolist()
    return returns
