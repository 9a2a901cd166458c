"""MATRL, its ablations and its controls in grid worlds (MATRL, Figures 4a and 4b).

Example: python -m experiments.matrl_grid --seeds 5 --jobs 2 --out runs/grid
Example: python -m experiments.matrl_grid --games switch2 --methods il matrl --seeds 2

Every method is trained on every task with every seed; runs of one number begin with the
same networks and the same first episodes, so methods are compared pair by pair. Tasks:
checkers (each agent learns from its own reward), checkers-team (from the sum), switch2,
switch3 and switch4, by --rules; with -legacy or -modern after the name by those. Any
other world goes by its name in metaspiel.games.worlds, such as
"switch(agents=3,sight=joint)".

Methods: il (independent PPO), il-la, matrl, matrl-wo-br, the controls il-matched (as
many steps as MATRL) and random-rho; il-six-rows is il whose updates see six samples, as
those of the authors' independent learner did; vdn, qmix, qtran and maddpg learn from a
replay and are measured without exploration.

Writes cells/ (metrics and a checkpoint of every run), summary.json, table.md, plots and
report.html. A killed run goes on with --out FOLDER --resume, to the same bits; it may
then ask for more tasks, methods or seeds. Where learning diverges the other runs go on,
the report says so, and the page ends with exit code 2 and one sentence.
"""

import json
import sys
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from experiments import _run
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments._cells import Cell, Outcome

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
    jobs: int = 1
    """Processes that train (one thread each); the results do not depend on it."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Continue the run in --out: what is trained is kept."""
    config: Path | None = None
    """YAML file with defaults for these fields."""
    json: bool = False
    """Print the summary as one JSON object and nothing else on stdout."""
    quiet: bool = False
    """Print no progress."""


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
    from experiments._cells import Cell
    from experiments._cells import check as check_cells

    for name, least in (("seeds", 1), ("seed", 0), ("jobs", 1), ("last", 1)):
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


def widened(folder: Path, config: Config) -> Config:
    """The configuration with all that earlier runs of the folder were asked for."""
    place = folder / "config.json"
    if not place.is_file():
        return config
    before = _run.stored(folder)
    lists: dict[str, Any] = {
        name: tuple(dict.fromkeys([*before[name], *getattr(config, name)]))
        for name in ("games", "methods")
    }
    return replace(config, seeds=max(before["seeds"], config.seeds), **lists)


def run(config: Config) -> "tuple[Path, dict[str, Any], list[Outcome]]":
    """Trains what is missing and reports: the folder, the summary, the faults.

    Raises:
      UserError: something is impossible.
    """
    check(config)
    from experiments import _cells, _folder, _matrl_grid_report

    with _run.claim(config.out, "matrl_grid", config.resume) as folder:
        config = widened(folder, config)
        cells = check(config)
        recorded: Any = config
        _folder.record(folder, recorded)
        begun = time.monotonic()
        try:
            silent = config.quiet or config.json
            faults = _cells.train(cells, folder, config.jobs, silent)
        finally:
            _folder.clock(folder, time.monotonic() - begun)
        summary = _matrl_grid_report.write(folder, config, cells, faults)
    return folder, summary, faults


def page(config: Config) -> None:
    """Runs, and prints the tables or the summary; faults are told at the end."""
    from experiments._cells import complain

    folder, summary, faults = run(config)
    if config.json:
        print(json.dumps(_run.spelled(summary)))
    elif not config.quiet:
        print((folder / "table.md").read_text("utf-8"))
        print(f"-> {folder}")
    complain(faults, folder)


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
