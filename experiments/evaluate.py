"""Exploitability of runs that exist, and how they do against each other.

Example: metaspiel evaluate runs/a
         metaspiel evaluate runs/a runs/b --json

Reads runs of "psro", writes nothing. Gaps are exact where the tree of the game fits;
elsewhere --learned asks for responses as the run learned its own. With several runs of
one game every seating of them is played: exactly in the tree, else in episodes, with
standard errors. NashConv is of players who draw their policies alone: under CCE and CE
that is another meta-strategy than the run's.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab import report
from experiments.lab.options import Flat, Printing, least
from experiments.lab.page import Answer, main
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:  # what loads scipy
    from experiments.psro.stored import StoredRun
    from psro.crossplay import CrossPlay
    from psro.exploiting import Exploit

_COLUMNS = (
    "run", "game", "solver", "policies", "gap", "NashConv", "exploitability", "how",
)  # fmt: skip
_MOST = 1000  # seatings in a table


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of an evaluation."""

    first = "runs"
    runs: tuple[Path, ...] = ()
    """Run folders; of a run of several trials that of one, runs/x/trial_0."""
    learned: bool = False
    """Measure by learned responses, as the run learned its own; a lower bound."""
    members: bool = False
    """Play every profile of single policies of the runs too (--json has them)."""
    episodes: int = 1000
    """Episodes of each payoff that is sampled."""
    seed: int = 0
    """Seed of what is sampled or learned."""
    run: Flat[Printing] = Printing()


def page(config: Config) -> Answer:
    """Measures the runs and has them play each other."""
    least(config, episodes=2, seed=0)
    if not config.runs:
        raise UserError("--runs must name one run folder or more; got none")
    from experiments.psro.crossing import cross_play
    from experiments.psro.loading import opened

    runs = [opened(folder, trusted=config.run.trust) for folder in config.runs]
    facts = [_measured(config, run) for run in runs]
    summary: dict[str, Any] = {"runs": facts, "cross_play": None}
    tables = [_table(facts)]
    if len(runs) > 1 or config.members:
        crossed = cross_play(
            runs, members=config.members, episodes=config.episodes, seed=config.seed
        )
        summary["cross_play"] = _record(crossed)
        tables.append(_seatings(crossed))
    return Answer(summary=summary, text="\n\n".join(tables))


def _measured(config: Config, run: "StoredRun") -> dict[str, Any]:
    """What there is to say about a run, as JSON values."""
    exploit = run.exploit("exact") if run.fits else None
    if config.learned:
        exploit = run.exploit("learned", seed=config.seed)
    facts: dict[str, Any] = {
        "folder": str(run.folder),
        "game": run.arena.name,
        "solver": run.config.solver,
        "concept": run.concept,
        "iteration": run.state.iteration,
        "policies": list(run.population.sizes),
        "independent": run.independent,
        "gap_recorded": run.gap,
        **_exploited(exploit, run),
        "nash_conv": None,
        "exploitability": None,
    }
    if run.fits:
        alone = run.mixture.alone
        facts["nash_conv"] = float(alone.gap.sum())
        if alone.zero_sum:
            facts["exploitability"] = facts["nash_conv"] / 2
    return facts


def _exploited(exploit: "Exploit | None", run: "StoredRun") -> dict[str, Any]:
    if exploit is None:
        how = "not measured: the tree does not fit (--learned estimates a lower bound)"
        if run.arena.network is None:
            how = "not measured: only the run's own oracle knows its policies"
        return {"gap": None, "gap_error": None, "gap_per_player": None, "how": how}
    return {
        "gap": exploit.total,
        "gap_error": exploit.error,
        "gap_per_player": exploit.gap.tolist(),
        "values": exploit.values.tolist(),
        "how": exploit.how,
    }


def _table(facts: list[dict[str, Any]]) -> str:
    from rich.table import Table

    shown = Table(*_COLUMNS)
    for one in facts:
        gap = _number(one["gap"], one["gap_error"] or None)
        cells = [
            *(one[name] for name in ("folder", "game", "solver")),
            "x".join(map(str, one["policies"])),
            f"{one['concept'].upper()} {gap}",
            *(_number(one[name]) for name in ("nash_conv", "exploitability")),
            one["how"],
        ]
        shown.add_row(*cells)
    return report.console(shown)


def _number(mean: float | None, error: float | None = None) -> str:
    if mean is None:
        return "-"
    text = f"{round(mean, 12) + 0.0:.4g}"
    return text if error is None else f"{text} +- {error:.2g}"


def _record(crossed: "CrossPlay") -> dict[str, Any]:
    """Cross-play as JSON values."""
    known: dict[str, Any] = {
        "names": list(crossed.names),
        "how": crossed.how,
        "means": crossed.means.tolist(),
        "errors": crossed.errors.tolist(),
    }
    if crossed.member_means is not None and crossed.member_errors is not None:
        known["member_means"] = crossed.member_means.tolist()
        known["member_errors"] = crossed.member_errors.tolist()
        known["owners"] = [[list(one) for one in seat] for seat in crossed.owners]
    return known


def _seatings(crossed: "CrossPlay") -> str:
    """Payoffs by who sits where: a matrix of two players, else a line a seating."""
    from rich.table import Table

    from psro.crossplay import seatings

    players, runs = len(crossed.means), len(crossed.names)

    def cell(seating: tuple[int, ...]) -> list[str]:
        errors = [crossed.errors[(p, *seating)] for p in range(players)]
        means = [crossed.means[(p, *seating)] for p in range(players)]
        return [
            _number(float(mean), float(error) if any(errors) else None)
            for mean, error in zip(means, errors, strict=True)
        ]

    head = f"Cross-play, {crossed.how}"
    if players == 2:
        shown = Table("player 0 \\ player 1", *crossed.names, title=head)
        for row, name in enumerate(crossed.names):
            cells = [", ".join(cell((row, column))) for column in range(runs)]
            shown.add_row(name, *cells)
        return report.console(shown)
    if runs**players > _MOST:
        return f"{head}: {runs**players} seatings, which --json lists"
    seats = [f"player {p}" for p in range(players)]
    shown = Table(*seats, *(f"payoff {p}" for p in range(players)), title=head)
    for seating in seatings(runs, players):
        shown.add_row(*(crossed.names[run] for run in seating), *cell(seating))
    return report.console(shown)


if __name__ == "__main__":
    sys.exit(main(page, Config))
