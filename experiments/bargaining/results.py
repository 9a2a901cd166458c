"""Rows of the bargaining grid: what they hold, and which stand in the tables."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from experiments.lab.statistics import mean

MAXIMUM = 22.2  # mean over instances of the largest total welfare, undiscounted
APPROACHES = {"coffee": "COffeE", "oef": "OEF", "oef-bc": "OEF-BC"}
BEHAVIOURS = {"psro": "PSRO", "uniform": "uniform", "file": "file"}
_SOLVERS = ("r2d", "rd")


class Line(NamedTuple):
    """An approach and the solver that it explored with: a line of a table."""

    approach: str
    exploration: str

    @property
    def name(self) -> str:
        """For example "COffeE, R2D"."""
        return f"{APPROACHES[self.approach]}, {solver_name(self.exploration)}"

    @property
    def short(self) -> str:
        """For example "COffeE+R2D"."""
        return f"{APPROACHES[self.approach]}+{solver_name(self.exploration)}"


class Data(NamedTuple):
    """A data set: who played it, and how many trajectories it has."""

    behaviour: str
    trajectories: int

    @property
    def name(self) -> str:
        """For example "1000 uniform"."""
        return f"{self.trajectories} {BEHAVIOURS[self.behaviour]}"


class Setting(NamedTuple):
    """What an approach is tuned by; zero where it has no such part."""

    penalty: float
    coverage: float
    weight: float


class Trial(NamedTuple):
    """Rows of which this is the same share a data set and a model."""

    behaviour: str
    trajectories: int
    trial: int
    seed: int


REFERENCE = Line("coffee", "r2d")
LINES = tuple(Line(a, s) for a in APPROACHES for s in _SOLVERS)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a row is about: an approach at a setting, on a data set.

    Attributes:
      approach: "coffee", "oef" or "oef-bc".
      exploration: solver that was responded to.
      behaviour, trajectories: the data set.
      penalty, coverage: lambda and alpha_0 of COffeE.
      weight: w of OEF-BC.
    """

    approach: str
    exploration: str
    behaviour: str
    trajectories: int
    penalty: float
    coverage: float
    weight: float = 0.0

    @property
    def line(self) -> Line:
        """Approach and exploration solver of the run."""
        return Line(self.approach, self.exploration)

    @property
    def data(self) -> Data:
        """The data set of the run."""
        return Data(self.behaviour, self.trajectories)

    @property
    def setting(self) -> Setting:
        """What its approach was tuned to."""
        conservative, cloned = self.approach == "coffee", self.approach == "oef-bc"
        return Setting(
            self.penalty if conservative else 0.0,
            self.coverage if conservative else 0.0,
            self.weight if cloned else 0.0,
        )

    @property
    def tuned(self) -> str:
        """Approach and setting as text, for example "COffeE, λ 2, α 0.1"."""
        text = setting_name(self.approach, self.setting)
        name = APPROACHES[self.approach]
        return name if text == "-" else f"{name}, {text}"


@dataclass(frozen=True, kw_only=True)
class Run(Subject):
    """A run of PSRO in a learned model: what rows are about, and its trial."""

    trial: int
    seed: int

    @property
    def pair(self) -> Trial:
        """Rows of other approaches with the same one are the pairs of a row."""
        return Trial(*self.data, self.trial, self.seed)


@dataclass(frozen=True, kw_only=True)
class Judged(Run):
    """Regret in the true game of one profile, or of the last k.

    Numbers that could not be had are NaN.

    Attributes:
      evaluation: solver whose profile is judged.
      iteration, iterations: of the profile, and of its run.
      regret: summed over players; ``error`` is its standard error and ``screened`` its
        estimate on the episodes that chose the deviations.
      values, welfare: what the profile pays the players, and their sum.
      best, responses: the best deviations, and what the learned ones gained.
      regrets: of all profiles that were responded to, ``k`` of them.
      judged: whether it is the last profile, or one on the way.
      profile: player 0's mixture.
      cpu_seconds: that judging took; a unit does not know it itself.
      clone: how well the behaviour was imitated, where it was.
    """

    evaluation: str
    iteration: int
    iterations: int
    regret: float
    error: float
    screened: float
    values: list[float]
    welfare: float
    best: list[str]
    responses: list[float]
    regrets: list[float]
    k: int
    judged: Literal["final", "curve"]
    profile: list[float]
    cpu_seconds: float = 0.0
    clone: Mapping[str, float | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Fidelity(Run):
    """How true the model and the empirical game of a run were.

    Attributes:
      uncertainty: mean over the population's profiles.
      utility_error: of the empirical game; ``utility_error_on_true`` of the reward
        networks alone.
      model: errors of the model, by kind and name; the same for all runs in it.
      cells: how the empirical game's intervals lie about the true utilities of its
        cells: see ``offline.intervals.told``.
      cpu_seconds: that looking took.
    """

    uncertainty: float
    utility_error: float
    utility_error_on_true: float
    cpu_seconds: float = 0.0
    model: Mapping[str, Mapping[str, float | None]] | None = None
    cells: Mapping[str, float | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """The rows of a run, sorted out.

    Attributes:
      main: final rows at the main setting of each approach and exploration solver.
      final: final rows of all settings, one a trial.
      curves: rows of all iterations, the final ones among them.
      fidelity: of the models.
      settings: the main settings.
      notes: sentences on what was left out, mixed or chosen.
    """

    main: list[Judged]
    final: list[Judged]
    curves: list[Judged]
    fidelity: list[Fidelity]
    settings: dict[Line, Setting]
    notes: list[str]

    @property
    def points(self) -> list[Fidelity]:
        """Runs whose uncertainty and utility error are both finite."""
        return [r for r in self.fidelity if finite(r.uncertainty, r.utility_error)]


R = TypeVar("R", bound=Subject)
V = TypeVar("V")


def finite(*values: float) -> bool:
    """Whether all are numbers one can average."""
    return all(map(math.isfinite, values))


def solver_name(spec: str) -> str:
    """R2D and RD as the paper writes them, other specs as they are."""
    return spec.upper() if spec in _SOLVERS else spec


def setting_name(approach: str, values: Setting) -> str:
    """An approach's setting, for example "λ 2, α 0.1"."""
    if approach == "coffee":
        return f"λ {values.penalty:g}, α {values.coverage:g}"
    return f"w {values.weight:g}" if approach == "oef-bc" else "-"


def ordered(values: Iterable[V], known: Sequence[V]) -> list[V]:
    """Distinct values: the known ones in their order, then the others sorted."""
    first = {value: i for i, value in enumerate(known)}
    return sorted(set(values), key=lambda v: (first.get(v, len(first)), str(v)))


def lines(rows: Iterable[Subject]) -> list[Line]:
    """Approaches and exploration solvers, in the paper's order."""
    return ordered((row.line for row in rows), LINES)


def datasets(data: Iterable[Data]) -> list[Data]:
    """Data sets, in the paper's order."""
    distinct = set(data)
    order = ordered((one.behaviour for one in distinct), list(BEHAVIOURS))
    return sorted(distinct, key=lambda d: (d.trajectories, order.index(d.behaviour)))


def of_data(rows: Iterable[R]) -> dict[Data, list[R]]:
    """Rows by their data set, in the paper's order."""
    rows = list(rows)
    where = datasets(row.data for row in rows)
    return {one: [row for row in rows if row.data == one] for one in where}


def evaluations(rows: Iterable[Judged]) -> list[str]:
    """Evaluation solvers, RD first as in the paper."""
    return ordered((row.evaluation for row in rows), _SOLVERS[::-1])


def preferred(rows: Iterable[Judged]) -> str:
    """R2D where rows have it, else the first evaluation solver."""
    solvers = evaluations(rows)
    return "r2d" if "r2d" in solvers or not solvers else solvers[0]


def by_trial(
    rows: Iterable[Judged], line: Line, evaluation: str, data: Data
) -> dict[Trial, float]:
    """Regrets of one cell by trial; final rows of one setting have one a trial."""
    return {
        row.pair: row.regret
        for row in rows
        if (row.line, row.evaluation, row.data) == (line, evaluation, data)
    }


def sort_out(rows: Sequence[Judged], fidelity: Sequence[Fidelity] = ()) -> Results:
    """Finds the final rows and the main settings; says what it left out.

    The main setting of an approach and exploration solver is the one with most rows,
    and among equals the one with the lowest mean regret, as the paper selects.
    """
    usable = [row for row in rows if finite(row.regret)]
    notes = []
    if len(usable) < len(rows):
        notes.append(f"{len(rows) - len(usable)} rows without a finite regret left out")
    ended = [row for row in usable if row.judged == "final"]
    newest = {
        (row.line, row.pair, row.setting, row.evaluation): row
        for row in sorted(ended, key=lambda r: (r.iteration, r.k))
    }
    final = sorted(newest.values(), key=lambda r: (r.trial, r.seed))
    if len(final) < len(ended):
        notes.append(
            f"{len(ended) - len(final)} final rows of trials that were judged again "
            "later, or with a larger k, left out"
        )
    settings = {}
    for line in lines(final):
        own = [row for row in final if row.line == line]
        settings[line], note = _main_setting(line, own)
        notes += note
    main = [row for row in final if row.setting == settings[row.line]]
    for name, values in (
        ("k", {row.k for row in main}),
        ("iterations", {row.iterations for row in main}),
    ):
        if len(values) > 1:
            notes.append(f"rows with different {name} ({sorted(values)}) are compared")
    return Results(
        main=main,
        final=final,
        curves=usable,
        fidelity=list(fidelity),
        settings=settings,
        notes=notes,
    )


def _main_setting(line: Line, rows: Sequence[Judged]) -> tuple[Setting, list[str]]:
    """The setting that stands for an approach in the tables, and how it was chosen."""
    counts = Counter(row.setting for row in rows)
    if len(counts) == 1:
        return rows[0].setting, []
    regret = {s: mean([r.regret for r in rows if r.setting == s]) for s in counts}
    best = min(counts, key=lambda s: (-counts[s], regret[s], s))
    name = setting_name(line.approach, best)
    alone = counts[best] > max(c for s, c in counts.items() if s != best)
    how = "most rows" if alone else "lowest mean regret, so its regret is biased low"
    return best, [f"{line.name}: of {len(counts)} settings {name} has the {how}"]
