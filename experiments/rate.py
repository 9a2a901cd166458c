"""Rates agents and tasks, or the strategies of any game, by five methods.

Example: metaspiel rate scores.csv
         metaspiel rate scores.csv --table agents-agents-tasks
         metaspiel rate game.npz --json

Deviation ratings (Marris et al. 2025): what a strategy would gain in the equilibrium
that deters every deviation most; at most 0, and copies of a strategy change nothing.
Beside them Nash averaging, Alpha-Rank, Elo and mean payoffs, where they apply. A table
of scores (.csv, agents by tasks) is a game in which tasks get minus the score; with
--table agents-agents-tasks two players choose agents and a third a task, which is paid
for telling them apart.

Writes summary.json, ratings.csv, table.md, plots and report.html. Exits with 3 where
the deviation ratings are not certain.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments import solve
from experiments.lab import report
from experiments.lab.ending import NotOK
from experiments.lab.folder import claim, record
from experiments.lab.marks import Axis, Chart, Heat, Panel, Picture, Rule, Series
from experiments.lab.options import Flat, Output
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.archives import MEMORY_GB
from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.reading import Reading
from metaspiel.nfg.scores import agents_agents_tasks

if TYPE_CHECKING:  # what loads the solvers
    from meta_solvers.standings import Standings
    from metaspiel.nfg.game import Game

METHODS = {
    "deviation": "deviation rating",
    "nash_averaging": "Nash averaging",
    "alpha_rank": "Alpha-Rank",
    "elo": "Elo",
    "mean_payoff": "mean payoff",
}
_DRAWN = 40  # strategies of a player in a picture


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a rating."""

    first = "payoffs"
    payoffs: Path | None = None
    """A table of scores, agents by tasks (.csv), or any game that "solve" reads."""
    memory_gb: float = MEMORY_GB
    """Refuse files that take, or unpack to, more than this."""
    game: str | None = None
    """Or a one-shot OpenSpiel game ("matrix_pd") or a named game ("chicken")."""
    players: int | None = None
    """Number of players, where the OpenSpiel game has that parameter."""
    table: Literal["agents-tasks", "agents-agents-tasks"] = "agents-tasks"
    """The game that is made of a table: agents against tasks, zero-sum; or two agents
    and a task that is paid for telling them apart."""
    elo_prior: float = 1.0
    """Drawn games that every two strategies are credited with for Elo, so that its
    ratings are finite."""
    run: Flat[Output] = Output()


@dataclass(frozen=True, eq=False, kw_only=True)
class Entrants:
    """A game whose strategies are to be rated, with names.

    Attributes:
      made: how the game was made, as a phrase.
      game: the game.
      players: their names.
      names: of the strategies of each player, each another.
      seats: the player of the table that each player is; without one their numbers.
      table: the table of scores that the game was made of, as a game of two.
    """

    made: str
    game: "Game"
    players: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    seats: tuple[int, ...]
    table: "Game | None" = None

    @property
    def shown(self) -> list[int]:
        """The players who are shown to people: of those who are alike the first."""
        return [self.seats.index(seat) for seat in dict.fromkeys(self.seats)]


def page(config: Config) -> Answer:
    """Rates every strategy of every player."""
    if not 0 <= config.elo_prior < float("inf"):
        raise UserError(
            f"--elo-prior must be a number of at least 0; got {config.elo_prior}"
        )
    if not config.memory_gb > 0:
        raise UserError(f"--memory-gb must be positive; got {config.memory_gb}")
    if (config.payoffs is None) == (config.game is None):
        raise UserError("rate: exactly one of --payoffs and --game must be given")
    entrants = asked(config)
    from meta_solvers.standings import standings

    with claim(config.run, "rate") as folder:
        record(folder, config)
        rated = standings(
            entrants.game,
            table=entrants.table,
            seats=entrants.seats,
            prior=config.elo_prior,
        )
        summary = as_json(entrants, rated)
        text = _publish(folder, entrants, rated, summary)
    deviation, fault = rated.deviation, None
    if summary["status"] != "OK":
        fault = NotOK(
            f"rate: the deviation ratings are {summary['status']}; a gain may be "
            f"{deviation.error:.3g} below its rating"
        )
    return Answer(summary=summary, text=text, fault=fault)


def asked(config: Config) -> Entrants:
    """The game that the configuration names, or makes of a table."""
    reading = solve.load(
        solve.Config(
            payoffs=config.payoffs,
            memory_gb=config.memory_gb,
            game=config.game,
            players=config.players,
        )
    )
    game, names = reading.game, _names(reading)
    table = game.players == 2 and not (game.payoffs[0] + game.payoffs[1]).any()
    if config.table == "agents-agents-tasks":
        if not table:
            raise UserError(
                f"--table {config.table}: --payoffs must be one table of scores, "
                "agents by tasks; got a game that is not two-player zero-sum"
            )
        return Entrants(
            made="a table of scores: two agents, and a task that tells them apart",
            game=agents_agents_tasks(game.payoffs[0]),
            players=("agents", "other agents", "tasks"),
            names=(names[0], *names),
            table=game,
            seats=(0, 0, 1),
        )
    numbered = tuple(f"player {player}" for player in range(game.players))
    made = reading.assumed or f"a game of {game.players} players"
    seats = tuple(range(game.players))
    entrants = Entrants(
        made=made, game=game, players=numbered, names=names, seats=seats
    )
    if not (table and reading.names):
        return entrants
    made = "a table of scores: agents against tasks, which get minus the score"
    return replace(entrants, made=made, players=("agents", "tasks"))


def _names(reading: Reading) -> tuple[tuple[str, ...], ...]:
    """Names of the strategies of each player, each another; numbers without any."""
    given = reading.names or ((),) * reading.game.players
    for own in given:
        if twice := sorted({name for name in own if own.count(name) > 1}):
            raise UserError(
                "--payoffs: rows, and columns, must have different names; got "
                f"'{shown(twice[0])}' twice"
            )
    sizes = zip(given, reading.game.actions, strict=True)
    return tuple(own or tuple(map(str, range(size))) for own, size in sizes)


def as_json(entrants: Entrants, rated: "Standings") -> dict[str, Any]:
    """The ratings as plain values, a list a player; None where there are none."""
    lists = {
        name: [None if own is None else own.tolist() for own in one.ratings]
        for name, one in rated.others.items()
    }
    lists["deviation"] = [own.tolist() for own in rated.deviation.ratings]
    fields: dict[str, Any] = files.spelled(
        {
            "game": entrants.made,
            "players": list(entrants.players),
            "strategies": [list(own) for own in entrants.names],
            "status": rated.deviation.status.name,
            "error": rated.deviation.error,
            "programs": rated.deviation.programs,
            **{name: lists.get(name) for name in METHODS},
            "how": {name: one.how for name, one in rated.others.items()},
            "absent": dict(rated.absent),
        }
    )
    return fields


def _publish(
    folder: Path, entrants: Entrants, rated: "Standings", summary: Mapping[str, Any]
) -> str:
    """Writes all files; returns the tables for people."""
    tables, rows = [], []
    for player in entrants.shown:
        who = entrants.players[player]
        own, ranks = rated.of(player), rated.ranks(player)["deviation"]
        lines = [
            {"rank": ranks[i], who: entrants.names[player][i]}
            | {METHODS[name]: values[i] + 0.0 for name, values in own.items()}
            for i in rated.order(player)
        ]
        heads = list(lines[0])
        cells = [[_cell(line[head]) for head in heads] for line in lines]
        tables.append(report.Table(f"Ratings of {who}", heads, cells))
        rows += [{"player": who, "strategy": line.pop(who), **line} for line in lines]
    files.write_text(folder / "ratings.csv", report.comma_separated(rows))
    opening = _opening(entrants, rated)
    text = report.publish(
        folder,
        summary,
        title="Ratings of strategies",
        opening=opening,
        tables=tables,
        figures=[_picture(entrants, rated), _beside(entrants, rated)],
    )
    return "\n".join([text, *(f"- {line}" for line in [*opening.ran, *opening.sure])])


def _cell(value: Any) -> Any:
    """A number without the noise of rounding around zero."""
    return round(value, 9) + 0.0 if isinstance(value, float) else value


def _opening(entrants: Entrants, rated: "Standings") -> report.Opening:
    """What was rated, who is best, and what the numbers are."""
    best = []
    for player in entrants.shown:
        names, ranks = entrants.names[player], rated.ranks(player)["deviation"]
        first = [names[i] for i in rated.order(player) if ranks[i] == 1]
        listed = ", ".join(first[:8]) + (", ..." if len(first) > 8 else "")
        who = entrants.players[player]
        best.append(f"Best of {who} by deviation rating: {listed}.")
    sizes = " x ".join(map(str, entrants.game.actions))
    deviation = rated.deviation
    sure = [
        f"Deviation ratings: what a strategy would gain in the strictest coarse "
        f"correlated equilibrium; status {deviation.status.name}, {deviation.programs} "
        f"linear programs, no gain can be {max(deviation.error, 0.0):.1g} below its "
        "rating."
    ]
    sure += [f"{METHODS[name]}: {one.how}." for name, one in rated.others.items()]
    sure += [f"{reason}." for reason in rated.absent.values()]
    ran = [f"{entrants.made[0].upper()}{entrants.made[1:]}; {sizes} strategies."]
    return report.Opening(ran=ran, result=best, sure=sure)


def _picture(entrants: Entrants, rated: "Standings") -> Picture:
    """Deviation ratings, a panel a player, the best on the left."""
    panels = []
    for player in entrants.shown:
        order = rated.order(player)[:_DRAWN]
        own = rated.of(player)["deviation"]
        series = Series(
            name="",
            x=[entrants.names[player][i] for i in order],
            y=[own[i] for i in order],
            mark="points",
        )
        panels.append(
            Panel(
                title=entrants.players[player],
                x=Axis(scale="names"),
                y=Axis(label="deviation rating"),
                series=[series],
                rules=[Rule(name="", y=0.0)],
            )
        )
    return Picture(
        name="deviation",
        title="Deviation ratings",
        caption="What a strategy would gain in the strictest equilibrium: 0 at the "
        f"dashed line is the most there can be. Of each player the best {_DRAWN}.",
        chart=Chart(panels=panels, columns=2),
    )


def _beside(entrants: Entrants, rated: "Standings") -> Picture:
    """The methods side by side, a panel a player: colours are ranks."""
    panels = []
    for player in entrants.shown:
        own, ranks = rated.of(player), rated.ranks(player)
        order = rated.order(player)[:_DRAWN][::-1]  # rows come from below
        heat = Heat(
            values=[[_share(ranks[name], i) for name in own] for i in order],
            texts=[[_short(values[i]) for values in own.values()] for i in order],
            rows=[entrants.names[player][i] for i in order],
            columns=[METHODS[name] for name in own],
            label="rank: 1 is the best, 0 the last",
            scale="share",
        )
        panels.append(Panel(title=entrants.players[player], heat=heat))
    tallest = max(min(size, _DRAWN) for size in entrants.game.actions)
    return Picture(
        name="methods",
        title="The methods side by side",
        caption="Numbers are ratings, each in its method's units; colours are ranks "
        "within a method.",
        chart=Chart(panels=panels, columns=2, height=max(200, 18 * tallest)),
    )


def _short(value: float) -> str:
    """Three digits, without the noise of rounding around zero."""
    return f"{_cell(value):.3g}"


def _share(ranks: Sequence[int], i: int) -> float:
    """A rank as a share: 1 for the best, 0 for the last of many."""
    return 1.0 - (ranks[i] - 1) / max(len(ranks) - 1, 1)


if __name__ == "__main__":
    sys.exit(main(page, Config))
