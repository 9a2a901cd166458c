"""Primal-dual interior point on the dual of a ``Problem``, for batches.

Minimises L over ``alpha >= 0`` with multipliers z. Every step solves, twice with one
factorisation (predictor and corrector, Mehrotra 1992),

    (H + diag(z / alpha)) d = -slack + tau / alpha

and keeps alpha and z positive; a line search guards L. Numpy arrays (one game) and
torch tensors (batches, CPU or CUDA) run the same code; problems that are solved leave
the batch.
"""

from dataclasses import dataclass, replace

from meta_solvers.batches import take
from meta_solvers.exact.dual import Dual, Point
from meta_solvers.exact.linear import factorise
from meta_solvers.exact.problem import Array, Problem, namespace

SOLVED, STEPS, INFEASIBLE, STUCK = range(4)
_BOUNDARY = 0.995  # fraction of the way to the boundary a step may go
_HALVINGS = 12
_MANY = 50  # steps after which a warm start has failed
_NEARLY = 5e-10  # violation that ends a problem as solved when steps run out
_CARE = 2  # careful steps after one that was cut short
_LEAST_TAU = 1e-14  # below this rounding, not the barrier, decides


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """Answers of a batch, each ``[B, ...]``.

    Attributes:
      point: duals, joint, value and slack.
      status: SOLVED, STEPS (ran out), INFEASIBLE or STUCK (no step makes progress).
      steps: Newton steps taken.
      residual: KKT residual ``max |min(alpha, slack)|``.
      gap: duality gap ``alpha . slack`` of the joint.
    """

    point: Point
    status: Array
    steps: Array
    residual: Array
    gap: Array


@dataclass(eq=False, kw_only=True)
class _State:
    """Iterates of the problems that are not finished."""

    dual: Dual
    point: Point
    z: Array
    ids: Array
    stalls: Array
    care: Array

    def keep(self, index: Array) -> "_State":
        return _State(
            dual=Dual(self.dual.problem.take(index)),
            point=take(self.point, index),
            z=self.z[index],
            ids=self.ids[index],
            stalls=self.stalls[index],
            care=self.care[index],
        )


def solve(
    problem: Problem,
    start: Array | None = None,
    steps: int = 300,
    tolerance: float = 1e-10,
) -> Solution:
    """Solves a batch of problems by an interior-point method.

    Args:
      problem: B problems.
      start: duals ``[B, m]`` to start from, None for a cold start.
      steps: Newton steps at most; 0 only evaluates ``start``. A start that gets stuck,
        or is not solved in 50 steps or more, is given up for a cold one.
      tolerance: duality gap and largest violation, in the solver's units, at which a
        problem is solved (violations at a tenth of it).
    """
    xp = namespace(problem.payoffs)
    solved = _run(problem, start, steps, tolerance)
    stuck = solved.status == STUCK
    if steps >= _MANY:
        stuck = stuck | (solved.status == STEPS)
    if start is None or not xp.any(stuck):
        return solved
    # A start too far from the central path can only be left by starting again.
    again = _run(problem.take(stuck), None, steps, tolerance)
    return merged(solved, again, stuck)


def _run(
    problem: Problem, start: Array | None, steps: int, tolerance: float
) -> Solution:
    xp = namespace(problem.payoffs)
    state = _first(problem, start, floor=steps > 0)
    finished = []
    for step in range(steps + 1):
        status = _status(state, tolerance, last=step == steps)
        done = status >= 0
        if xp.any(done):
            point = take(state.point, done)
            finished.append((state.ids[done], point, status[done], step))
            if xp.all(done):
                break
            state = state.keep(~done)
        state = _step(state)
    return _collect(finished)


def merged(first: Solution, second: Solution, where: Array) -> Solution:
    """``second`` in the places ``where``; steps add up."""
    parts = {}
    for name in ("status", "steps", "residual", "gap"):
        whole, part = getattr(first, name), getattr(second, name)
        whole[where] = part + whole[where] if name == "steps" else part
        parts[name] = whole
    point = {}
    for name, array in vars(first.point).items():
        array[where] = getattr(second.point, name)
        point[name] = array
    return Solution(point=Point(**point), **parts)


def measure(point: Point) -> tuple[Array, Array]:
    """KKT residual and duality gap, both ``[B]``."""
    xp = namespace(point.alpha)
    residual = xp.abs(xp.minimum(point.alpha, point.slack))
    gap = xp.sum(point.alpha * point.slack, 1)
    return xp.amax(residual, 1), gap


def _first(problem: Problem, start: Array | None, floor: bool = True) -> _State:
    dual = Dual(problem)
    xp, mask = dual.xp, dual.mask
    count = xp.clip(xp.sum(mask, 1), 1.0, None)[:, None]
    if start is None:
        point, z = dual.at(mask / count), xp.ones_like(mask) * mask
    else:
        least = 1e-3 * xp.sum(start * mask, 1)[:, None] / count + 1e-9
        point = dual.at((xp.maximum(start, least) if floor else start) * mask)
        size = xp.abs(point.slack)
        centre = xp.sum(point.alpha * size, 1)[:, None] / count + 1e-12
        alpha = point.alpha + (1 - mask)
        z = xp.maximum(point.slack, 0.1 * centre / alpha) * mask
    ids = dual.index(problem.batch)
    return _State(
        dual=dual,
        point=point,
        z=z,
        ids=ids,
        stalls=xp.zeros_like(ids),
        care=xp.zeros_like(ids),
    )


def _status(state: _State, tolerance: float, last: bool) -> Array:
    """Status of each problem, -1 while it should go on."""
    xp, point = state.dual.xp, state.point
    _, gap = measure(point)
    violated = -xp.amin(point.slack, 1)
    # A violation v moves the gap by v times the sum of the duals.
    allowed = tolerance + 0.1 * tolerance * xp.sum(point.alpha, 1)
    solved = (xp.abs(gap) <= allowed) & (violated <= 0.1 * tolerance)
    # Where the duals have to go to infinity the last digits take for ever.
    nearly = xp.abs(gap) <= _NEARLY * (1 + xp.sum(point.alpha, 1))
    nearly = nearly & (violated <= _NEARLY)
    over = (state.stalls >= 3) | last
    solved = solved | (nearly & over)
    code = xp.where(solved, SOLVED, STEPS if last else -1)
    lost = (state.stalls >= 3) | ~xp.isfinite(point.value)
    code = xp.where(~solved & lost, STUCK, code)
    code = xp.where(~solved & (point.value < state.dual.least), INFEASIBLE, code)
    return xp.where(state.dual.hopeless, INFEASIBLE, code)


def _longest(x: Array, dx: Array) -> Array:
    """``[B, 1]``: how far x may go along dx and stay positive, at most 1."""
    xp = namespace(x)
    falling = dx < -1e-200
    ratio = xp.where(falling, -x / xp.where(falling, dx, xp.ones_like(dx)), 1e300)
    return xp.clip(_BOUNDARY * xp.amin(ratio, 1), None, 1.0)[:, None]


def _step(state: _State) -> _State:
    """One predictor-corrector step of every problem."""
    dual, point, z = state.dual, state.point, state.z
    xp, mask = dual.xp, dual.mask
    alpha = point.alpha + (1 - mask)  # padded duals are 1, and never move
    count = xp.clip(xp.sum(mask, 1), 1.0, None)[:, None]
    mu = xp.sum(point.alpha * z, 1)[:, None] / count
    ratio = z / alpha
    factor = factorise(dual, point, ratio + (1 - mask))

    def direction(tau: Array, bend: Array) -> tuple[Array, Array]:
        push = (tau - bend) / alpha
        d = factor.solve((push - point.slack) * mask) * mask
        return d, (push - z - ratio * d) * mask

    def shortened(d: Array) -> Array:
        # Where sigma is nearly pure H nearly vanishes and a Newton step has no length.
        most = 10.0 + 5.0 * xp.sum(point.alpha, 1)[:, None]
        size = xp.sum(xp.abs(d), 1)[:, None]
        return d * xp.clip(most / xp.clip(size, 1e-300, None), None, 1.0)

    d, dz = direction(0.0 * mu, 0.0 * z)
    d = shortened(d)
    ahead = (point.alpha + _longest(alpha, d) * d) * (z + _longest(z, dz) * dz)
    reach = xp.sum(ahead, 1)[:, None] / count
    centring = xp.clip(reach / xp.clip(mu, 1e-300, None), 0.0, 1.0) ** 3
    # Where the corrector's steps are cut short, follow the central path instead.
    careful = (state.care > 0)[:, None]
    centring = xp.where(careful, 0.1 + 0 * mu, centring)
    tau = xp.clip(centring * mu, _LEAST_TAU, None)
    d, dz = direction(tau, xp.where(careful, 0 * z, d * dz))
    d = shortened(d)
    after, length = _search(dual, point, alpha, d, tau)
    centre = tau / (after.alpha + (1 - mask))
    z = xp.maximum(z + _longest(z, dz) * dz, 1e-3 * centre)
    z = xp.where(careful, xp.minimum(z, 1e6 * centre), z) * mask
    none = xp.zeros_like(state.stalls)
    stalls = xp.where(length > 1e-3, none, state.stalls + 1)
    care = xp.where(length < 0.3, none + _CARE, xp.clip(state.care - 1, 0, None))
    return replace(state, point=after, z=z, stalls=stalls, care=care)


def _search(
    dual: Dual, point: Point, alpha: Array, d: Array, tau: Array
) -> tuple[Point, Array]:
    """Halves the step until the barrier function falls; also returns its length.

    Where no step is short enough the point stays, and the length is 0.
    """
    xp = dual.xp
    rest = 1 - dual.mask

    def merit(at: Point) -> Array:
        return at.value - tau[:, 0] * xp.sum(xp.log(at.alpha + rest), 1)

    before = merit(point)
    slope = xp.clip(xp.sum((point.slack - tau / alpha * dual.mask) * d, 1), None, 0.0)
    noise = 1e-10 * (1 + xp.abs(before))
    length = _longest(alpha, d)[:, 0]
    for _ in range(_HALVINGS):
        after = dual.at(point.alpha + length[:, None] * d)
        good = merit(after) <= before + 1e-4 * length * slope + noise
        if xp.all(good):
            break
        length = xp.where(good, length, 0.5 * length)
    kept = {}
    for name, old in vars(point).items():
        wide = good.reshape(-1, *[1] * (old.ndim - 1))
        kept[name] = xp.where(wide, getattr(after, name), old)
    return Point(**kept), xp.where(good, length, 0.0 * length)


def _collect(finished: list[tuple[Array, Point, Array, int]]) -> Solution:
    """The finished problems in their first order."""
    xp = namespace(finished[0][0])
    order = xp.argsort(xp.concatenate([ids for ids, *_ in finished]))

    def joined(parts: list[Array]) -> Array:
        return xp.concatenate(parts, 0)[order]

    names = vars(finished[0][1])
    point = Point(
        **{n: joined([getattr(p, n) for _, p, *_ in finished]) for n in names}
    )
    steps = [xp.zeros_like(ids) + step for ids, _, _, step in finished]
    status = joined([status for *_, status, _ in finished])
    residual, gap = measure(point)
    return Solution(
        point=point, status=status, steps=joined(steps), residual=residual, gap=gap
    )
