"""Every registered solver on sampled games, judged by what is written here alone.

Example: python tests/attacks/sampled_games.py --games 10000

Games have ties, scales of 1e-12 to 1e12 for each player, rank 1, constants, duplicates,
sizes from 1e-6 to 1e6 inside one game, payoffs that differ in their last digits, 1 to 4
players and mixed shapes. An answer that is OK is wrong if it is no distribution, if a
gap, recomputed in extended precision from the raw payoffs, is above what was allowed
plus 1e-6 of the player's payoff range, or if a linear objective is worse than what
HiGHS finds on rows that are written here. One line for each wrong answer; exit code 1
if there is any.
"""

import argparse
import itertools
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.optimize import linprog

from meta_solvers import MetaSolution, Status, UserError, get, names, solve
from meta_solvers.exact.batch import equilibria
from meta_solvers.nes.solver import neural_equilibria
from meta_solvers.replicator import ReplicatorDynamics
from metaspiel.nfg import Game

TOLERANCE = 1e-6  # of a player's payoff range, as in ``solve``
WORSE = 3e-6  # of an objective's range, which is reached by 1e-6
FEASIBLE = 1e-11  # of a row: what HiGHS may violate where it is held against us

# Wrappers get an inner solver, and what steps gets fewer steps.
SPECS = {
    "undominated": ("undominated(mgcce)", "undominated(mwce)"),
    "mix": ("mix(mgcce):weight=0.2",),
    "fallback": ("fallback(nash_lp,mgcce)",),
    "best": ("best(mgce,mwcce)", "best(mgcce,mwcce):by=welfare"),
    "rd": ("rd:steps=60",),
    "prd": ("prd:steps=60",),
    "rrd": ("rrd:steps=60",),
    "rd_lower": ("rd_lower:steps=60",),
    "r2d": ("r2d:steps=30,dt=0.02",),
    "r3d": ("r3d:steps=30,dt=0.02",),
    "robust": ("robust:starts=0,rounds=2",),
    "fp": ("fp:steps=300", "fp:steps=300,iterate=best"),
    "rm": ("rm:steps=200,tolerance=0.01", "rm:steps=100,variant=rm+"),
    "alpharank": ("alpharank", "alpharank:alpha=2"),
    "mgcce": ("mgcce", "mgcce:epsilon=0.1", "mgcce:epsilon=-0.05"),
    "mgce": ("mgce", "mgce:epsilon=0.1", "mgce:epsilon=-0.01"),
    "mecce": ("mecce", "mecce:epsilon=0.1", "mecce:epsilon=-0.05"),
    "mece": ("mece", "mece:epsilon=-0.01", "mece:rho=3"),
    "nes": ("nes", "nes:refine=2", "nes:equilibrium=ce"),
    "nash": ("nash", "nash:method=support"),
    "cvx": ("cvx", "cvx:objective=welfare"),
    "openspiel_jpsro": ("openspiel_jpsro:name=mwcce",),
    "openspiel_psro_v2": ("openspiel_psro_v2:name=prd,steps=50",),
}
# Seconds a game that others answer in milliseconds: these see one game in so many.
RARE = {"openspiel_jpsro": 8, "openspiel_psro_v2": 8, "robust": 3, "cvx": 3, "nash": 3}
LINEAR = {
    **{f"{kind}{c}": kind for kind in ("mw", "minw", "egal") for c in ("ce", "cce")},
    "rmwce": "mw",
    "rmwcce": "mw",
}
CONCAVE = {"mgce": "gini", "mgcce": "gini", "mece": "entropy", "mecce": "entropy"}


def payoffs(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Payoffs of one of ``KINDS``."""
    players = len(shape)
    size, own = (players, *shape), (-1, *[1] * players)
    normal = rng.normal(size=size)
    match kind:
        case "ties":
            return rng.integers(-2, 3, size).astype(float)
        case "integers":
            return rng.integers(-10_000, 10_001, size).astype(float)
        case "scales":
            return normal * 10.0 ** rng.uniform(-12, 12, players).reshape(own)
        case "scaled_ties":
            unit = 10.0 ** rng.uniform(-12, 12, players).reshape(own)
            return rng.integers(-2, 3, size) * unit
        case "rank1":
            factors = [rng.normal(size=(players, a)) for a in shape]
            return _outer(factors)
        case "integer_rank1":
            factors = [rng.integers(-3, 4, (players, a)).astype(float) for a in shape]
            return _outer(factors)
        case "constant":
            still = rng.random(players) < 0.7
            return np.where(
                still.reshape(own), rng.normal(size=players).reshape(own), normal
            )
        case "duplicates":
            return normal[
                np.ix_(range(players), *(rng.integers(a, size=a) for a in shape))
            ]
        case "huge_range":
            return normal * 10.0 ** rng.uniform(-6, 6, size)
        case "near":
            return rng.choice([1.0, -1e7, 3e-9]) * (
                1 + 10.0 ** rng.uniform(-16, -11) * normal
            )
        case "near_ties":
            return rng.integers(-2, 3, size) + 1e-15 * normal
        case "moved":
            return normal + 10.0 ** rng.uniform(0, 8, players).reshape(own)
        case "zero_sum":
            return np.stack([normal[0], -normal[0], *(0 * normal[2:])][:players])
        case "sparse":
            return normal * (rng.random(size) < 0.2)
        case "alike":
            return np.broadcast_to(normal[0], size).copy()
        case "extreme":
            return normal * 10.0 ** rng.choice([-300.0, -200.0, 100.0, 149.0])
    return normal


KINDS = (
    *("normal", "ties", "integers", "scales", "scaled_ties", "rank1", "integer_rank1"),
    *("constant", "duplicates", "huge_range", "near", "near_ties", "moved"),
    *("zero_sum", "sparse", "alike", "extreme"),
)


def _outer(factors: list[ndarray]) -> ndarray:
    result = np.ones(len(factors[0]))
    for factor in factors:
        result = result[..., None] * factor.reshape(
            len(factor), *[1] * (result.ndim - 1), -1
        )
    return result


def sampled(count: int, seed: int = 0) -> Iterator[tuple[str, ndarray]]:
    """Kind and payoffs of so many games; each its own stream of random numbers."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind = KINDS[number % len(KINDS)]
        players = int(rng.choice([1, 2, 2, 2, 2, 3, 3, 4]))
        most = {1: 6, 2: 6, 3: 4, 4: 3}[players]
        shape = tuple(int(a) for a in rng.integers(1, most + 1, players))
        yield kind, payoffs(kind, shape, rng)


def gains(raw: ndarray, joint: ndarray, concept: str) -> list[ndarray]:
    """Gains of each player's deviations ``[advice, played]``, in extended precision.

    For CCE one row: what is played instead of is advised. For Nash that row
    against the product of the marginals.
    """
    wide = np.asarray(joint, dtype=np.longdouble)
    wide = wide / wide.sum()
    players = wide.ndim
    if concept == "ne":
        parts = [
            wide.sum(axis=tuple(set(range(players)) - {p})) for p in range(players)
        ]
        wide = _outer([part[None] for part in parts])[0]
    result = []
    for player in range(players):
        mine = np.asarray(raw[player], dtype=np.longdouble)
        mine = np.moveaxis(mine - mine.min(), player, 0)
        mine = mine.reshape(len(mine), -1)
        mass = np.moveaxis(wide, player, 0).reshape(mine.shape)
        table = mass @ mine.T - np.sum(mass * mine, axis=1)[:, None]
        result.append(table if concept == "ce" else table.sum(axis=0)[None])
    return result


def ranges(raw: ndarray) -> ndarray:
    """Range of each player's payoffs, 1 where they are equal."""
    spread = np.ptp(raw.reshape(len(raw), -1), axis=1)
    return np.where(spread > 0, spread, 1.0)


def no_distribution(joint: ndarray) -> str | None:
    """What keeps a joint from being a distribution."""
    if not np.isfinite(joint).all():
        return "not finite"
    if joint.min() < 0 or abs(float(joint.sum()) - 1) > 1e-12:
        return f"least {joint.min():.3g}, sum {joint.sum():.17g}"
    return None


def too_much_gain(
    raw: ndarray, joint: ndarray, concept: str, allowed: Any = 0.0
) -> str | None:
    """The worst gap beyond what is allowed, where it is beyond the tolerance."""
    gap = [table.max(axis=1).clip(0).sum() for table in gains(raw, joint, concept)]
    excess = (np.array(gap, dtype=float) - np.asarray(allowed)) / ranges(raw)
    if excess.max() > TOLERANCE * (1 + 1e-6):
        return f"{concept} gap {excess.max():.3g} of the range beyond what is allowed"
    return None


def somebody_gains(
    raw: ndarray, joint: ndarray, concept: str, allowed: Any
) -> str | None:
    """The first player whom a deviation gains more than is allowed, below 0 too."""
    limits = np.broadcast_to(np.asarray(allowed, dtype=float), len(raw))
    for player, table in enumerate(gains(raw, joint, concept)):
        if concept == "ce":
            table = table[~np.eye(len(table), dtype=bool)]
        worst = float(table.max()) if table.size else 0.0
        if worst > limits[player] + TOLERANCE * ranges(raw)[player]:
            return f"player {player} gains {worst:.3g}; allowed {limits[player]:.3g}"
    return None


def rows(raw: ndarray, concept: str) -> tuple[ndarray, ndarray]:
    """Gains of deviations ``[D, profiles]`` scaled to size 1, and their sizes ``[D]``.

    Those that change nothing anywhere are left out.
    """
    shape, each = raw.shape[1:], []
    joint = np.indices(shape)
    for player, size in enumerate(shape):
        mine = raw[player] - raw[player].min()
        for played in range(size):
            where = list(joint)
            where[player] = np.full(shape, played)
            gain = mine[tuple(where)] - mine
            if concept == "cce":
                each.append(gain)
                continue
            for advice in set(range(size)) - {played}:
                each.append(np.where(joint[player] == advice, gain, 0.0))
    flat = np.array(each).reshape(-1, raw[0].size)
    size = np.abs(flat).max(axis=1, initial=0.0)
    return flat[size > 0] / size[size > 0, None], size[size > 0]


def of_class(solution: MetaSolution) -> str:
    """The concept that the name of a solver's class ends in."""
    return "cce" if solution.solver["name"].endswith("CCE") else "ce"


def not_the_least(raw: ndarray, solution: MetaSolution) -> str | None:
    """Whether deviations gain more than is said, or could all lose more."""
    limits, size = rows(raw, of_class(solution))
    if not len(limits):
        return None
    least, joint = solution.diagnostics["allowed_gain"], solution.joint.ravel()
    unit, count = size.min(), limits.shape[1]
    theirs = linprog(
        np.append(np.zeros(count), 1.0),
        A_ub=np.hstack([limits, -(unit / size)[:, None]]),
        b_ub=np.zeros(len(limits)),
        A_eq=[np.append(np.ones(count), 0.0)],
        b_eq=[1.0],
        bounds=[(0, None)] * count + [(None, 0)],
    )
    if (limits @ joint - least / size).max() > WORSE:
        return f"gains {(limits @ joint * size).max():.3g}, said to be {least:.3g}"
    if theirs.status == 0 and theirs.x[-1] < least / unit - WORSE:
        return f"all could lose {theirs.x[-1] * unit:.6g}; {least:.6g} is said"
    return None


def worse_than_clarabel(raw: ndarray, solution: MetaSolution, goal: str) -> str | None:
    """By how much cvxpy finds a larger entropy or Gini impurity."""
    import cvxpy as cp

    limits, _ = rows(raw, of_class(solution))
    x = cp.Variable(raw[0].size, nonneg=True)
    worth = cp.sum(cp.entr(x)) if goal == "entropy" else -cp.sum_squares(x)
    problem = cp.Problem(
        cp.Maximize(worth),
        [cp.sum(x) == 1, limits @ x <= 0] if len(limits) else [cp.sum(x) == 1],
    )
    tight = dict.fromkeys(("tol_feas", "tol_gap_abs", "tol_gap_rel"), 1e-10)
    try:
        problem.solve(solver=cp.CLARABEL, **tight)
    except cp.SolverError:
        return None
    # Entropy rises with the root of a violation: at 1e-8 it can be 2e-5 too large.
    if x.value is None or (limits @ x.value).max(initial=0.0) > 1e-9:
        return None
    joint = solution.joint.ravel()
    live = joint[joint > 0]
    ours = -live @ np.log(live) if goal == "entropy" else -joint @ joint
    if problem.value > ours + 1e-5:
        return f"{goal}: cvxpy is better by {problem.value - ours:.3g}"
    return None


def worse_than_highs(raw: ndarray, solution: MetaSolution, goal: str) -> str | None:
    """By how much HiGHS finds a better linear objective, in units of its range."""
    limits, _ = rows(raw, of_class(solution))
    worth = raw.reshape(len(raw), -1)
    if goal != "egal":  # a constant of each player changes nothing
        wide = worth.astype(np.longdouble)
        total = (wide - wide.min(axis=1)[:, None]).sum(axis=0)[None]
        worth = (total - total.min()).astype(float)
    worth = -worth if goal == "minw" else worth
    low, spread = worth.min(), np.ptp(worth)
    if not 0 < spread < np.inf:
        return None
    worth = (worth - low) / spread
    ours = (worth @ solution.joint.ravel()).min()
    count = worth.shape[1]
    above = np.vstack(
        [
            np.hstack([limits, np.zeros((len(limits), 1))]),
            np.hstack([-worth, np.ones((len(worth), 1))]),
        ]
    )
    theirs = linprog(
        np.append(np.zeros(count), -1.0),
        A_ub=above,
        b_ub=np.zeros(len(above)),
        A_eq=[np.append(np.ones(count), 0.0)],
        b_eq=[1.0],
        bounds=[(0, None)] * count + [(None, None)],
    )
    if theirs.status != 0:
        return None
    joint = np.maximum(theirs.x[:-1], 0.0)
    joint /= joint.sum()
    better = (worth @ joint).min() - ours
    noise = 1e-5 if solution.solver["name"].startswith("Random") else 0.0
    if (limits @ joint).max(initial=0.0) <= FEASIBLE and better > WORSE + noise:
        return f"{goal}: HiGHS is better by {better:.3g} of the range"
    return None


def judged(
    name: str, spec: str, raw: ndarray, solution: MetaSolution, concept: str
) -> str | None:
    """What is wrong with an answer that is OK."""
    trouble = no_distribution(solution.joint)
    if trouble is not None or concept == "none":
        return trouble
    notes = solution.diagnostics
    trouble = too_much_gain(raw, solution.joint, concept, notes.get("epsilon", 0.0))
    if trouble is None and concept == "ne":
        whole = solution.marginals
        apart = np.abs(_outer([m[None] for m in whole])[0] - solution.joint).max()
        trouble = f"no product, by {apart:.3g}" if apart > 1e-9 else None
    checks = []
    if name.startswith("min_epsilon") and "allowed_gain" in notes:
        checks.append(lambda: not_the_least(raw, solution))
    elif "allowed_gain" in notes:
        allowed = notes["allowed_gain"]
        checks.append(lambda: somebody_gains(raw, solution.joint, concept, allowed))
    if name in LINEAR:
        checks.append(lambda: worse_than_highs(raw, solution, LINEAR[name]))
    if spec in CONCAVE and solution.joint.size <= 64:
        checks.append(lambda: worse_than_clarabel(raw, solution, CONCAVE[spec]))
    for check in checks:
        trouble = trouble or check()
    return trouble


def one_at_a_time(
    games: list[tuple[str, ndarray]], each: int
) -> Iterator[tuple[str, str, str, str | None]]:
    """Solver, kind of game, how it ended and what is wrong, ``each`` solvers a game."""
    todo = [(name, spec) for name in names() for spec in SPECS.get(name, (name,))]
    turn = itertools.cycle(todo)
    seen: Counter[str] = Counter()
    for number, (kind, raw) in enumerate(games):
        for name, spec in itertools.islice(turn, each):
            seen[name] += 1
            if seen[name] % RARE.get(name, 1):
                continue
            solver, game = get(spec), Game(raw)
            try:
                solution = solve(solver, game, number, throw=False)
            except UserError:
                yield name, kind, "refused", None
                continue
            wrong = None
            if solution.status is Status.OK:
                wrong = judged(name, spec, raw, solution, solver.concept)
            yield name, kind, solution.status.name, wrong and f"{spec}: {wrong}"
        next(turn)  # so that a solver meets every kind


def in_batches(
    games: list[tuple[str, ndarray]], size: int = 24
) -> Iterator[tuple[str, str, str, str | None]]:
    """The batched solvers on the same games, shapes mixed."""
    for players in range(1, 5):
        chosen = [(k, raw) for k, raw in games if len(raw) == players]
        for start in range(0, len(chosen), size):
            some = chosen[start : start + size]
            tables = [raw for _, raw in some]
            for concept in ("cce", "ce"):
                yield from _exact(some, tables, concept, 0.0)
                yield from _exact(some, tables, concept, -0.01)
                if start // size % 8:  # a network takes much longer
                    continue
                if players == 2 or (players, concept) == (3, "cce"):
                    yield from _neural(some, tables, concept)
    by_shape: dict[tuple[int, ...], list[tuple[str, ndarray]]] = {}
    for kind, raw in games:
        by_shape.setdefault(raw.shape, []).append((kind, raw))
    solver = ReplicatorDynamics(steps=60)
    for some in by_shape.values():
        answers = solver.distributions([Game(raw) for _, raw in some[:size]])
        for (kind, raw), answer in zip(some, answers, strict=False):
            wrong = None
            if answer.status is Status.OK:
                joint = answer.joint / answer.joint.sum()
                wrong = too_much_gain(raw, joint, "ne", answer.epsilon)
            yield "rd, batch", kind, answer.status.name, wrong


def _exact(
    some: list[tuple[str, ndarray]], tables: list[ndarray], concept: Any, epsilon: float
) -> Iterator[tuple[str, str, str, str | None]]:
    solved = equilibria(tables, concept, epsilon=epsilon)
    label = f"equilibria, {concept}, epsilon {epsilon}"
    for (kind, raw), joint, status in zip(
        some, solved.joint, solved.status, strict=True
    ):
        own = joint[tuple(slice(a) for a in raw.shape[1:])]
        wrong = None
        if status == 0:
            wrong = no_distribution(own / own.sum())
            wrong = wrong or somebody_gains(raw, own, concept, epsilon)
            if epsilon == 0:
                wrong = wrong or too_much_gain(raw, own, concept)
        yield label, kind, "OK" if status == 0 else "not OK", wrong


def _neural(
    some: list[tuple[str, ndarray]], tables: list[ndarray], concept: Any
) -> Iterator[tuple[str, str, str, str | None]]:
    solved = neural_equilibria(tables, concept, refine=None)
    rough = neural_equilibria(tables, concept).joint
    triples = zip(some, solved.joint, solved.status, rough, strict=True)
    for number, ((kind, raw), joint, status, first) in enumerate(triples):
        part = tuple(slice(a) for a in raw.shape[1:])
        wrong = None
        if status == 0:
            wrong = too_much_gain(raw, joint[part].numpy(), concept)
        if number % 8 == 0:
            alone = neural_equilibria([raw], concept).joint[0]
            apart = float((alone - first[part]).abs().sum()) / 2
            if apart > 1e-6:
                wrong = f"alone and in a batch {apart:.3g} apart"
        yield (
            f"neural_equilibria, {concept}",
            kind,
            "OK" if status == 0 else "not OK",
            wrong,
        )


def main() -> int:
    """Judges as many games as asked for; prints counts; 1 if any answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--games", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=5, help="solvers that see a game")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of foreign solvers
    begun = time.monotonic()
    games = list(sampled(options.games, options.seed))
    counts: dict[str, Counter[str]] = {}
    wrong = 0
    runs = itertools.chain(in_batches(games), one_at_a_time(games, options.each))
    for name, kind, status, trouble in runs:
        counts.setdefault(name, Counter())[status] += 1
        if trouble is not None:
            wrong += 1
            sys.stdout.write(f"WRONG {name} on {kind}: {trouble}\n")
            sys.stdout.flush()
    for name, count in counts.items():
        ended = ", ".join(f"{n} {s}" for s, n in count.most_common())
        sys.stdout.write(f"{name:32} {ended}\n")
    pairs = sum(count.total() for count in counts.values())
    sys.stdout.write(
        f"{len(games)} games, {pairs} answers of {len(counts)} solvers: {wrong} OK and "
        f"wrong; {time.monotonic() - begun:.0f} s\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
