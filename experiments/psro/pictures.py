"""Pictures of one trial of PSRO: gap, value, meta-strategy, payoffs and time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy import ndarray

from experiments.lab.charts import lines
from experiments.lab.marks import Axis, Chart, Heat, Panel, Picture, Rule
from experiments.psro.sentences import meaning, refereed
from experiments.psro.summary import Summary, gap_name
from experiments.psro_parts.config import EXACT
from psro.metrics import Row


def pictures(
    summary: Summary, rows: Sequence[Row], payoffs: ndarray | None
) -> list[Picture]:
    """All pictures of a trial; of payoffs where the meta-game is written out."""
    made = [
        _gap(summary, rows),
        _value(summary, rows),
        Picture(
            name="strategy",
            title="Meta-strategy over iterations",
            caption="Probability of each policy (row) in each iteration (column).",
            chart=_strategies(rows),
        ),
    ]
    if payoffs is not None:
        made.append(_payoffs(rows, payoffs))
    return [*made, _time(rows)]


def _payoffs(rows: Sequence[Row], payoffs: ndarray) -> Picture:
    others = "; averaged over the policies of the others." if len(payoffs) > 2 else "."
    return Picture(
        name="payoffs",
        title="Payoffs of the final meta-game",
        caption="Expected payoff when the policies of a row and a column meet" + others,
        chart=_heat_maps(rows, payoffs),
    )


def _gap(summary: Summary, rows: Sequence[Row]) -> Picture:
    kind, gaps = summary.gap_is, _gaps(summary, rows)
    label = gap_name(kind, summary.concept)
    errors = _errors(gaps, summary, rows)
    return Picture(
        name="gap",
        title="Gap",
        caption=f"{meaning(kind, summary.concept)}{refereed(summary.last.exact_gap)} "
        "Gaps that were not measured are left out." + _least_said(summary),
        chart=lines(gaps, label, log=kind == EXACT, errors=errors),
    )


def _value(summary: Summary, rows: Sequence[Row]) -> Picture:
    values = {
        f"player {p}": line(rows, lambda row, p=p: row.values[p])
        for p in range(len(rows[0].values))
    }
    values["sum (welfare)"] = line(rows, lambda row: row.value_sum)
    values["sum, evaluation"] = line(rows, lambda row: row.eval_value_sum)
    rules = [
        Rule(name=f"value of the game, player {p}", y=value)
        for p, value in enumerate(summary.game_values or ())
    ]
    return Picture(
        name="value",
        title="Value and welfare",
        caption="Expected payoff of each player, and their sum."
        + " Dashed: what each gets in every equilibrium of the game." * bool(rules),
        chart=lines(values, "expected payoff", log=False, rules=rules),
    )


def _time(rows: Sequence[Row]) -> Picture:
    seconds = {
        stage: line(rows, lambda row, stage=stage: row.cpu_seconds[stage])
        for stage in rows[0].cpu_seconds
    }
    seconds["all"] = line(rows, lambda row: sum(row.cpu_seconds.values()))
    return Picture(
        name="time",
        title="CPU time",
        caption="Seconds so far: best responses and gaps, payoff table, meta-solvers, "
        "a referee where there is one, and population exploitability if asked for.",
        chart=lines(seconds, "CPU seconds", log=False),
    )


def _gaps(summary: Summary, rows: Sequence[Row]) -> dict[str, Any]:
    """Lines of all gaps of a trial that were measured."""
    final = f"{summary.eval_solver} (evaluation)"
    gaps = {f"{summary.solver} (responded to)": line(rows, lambda row: row.gap)}
    if summary.last.population_exploitability is not None:
        gaps[LEAST] = line(rows, _least_gap)
    if summary.gap_is == EXACT:
        gaps[final] = line(rows, lambda row: row.eval_gap)
    elif summary.last.exact_gap is not None:
        gaps[f"{summary.solver}, exact"] = line(rows, lambda row: row.exact_gap)
        gaps[f"{final}, exact"] = line(rows, lambda row: row.exact_eval_gap)
    return gaps


LEAST = "any mixtures of the populations, at least"


def _least_said(summary: Summary) -> str:
    if summary.last.population_exploitability is None:
        return ""
    return (
        " The least gap of any mixtures of the populations is twice their population "
        "exploitability, which is NashConv / 2."
    )


def _least_gap(row: Row) -> float | None:
    """The least NashConv of any mixtures of the populations, as gaps are sums."""
    least = row.population_exploitability
    return None if least is None else 2 * least


def _errors(
    gaps: Mapping[str, Any], summary: Summary, rows: Sequence[Row]
) -> dict[str, list[float]] | None:
    """Standard errors of the gap that is responded to, where it is learned."""
    if summary.gap_is == EXACT:
        return None
    measured = [row.gap_error or 0.0 for row in rows if row.gap is not None]
    return {next(iter(gaps)): measured}


def line(
    rows: Sequence[Row], read: Callable[..., float | None]
) -> tuple[list[float], list[float]]:
    """Iterations where a number was measured, and the numbers."""
    pairs = [(float(row.iteration), read(row)) for row in rows]
    measured = [(x, y) for x, y in pairs if y is not None]
    return [x for x, _ in measured], [y for _, y in measured]


def _strategies(rows: Sequence[Row]) -> Chart:
    """What each player plays in every iteration, a panel a player."""
    panels = []
    for player in range(len(rows[0].marginals)):
        own = [row.marginals[player] for row in rows]
        count = max(map(len, own))
        short, long = _policies(rows, player, count)
        heat = Heat(
            values=[
                [one[k] if k < len(one) else None for one in own] for k in range(count)
            ],
            rows=short,
            row_names=long,
            columns=[str(row.iteration) for row in rows],
            label="probability",
            scale="share",
        )
        up = Axis(label=f"policy of player {player}")
        panels.append(Panel(x=Axis(label="iteration"), y=up, heat=heat))
    return Chart(panels=panels, columns=2)


def _policies(
    rows: Sequence[Row], player: int, count: int
) -> tuple[list[str], list[str]]:
    """Numbers of a player's policies, and names that say when they were added."""
    short = [str(number) for number in range(count)]
    names = []
    for number in range(count):
        later = (r.iteration for r in rows if r.unique_policies[player] > number)
        at = next(later, None)
        since = "initial" if at == 0 else f"added in iteration {at}"
        names.append(f"policy {number}" + ("" if at is None else f" ({since})"))
    return short, names


def _heat_maps(rows: Sequence[Row], payoffs: ndarray) -> Chart:
    """The table of each player, against the next one."""
    players, panels = len(payoffs), []
    for player in range(players):
        other = (player + 1) % players
        rest = tuple(q for q in range(players) if q not in (player, other))
        table = payoffs[player].mean(axis=rest)
        if players > 1 and other < player:
            table = table.T
        table = table.reshape(len(table), -1)
        own = _policies(rows, player, len(table))
        across, names = _policies(rows, other, table.shape[1])
        heat = Heat(
            values=table.tolist(),
            rows=own[0],
            row_names=own[1],
            columns=across,
            column_names=names,
            label=f"payoff of player {player}",
        )
        panels.append(
            Panel(
                title=f"payoff of player {player}",
                x=Axis(label=f"policy of player {other}" if players > 1 else ""),
                y=Axis(label=f"policy of player {player}"),
                heat=heat,
            )
        )
    return Chart(panels=panels, columns=2 if players == 2 else 3)
