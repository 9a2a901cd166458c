"""What an iteration of MATRL costs, and where the time goes (MATRL, Figure 5b).

Example: python -m experiments.matrl_cost --out runs/cost

All times are CPU seconds of one process with one thread.

iteration: every method takes one iteration from the same state, in turn, so that the
load of the machine hits all alike; the independent learner's leads on to the next
round. Medians over rounds, by phase: play, trial step, meta-game, aggregation,
response. The ratio to the independent learner is the median of the rounds' ratios.

simulator: environment steps a second with random actions, at 40 environments (and one,
and a thousand), beside those of ma-gym.

nash: solving a two-action game with random payoffs and estimating the meta-game from
2000 samples, by number of agents, beside the CMA-ES that the authors solve it with.

Writes parts/ (one file a measurement; with --out FOLDER --resume those that are there
are kept), summary.json, table.md, a plot and report.html.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from experiments import _run
from metaspiel.nfg.errors import UserError, unknown

Part = Literal["iteration", "simulator", "nash"]
PARTS: tuple[Part, ...] = get_args(Part)
METHODS = ("il", "il-matched", "il-la", "matrl-wo-br", "matrl", "random-rho")
GAMES = (
    *("checkers", "switch", "switch(agents=3)", "switch(agents=4)", "pennies"),
    *(f"pennies(agents={n})" for n in range(3, 7)),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    parts: tuple[Part, ...] = PARTS
    """Parts of the cost to measure."""
    games: tuple[str, ...] = GAMES
    """Worlds in which iterations are timed."""
    methods: tuple[str, ...] = METHODS
    """Methods to time, of matrl.methods; the first must be il."""
    rounds: int = 20
    """Rounds of a measurement, whose median counts."""
    warm: int = 20
    """Iterations of il before the first round."""
    batch: int = 2000
    """Environment steps of an iteration."""
    steps: int = 10
    """Steps of an update (K)."""
    br_steps: int = 5
    """Steps of the best response (K_BR)."""
    width: int = 128
    """Units of a hidden layer."""
    most: int = 6
    """Agents of the largest game that is solved."""
    seed: int = 0
    """Seed of everything random."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Continue the run in --out: what is measured is kept."""
    json: bool = False
    """Print the summary as JSON and nothing else on stdout."""
    quiet: bool = False
    """Print no progress."""
    config: Path | None = None
    """YAML file with defaults for these fields."""


def check(config: Config) -> None:
    """Refuses what cannot be measured.

    Raises:
      UserError: a field is impossible, or a world, method or part unknown.
    """
    from experiments._matrl_cost import settings
    from matrl import loop
    from matrl.methods import METHODS as KNOWN
    from metaspiel.games.worlds import load

    for name, least in (("rounds", 1), ("warm", 0), ("seed", 0), ("batch", 1)):
        if getattr(config, name) < least:
            raise UserError(
                f"--{name} must be at least {least}; got {getattr(config, name)}"
            )
    if not 2 <= config.most <= 8:
        raise UserError(f"--most must be from 2 to 8; got {config.most}")
    for name in ("parts", "games", "methods"):
        asked = getattr(config, name)
        if not asked or len(set(asked)) < len(asked):
            raise UserError(f"--{name} must be named, each once; got {list(asked)}")
    for method in config.methods:
        if method not in KNOWN:
            raise unknown("--methods", "method", method, KNOWN)
    if config.methods[0] != "il":
        raise UserError(
            f"--methods must begin with il, the measure of all; got {config.methods[0]}"
        )
    for name in config.games:
        game = load(name)
        loop.start(game, settings(config, game), config.seed)


def run(config: Config) -> dict[str, Any]:
    """Measures what is missing; returns the summary."""
    check(config)
    import torch

    from experiments import _folder, _matrl_cost, _matrl_cost_report

    torch.set_num_threads(1)
    with _run.claim(config.out, "matrl_cost", config.resume) as folder:
        recorded: Any = config
        _folder.record(folder, recorded)
        (folder / "parts").mkdir(exist_ok=True)
        rows = []
        for name, work in _matrl_cost.works(config):
            place = folder / "parts" / f"{name}.json"
            row = _run.piece(place, config, work)
            rows.append(row)
            if not (config.quiet or config.json):
                print(_matrl_cost_report.line(row), flush=True)
        return _matrl_cost_report.write(folder, config, rows)


def page(config: Config) -> None:
    """Runs and says where the results are."""
    summary = run(config)
    if config.json:
        print(json.dumps(_run.spelled(summary)))
    elif not config.quiet:
        folder = Path(summary["folder"])
        print((folder / "table.md").read_text("utf-8"))
        print(f"-> {folder}")


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
