"""Tasks, methods and settings of the grid-world page."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from experiments.lab.options import Flat, Parallel
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments.matrl.cells import Cell


Reward = Literal["own", "team"]


METHODS = ("il", "il-matched", "il-la", "matrl", "matrl-wo-br", "random-rho")


MORE_METHODS = ("il-six-rows", "vdn", "qmix", "qtran", "maddpg")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A game and how it is learned.

    Attributes:
      name: for readers.
      game: as ``metaspiel.games.worlds.load`` reads it.
      reward: whose reward an agent learns from.
      steps: environment steps of a run.
      published: final team returns that MATRL's Figure 4 shows, by method.
    """

    name: str
    game: str
    reward: Reward = "own"
    steps: int = 400_000
    published: tuple[tuple[str, float], ...] = ()


_CHECKERS = (("matrl", 18.0), ("il", -2.0))


TASKS = {
    "checkers": Task(
        name="checkers",
        game="checkers(rules={})",
        reward="own",
        steps=400_000,
        published=_CHECKERS,
    ),
    "checkers-team": Task(
        name="checkers-team", game="checkers(rules={})", reward="team", steps=400_000
    ),
    "switch2": Task(
        name="switch2", game="switch(agents=2,rules={})", reward="own", steps=1_000_000
    ),
    "switch3": Task(
        name="switch3", game="switch(agents=3,rules={})", reward="own", steps=1_000_000
    ),
    "switch4": Task(
        name="switch4",
        game="switch(agents=4,rules={})",
        reward="own",
        steps=1_000_000,
        published=(("matrl", 6.5),),
    ),
}


"""Tasks by name; the rules go into the braces."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page; most are explained in metaspiel.learn.ppo, matrl.methods."""

    may_change: ClassVar[tuple[str, ...]] = ("games", "methods", "seeds")

    games: tuple[str, ...] = ("checkers", "checkers-team", "switch2", "switch4")
    """Tasks, or worlds by name."""
    methods: tuple[str, ...] = METHODS
    """Methods to compare, of those listed above."""
    rules: Literal["legacy", "modern"] = "legacy"
    """Rules of tasks that do not name theirs: ma-gym as the authors had it, or
    0.0.14."""
    seeds: int = 5
    """Runs of each method on each task."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int | None = None
    """Iterations of a run (default: 0.4 million steps, 1 million in Switch, as
    published)."""
    last: int = 10
    """Iterations at the end whose mean is a run's final return."""
    reward: Reward | None = None
    """Whose reward an agent learns from (default: as the task says)."""
    batch: int = 2000
    """Environment steps of an iteration."""
    envs: int | None = None
    """Environments side by side (default: so many that each has time for one whole
    episode an iteration: 20 in Checkers, 40 in Switch)."""
    rate: float = 2e-3
    """Learning rate of Adam."""
    steps: int = 10
    """K, steps of an update, on the whole batch."""
    clip: float = 0.1
    """epsilon of the clipped objective."""
    entropy: float = 0.05
    """Coefficient of the entropy bonus (c_H)."""
    kl: float = 1e-3
    """Coefficient of the divergence penalty (c_KL)."""
    gamma: float = 0.99
    """Discount factor."""
    lam: float = 0.95
    """lambda of the advantage estimate."""
    target_kl: float = 0.1
    """An actor rests for the iteration beyond 1.5 of it; inf for never."""
    value_clip: float = 0.1
    """How far a value moves in an iteration; inf for as far as it likes."""
    value_target: Literal["to_go", "gae"] = "to_go"
    """What the critic learns to predict."""
    bootstrap_limits: bool = False
    """An episode cut by the time limit is worth what the critic says."""
    width: int = 128
    """Units of a hidden layer."""
    rows: int = 0
    """Samples that updates see, 0 for all; 6 emulates the authors' learner."""
    br_steps: int = 5
    """K_BR, steps of the best response."""
    br_rate: float | None = None
    """Learning rate of the best response's steps (default: --rate)."""
    br_clip: float = 0.1
    """c-bar, bound of the best response's sample weights."""
    meta_clip: float | None = None
    """c_m, bound of joint ratios in the meta-game (default: none)."""
    aggregate: Literal["params", "distill", "mixture"] = "params"
    """How an agent that keeps a share of its step is made."""
    distill_steps: int = 5
    """Adam steps when an aggregate is distilled."""
    br_start: Literal["aggregate", "current"] = "aggregate"
    """Where the best response begins."""
    held_out: float = 0.0
    """Share of the environments that only the meta-game sees."""
    cautious: float = 0.0
    """Standard errors by which a moved profile is valued lower."""
    select: Literal["first", "random", "max_welfare", "risk_dominant"] = "random"
    """Which of several equilibria the meta-game plays."""
    pure_first: bool = False
    """Prefer pure equilibria to mixed ones."""
    moments: Literal["keep", "reset"] = "keep"
    """Whether Adam's moments last from iteration to iteration."""
    most: float = 1e6
    """A larger ratio of probabilities ends a run."""
    run: Flat[Parallel] = Parallel()


def task(config: Config, name: str) -> Task:
    """A task by name.

    Raises:
      UserError: there is no task or world of that name.
    """
    from metaspiel.games.worlds import WORLDS

    base, rules = name, config.rules
    for ending in ("legacy", "modern"):
        if name.endswith(f"-{ending}"):
            base, rules = name.removesuffix(f"-{ending}"), ending
    if base in TASKS:
        chosen = TASKS[base]
        chosen = replace(chosen, name=name, game=chosen.game.format(rules))
    elif name.partition("(")[0].strip() in WORLDS:
        chosen = Task(name=name, game=name)
    else:
        raise unknown("--games", "task or world", name, [*TASKS, *WORLDS])
    if base == "checkers-team" and config.reward == "own":
        raise UserError("--reward: checkers-team must have 'team'; got 'own'")
    return replace(chosen, reward=config.reward or chosen.reward)


def iterations(config: Config, chosen: Task) -> int:
    """The iterations of a run of a task."""
    return config.iterations or max(1, chosen.steps // config.batch)


def envs(config: Config, limit: int) -> int:
    """The environments that a run plays side by side."""
    return side(config.batch, limit) if config.envs is None else config.envs


def side(batch: int, limit: int) -> int:
    """The environments side by side that each have time for a whole episode."""
    most = max(1, batch // limit)
    return next(n for n in range(most, 0, -1) if batch % n == 0)


def settings(config: Config, chosen: Task, method: str) -> Any:
    """The settings of a method, of its own class."""
    from matrl.methods import Settings
    from metaspiel.games.worlds import load
    from metaspiel.learn.ppo import PPO

    side = envs(config, load(chosen.game).limit)
    common: dict[str, Any] = {"batch": config.batch, "envs": side}
    if method in ("vdn", "qmix", "qtran"):
        from metaspiel.learn.mixing import Mixing

        kind: Any = method
        return Mixing(kind=kind, gamma=config.gamma, **common)
    if method == "maddpg":
        from metaspiel.learn.maddpg import MADDPG

        return MADDPG(gamma=config.gamma, reward=chosen.reward, **common)
    given = {k: v for k, v in vars(config).items() if v is not None}
    ours = {f.name: given[f.name] for f in fields(PPO) if f.name in given}
    ppo = PPO(**(ours | common | {"reward": chosen.reward}))
    if method == "il-six-rows":
        ppo = replace(ppo, rows=6)
    ours = {f.name: given[f.name] for f in fields(Settings) if f.name in given}
    return Settings(**({"br_rate": config.rate} | ours | {"ppo": ppo}))


def check(config: Config) -> "list[Cell]":
    """All runs, or a sentence that says why they cannot be made.

    Raises:
      UserError: a field is impossible, or a task, world or method unknown.
    """
    from experiments.matrl.cells import Cell
    from experiments.matrl.cells import check as check_cells

    for name, least in (("seeds", 1), ("seed", 0), ("last", 1)):
        if getattr(config, name) < least:
            raise UserError(
                f"--{name} must be at least {least}; got {getattr(config, name)}"
            )
    for name in ("iterations", "batch", "envs"):
        if (getattr(config, name) or 1) < 1 or getattr(config, name) == 0:
            raise UserError(f"--{name} must be at least 1; got {getattr(config, name)}")
    for name in ("games", "methods"):
        asked = getattr(config, name)
        if not asked or len(set(asked)) < len(asked):
            raise UserError(f"--{name} must be named, each once; got {list(asked)}")
    for method in config.methods:
        if method not in (*METHODS, *MORE_METHODS):
            known = (*METHODS, *MORE_METHODS)
            raise unknown("--methods", "method", method, known)
    tasks = [task(config, name) for name in config.games]
    cells = [
        Cell(
            label=f"{one.name} {method}",
            game=one.game,
            method="il" if method == "il-six-rows" else method,
            settings=settings(config, one, method),
            seed=config.seed + number,
            iterations=iterations(config, one),
        )
        for number in range(config.seeds)
        for one in tasks
        for method in config.methods
    ]
    check_cells(cells)
    return cells
