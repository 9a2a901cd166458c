"""Runs the rules on 2 x 2 games and the rotational game, and reports."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy import ndarray

from experiments.lab import report, verdict
from experiments.lab.estimates import wilson
from experiments.lab.folder import claim, record
from experiments.lab.page import Answer
from experiments.matrl.matrix_claims import claims
from experiments.matrl.matrix_config import Config
from experiments.matrl.matrix_report import pictures, tables
from experiments.matrl.matrix_results import (
    COMPARED,
    Counted,
    Paired,
    PureShare,
    Result,
    Summary,
    Turned,
    corrected,
    entrants,
    paired,
    pennies,
    run_rule,
    sweepers,
)
from matrl.counts import count_meta_games, with_pure
from matrl.dynamics import IGA, LookAhead, Rule, WoLF, path
from matrl.matrix_games import NAMED, Games, draw, gather
from matrl.rotation import METHODS, first_within
from matrl.rotation import run as rotate
from metaspiel import files

Arrays = dict[str, ndarray]
_SAMPLE = 200  # games whose meta-games are counted
_AGENTS, _DRAWN = (2, 3, 4, 6), 10_000  # random meta-games, so many of each number


def run(config: Config) -> Answer:
    """Runs everything, judges and reports."""
    with claim(config.run, "matrl_matrix") as folder:
        record(folder, config)
        arrays: Arrays = {}
        summary = measure(config, arrays)
        judged = claims(config, summary)
        made = {**summary.record, "claims": [one.record for one in judged]}
        shown = tables(config, summary, judged)
        files.write_arrays(folder / "arrays.npz", arrays, compressed=True)
        report.publish(
            folder,
            made,
            title="MATRL on 2 x 2 games and the rotational game",
            opening=report.Opening(
                ran=[
                    f"{config.games} random games of each class, {config.steps} steps, "
                    "from (0.9, 0.2).",
                ],
                result=[f"Claims: {verdict.counted(judged)}."],
                sure=[
                    "Converged: both probabilities within 0.05 of a Nash equilibrium's "
                    "for the first time; stays: they never leave again. Rates have "
                    "Wilson 95 % intervals, mean steps bootstrapped ones (BCa).",
                ],
            ),
            tables=shown,
            figures=pictures(config, summary, arrays),
        )
    return Answer(summary=made, text="\n".join(table.markdown for table in shown))


def measure(config: Config, arrays: Arrays) -> Summary:
    """Everything that is measured; steps and points are put into the arrays."""
    table: list[Result] = []
    pairs: list[Paired] = []
    swept: list[Result] = []
    counted: list[Counted] = []
    for kind in config.classes:
        games = Games.of(draw(kind, config.games, config.seed))
        table += _table(config, kind, games, arrays=arrays, pairs=pairs)
        swept += _sweep(config, kind, games, arrays=arrays)
        counted += _counted(config, kind, games)
    _named(config, arrays)
    return Summary(
        table=table,
        paired=corrected(pairs),
        sweep=swept,
        meta_games=counted,
        pure=[_pure_share(config, agents) for agents in _AGENTS],
        rotation=list(_rotation(config, arrays)),
        pennies=pennies(config),
    )


def _table(
    config: Config, kind: str, games: Games, *, arrays: Arrays, pairs: list[Paired]
) -> Iterator[Result]:
    """Table 1 of a class, and MATRL against the others game by game."""
    races = {}
    for entrant in entrants(config):
        result, played = run_rule(entrant, games, config, kind=kind, step=None)
        races[entrant.key] = played
        arrays[f"first/{kind}/{entrant.key}"] = played.first
        arrays[f"settled/{kind}/{entrant.key}"] = played.settled
        steps, seconds = report.number(result.first.steps), result.cpu_seconds
        text = f"{result.first.rate:5.1f} % in {steps} steps  {seconds:.2f} CPU s"
        config.run.say(f"{kind:<18} {entrant.label:<28} {text}")
        yield result
    for key in COMPARED:
        pairs.append(paired(kind, key, races, steps=config.steps, seed=config.seed))


def _sweep(
    config: Config, kind: str, games: Games, *, arrays: Arrays
) -> Iterator[Result]:
    """All rules at each step size."""
    for size in config.sweep:
        rates = []
        for entrant in sweepers(config, size):
            result, played = run_rule(entrant, games, config, kind=kind, step=size)
            arrays[f"sweep/{kind}/{size:g}/{entrant.key}"] = played.settled
            if entrant.key in ("iga", "la", "matrl"):
                rates.append(f"{entrant.label} {result.stays.rate:.1f} %")
            yield result
        config.run.say(f"{kind:<18} step {size:<5g} stays: {', '.join(rates)}")


def _counted(config: Config, kind: str, games: Games) -> Iterator[Counted]:
    """What the gate does, by step size, on the first games of a class."""
    some = Games.of(games.payoffs[:_SAMPLE])
    rules = [config.matrl(), *map(config.matrl, config.sweep)]
    for rule in dict.fromkeys(rules):
        counts = count_meta_games(rule, some, config.steps, config.seed)
        yield Counted(
            kind=kind,
            alpha=rule.alpha,
            beta=rule.beta,
            games=some.count,
            **asdict(counts),
        )


def _pure_share(config: Config, agents: int) -> PureShare:
    """Remark 2 by the number of agents."""
    pure = with_pure(agents, _DRAWN, config.seed)
    low, high = wilson(pure, _DRAWN)
    share = 100 * pure / _DRAWN
    return PureShare(agents=agents, meta_games=_DRAWN, pure=share, low=low, high=high)


def _rotation(config: Config, arrays: Arrays) -> Iterator[Turned]:
    """Figure 3: from (1, 1), 1000 steps."""
    start, select, seed = np.ones((1, 2)), config.selection, config.seed
    for method in METHODS:
        trace = rotate(method, start, rate=config.rate, select=select, seed=seed)
        norms, both = trace.norms(), (trace.rho == 0).all(axis=2).mean()
        arrays[f"rotation/{method}"] = trace.points[:, 0]
        yield Turned(
            method,
            float(norms[1, 0] / norms[0, 0]),
            steps=first_within(norms, 0.01)[0],
            both_switch=float(both) if method.startswith("matrl") else None,
        )


def _named(config: Config, arrays: Arrays) -> None:
    """Paths and steps of the named games of Figure 7."""
    games = gather(NAMED)
    drawn: dict[str, Rule] = {
        "IGA": IGA(config.beta),
        "WoLF-IGA": WoLF(),
        "MATRL": config.matrl(),
        "IGA-LA": LookAhead(config.beta, config.alpha),  # drawn over MATRL
    }
    for name, rule in drawn.items():
        arrays[f"named/{name}"] = path(rule, games, config.steps, config.seed)
    arrays["named/equilibria"] = games.equilibria
