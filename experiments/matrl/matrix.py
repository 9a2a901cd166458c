"""MATRL on 2 x 2 games and the rotational game: Table 1, Figures 3 and 7, and controls.

Example: metaspiel matrl_matrix --out runs/matrl_matrix

Table 1 of Wen et al., MATRL: three classes of random games, one game a seed, from
(0.9, 0.2). A game has converged at the first step at which both probabilities are
within 0.05 of a Nash equilibrium's; it stays when they then never leave. Beside the
paper's rows stand controls: plain gradient ascent (IGA) with the step of MATRL's best
response and with both of its steps, look-ahead (IGA-LA) with its steps, and a random
gate. The sweep gives every rule one step size for all of its steps.

Figure 3: the rotational differential game, all methods at one rate. Figure 7:
trajectories on named games. Claims are judged by paired comparisons on the same games.

It takes about 35 CPU seconds at the default size, so there is nothing to resume.

Writes summary.json, arrays.npz (steps of every game, points of the figures), table.md,
plots and report.html.
"""

import sys
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record
from experiments.lab.page import Answer, main
from metaspiel import files

if TYPE_CHECKING:
    from numpy import ndarray

    from matrl.dynamics import Race, Rule
    from matrl.matrix_games import Games
from experiments.matrl.matrix_config import COMPARED, Config, check

_SAMPLE = 200  # games whose meta-games are counted


def run(config: Config) -> dict[str, Any]:
    """Runs everything; returns the summary."""
    check(config)
    from experiments.matrl import matrix_report as report
    from matrl.matrix_games import Games, draw

    with claim(config.run, "matrl_matrix") as folder:
        record(folder, config)
        arrays: dict[str, ndarray] = {}
        summary: dict[str, Any] = {
            "table": [],
            "paired": [],
            "sweep": [],
            "meta_games": [],
        }
        for kind in config.classes:
            games = Games.of(draw(kind, config.games, config.seed))
            _table(config, kind, games, summary, arrays)
            _sweep(config, kind, games, summary, arrays)
            _meta_games(config, kind, games, summary)
        from experiments.matrl.matrix_numbers import holm

        summary["paired"] = holm(summary["paired"])
        summary |= _rotation(config, arrays) | _named(config, arrays)
        summary["claims"] = report.claims(config, summary)
        files.write_arrays(folder / "arrays.npz", arrays, compressed=True)
        files.write_json(folder / "summary.json", summary)
        files.write_text(folder / "table.md", report.markdown(config, summary))
        report.render(folder, config, summary, arrays)
        return summary


def _say(config: Config, text: str) -> None:
    if not config.run.silent:
        print(text, flush=True)


def _table(
    config: Config,
    kind: str,
    games: "Games",
    summary: dict[str, Any],
    arrays: "dict[str, ndarray]",
) -> None:
    """Table 1 of a class, and MATRL against the others game by game."""
    from experiments.matrl import matrix_numbers as parts

    races = {}
    for entrant in parts.entrants(
        config.alpha, config.beta, config.gamma, config.selection
    ):
        played, seconds = parts.timed(entrant.rule, games, config.steps, config.seed)
        races[entrant.key] = played
        paper = parts.PAPER.get((entrant.key, kind))
        script = parts.SCRIPT.get((entrant.key, kind))
        made = {"class": kind, "key": entrant.key, "label": entrant.label}
        made |= parts.row(played, config.seed) | {"cpu_seconds": seconds}
        summary["table"].append(made | {"paper": paper, "script": script})
        arrays[f"first/{kind}/{entrant.key}"] = played.first
        arrays[f"settled/{kind}/{entrant.key}"] = played.settled
        steps = made["steps"]
        shown = "-" if steps is None else f"{steps:.1f}"
        _say(
            config,
            f"{kind:<18} {entrant.label:<28} {made['rate']:5.1f} % in {shown} steps  "
            f"{seconds:.2f} CPU s",
        )
    for key in COMPARED:
        compared = parts.paired(
            races["matrl"].first, races[key].first, config.steps, config.seed
        )
        summary["paired"].append({"class": kind, "other": key, **compared})


def _sweep(
    config: Config,
    kind: str,
    games: "Games",
    summary: dict[str, Any],
    arrays: "dict[str, ndarray]",
) -> None:
    """All rules at each step size."""
    from experiments.matrl import matrix_numbers as parts

    for size in config.sweep:
        rates = []
        for entrant in parts.sweepers(size, config.selection):
            played, seconds = parts.timed(
                entrant.rule, games, config.steps, config.seed
            )
            made = {"class": kind, "step": size, "key": entrant.key}
            made |= {"label": entrant.label, **parts.row(played, config.seed, True)}
            summary["sweep"].append(made | {"cpu_seconds": seconds})
            arrays[f"sweep/{kind}/{size:g}/{entrant.key}"] = played.settled
            if entrant.key in ("iga", "la", "matrl"):
                rates.append(f"{entrant.label} {made['stays_rate']:.1f} %")
        _say(config, f"{kind:<18} step {size:<5g} stays: {', '.join(rates)}")


def _meta_games(
    config: Config, kind: str, games: "Games", summary: dict[str, Any]
) -> None:
    """What the gate does, by step size, on the first games of a class."""
    from experiments.matrl import matrix_numbers as parts
    from matrl.dynamics import MATRL
    from matrl.matrix_games import Games

    some = Games.of(games.payoffs[:_SAMPLE])
    pairs = [(config.alpha, config.beta), *((s, s) for s in config.sweep)]
    for alpha, beta in dict.fromkeys(pairs):
        rule = MATRL(alpha=alpha, beta=beta, select=config.selection)
        measured = parts.meta_games(rule, some, config.steps, config.seed)
        facts = {"class": kind, "alpha": alpha, "beta": beta, "games": some.count}
        summary["meta_games"].append(facts | measured)


def _rotation(config: Config, arrays: "dict[str, ndarray]") -> dict[str, Any]:
    """Figure 3: from (1, 1), 1000 steps."""
    import numpy as np

    from matrl.rotation import METHODS, first_within
    from matrl.rotation import run as rotate

    rows = []
    for method in METHODS:
        trace = rotate(
            method,
            np.ones((1, 2)),
            rate=config.rate,
            select=config.selection,
            seed=config.seed,
        )
        norms = trace.norms()
        arrays[f"rotation/{method}"] = trace.points[:, 0]
        switched = float((trace.rho == 0).all(axis=2).mean())
        rows.append(
            {
                "method": method,
                "factor": float(norms[1, 0] / norms[0, 0]),
                "steps": first_within(norms, 0.01)[0],
                "both_switch": switched if method.startswith("matrl") else None,
            }
        )
    return {"rotation": rows}


def _named(config: Config, arrays: "dict[str, ndarray]") -> dict[str, Any]:
    """Figure 7, and steps on matching pennies at several step sizes."""
    from matrl.dynamics import IGA, MATRL, LookAhead, WoLF, path, race
    from matrl.matrix_games import NAMED, gather

    games = gather(NAMED)
    drawn: dict[str, Rule] = {
        "IGA": IGA(config.beta),
        "WoLF-IGA": WoLF(),
        "MATRL": MATRL(alpha=config.alpha, beta=config.beta, select=config.selection),
        "IGA-LA": LookAhead(config.beta, config.alpha),  # drawn over MATRL
    }
    for name, rule in drawn.items():
        arrays[f"named/{name}"] = path(rule, games, config.steps, config.seed)
    arrays["named/equilibria"] = games.equilibria
    pennies = gather(["matching_pennies"])
    rows: list[dict[str, Any]] = []
    for size in (0.02, 0.03, 0.1):
        for label, rule in (
            ("IGA", IGA(size)),
            ("IGA-LA", LookAhead(size, size)),
            ("MATRL", MATRL(alpha=size, beta=size, select=config.selection)),
        ):
            played = race(rule, pennies, config.pennies_steps, config.seed)
            rows.append({"label": label, "step": size, "stays": _when(played)})
    for rule in (WoLF(0.01, 0.06), WoLF()):
        played = race(rule, pennies, config.pennies_steps, config.seed)
        label = f"WoLF-IGA {rule.slow:g}/{rule.fast:g}"
        rows.append({"label": label, "step": None, "stays": _when(played)})
    return {"pennies": rows}


def _when(played: "Race") -> int | None:
    """Step from which the only game stays; None if it does not."""
    settled = int(played.settled[0])
    return settled if settled >= 0 else None


def page(config: Config) -> Answer:
    """Runs and prints the tables."""
    from experiments.matrl import matrix_report as report

    summary = run(config)
    return Answer(summary=summary, text=report.markdown(config, summary))


if __name__ == "__main__":
    sys.exit(main(page, Config))
