"""The dual of a ``Problem``: joint, value, gradient and Hessian, never the deviations.

One dual ``alpha >= 0`` stands for each deviation: ``[B, m]`` with ``m = sum_p A_p`` for
CCE (one action) and ``m = sum_p A_p^2`` for CE (entry ``(d, r)``: play d when told r),
players one after another. With ``gain_j(a)`` what deviation j gains at joint action a,

    sigma(a) = exp(base(a) - sum_j alpha_j gain_j(a)) / Z
    L(alpha) = ln Z + sum_p phi_p(S_p),   S_p = sum of alpha over deviations of p
    dL/dalpha_j = eps_p(S_p) - E_sigma[gain_j]

(Marris et al. 2022, eq. 8-10, with the penalty measured from its minimum). The matrix
of deviations is never built; gains are products with the payoffs (spec: CCE needs
matrix-vector products, CE one matrix product for each player).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from meta_solvers.exact.problem import Array, Problem, namespace


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """The dual function evaluated at some duals.

    Attributes:
      alpha: ``[B, m]``.
      sigma: ``[B, A1, ..., AN]``, the joint that maximises the Lagrangian.
      value: ``[B]``, L; an upper bound on the problem's optimum.
      slack: ``[B, m]``, dL/dalpha: allowed minus expected gain, below 0 a violation.
      epsilon: ``[B, N]``, the approximation ``eps_p`` at these duals.
    """

    alpha: Array
    sigma: Array
    value: Array
    slack: Array
    epsilon: Array


class Dual:
    """The dual function of one batch of problems."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.xp = namespace(problem.payoffs)
        self.players = len(problem.actions)
        xp, actions = self.xp, problem.actions
        # Own action first, then everybody else's joint action.
        self.own = [
            xp.moveaxis(problem.payoffs[:, p], 1 + p, 1).reshape(
                problem.batch, actions[p], -1
            )
            for p in range(self.players)
        ]
        masks, self.parts, start = [], [], 0
        for p, size in enumerate(actions):
            real = problem.real[:, p, :size]
            if problem.concept == "ce":
                mask = real[:, :, None] * real[:, None, :]
                where = {} if xp is np else {"device": mask.device}
                eye = xp.eye(size, dtype=mask.dtype, **where)
                mask = (mask * (1 - eye)).reshape(problem.batch, -1)
            else:
                # A single action deviates to nothing.
                mask = real * (xp.sum(real, -1, keepdims=True) > 1)
            masks.append(mask)
            self.parts.append(slice(start, start + mask.shape[1]))
            start += mask.shape[1]
        self.size = start
        self.mask = xp.concatenate(masks, 1)

    @cached_property
    def idle(self) -> Array:
        """Players ``[B, N]`` without deviations."""
        none = [self.xp.sum(self.mask[:, part], 1) == 0 for part in self.parts]
        return self.xp.stack(none, 1)

    @cached_property
    def hopeless(self) -> Array:
        """Games ``[B]`` in which a player without deviations must lose by one.

        Epsilon is hard and below 0 there, and their own action gains them nothing.
        """
        lose = (self.problem.softness == 0) & (self.problem.epsilon < 0)
        return self.xp.any(self.idle & lose, 1)

    @cached_property
    def least(self) -> Array:
        """A dual value ``[B]`` that proves that no joint satisfies the constraints.

        Any joint that does is worth at least its worst action, less the penalty's most.
        """
        xp, problem = self.xp, self.problem
        real = xp.isfinite(problem.base)
        base = xp.where(real, problem.base, xp.zeros_like(problem.base))
        soft = problem.softness > 0
        one = xp.ones_like(problem.softness)
        price = problem.width / xp.where(soft, problem.softness, one)
        price = xp.where(soft, price, 0 * one)
        worst = xp.amin(base, tuple(range(1, 1 + self.players)))
        return worst - xp.sum(price, 1) - 1.0

    def split(self, alpha: Array) -> list[Array]:
        """Duals of each player: ``[B, A_p]`` or, for CE, ``[B, A_p, A_p]``."""
        shape = (-1,) if self.problem.concept == "cce" else None
        return [
            alpha[:, part].reshape(alpha.shape[0], *(shape or (a, a)))
            for part, a in zip(self.parts, self.problem.actions, strict=True)
        ]

    def totals(self, alpha: Array) -> Array:
        """Each player's sum of duals, ``S_p``: ``[B, N]``."""
        sums = [self.xp.sum(alpha[:, part], 1) for part in self.parts]
        return self.xp.stack(sums, 1)

    def spread(self, per_player: Array) -> Array:
        """``[B, N]`` repeated over each player's deviations: ``[B, m]``."""
        pieces = [
            self.xp.broadcast_to(
                per_player[:, p : p + 1], (per_player.shape[0], part.stop - part.start)
            )
            for p, part in enumerate(self.parts)
        ]
        return self.xp.concatenate(pieces, 1)

    def tilt(self, alpha: Array) -> Array:
        """``sum_j alpha_j gain_j(a)`` at every joint action: ``[B, A1, ..., AN]``."""
        batch, actions = self.problem.batch, self.problem.actions
        total = 0.0
        for p, mine in enumerate(self.split(alpha)):
            others = actions[:p] + actions[p + 1 :]
            if self.problem.concept == "cce":
                played = (mine[:, None, :] @ self.own[p]).reshape(batch, 1, *others)
                obeyed = self.xp.sum(mine, 1).reshape(batch, *[1] * self.players)
            else:
                swapped = self.xp.moveaxis(mine, 1, 2) @ self.own[p]
                played = swapped.reshape(batch, actions[p], *others)
                obeyed = self.xp.sum(mine, 1).reshape(
                    batch, *[actions[q] if q == p else 1 for q in range(self.players)]
                )
            total = total + self.xp.moveaxis(played, 1, 1 + p)
            total = total - obeyed * self.problem.payoffs[:, p]
        return total

    def gains(self, weight: Array) -> Array:
        """``sum_a weight(a) gain_j(a)`` of every deviation: ``[B, m]``."""
        xp, batch = self.xp, self.problem.batch
        gains = []
        for p, own in enumerate(self.own):
            recommended = xp.moveaxis(weight, 1 + p, 1).reshape(batch, own.shape[1], -1)
            if self.problem.concept == "cce":
                rest = xp.sum(recommended, 1)
                gain = (own @ rest[:, :, None])[:, :, 0]
                gain = gain - xp.sum(own * recommended, (1, 2))[:, None]
            else:
                gain = own @ xp.moveaxis(recommended, 1, 2)
                gain = gain - xp.sum(own * recommended, 2)[:, None, :]
            gains.append(gain.reshape(batch, -1))
        return xp.concatenate(gains, 1) * self.mask

    def soften(self, totals: Array) -> tuple[Array, Array]:
        """``phi_p(S_p)`` and its derivative ``eps_p(S_p)``: both ``[B, N]``."""
        xp, problem = self.xp, self.problem
        t = totals * problem.softness
        drop = -xp.expm1(-t)
        tiny = t < 1e-8
        ratio = xp.where(tiny, 1 - t / 2, drop / xp.where(tiny, xp.ones_like(t), t))
        phi = totals * (problem.epsilon + problem.width * (1 - ratio))
        return phi, problem.epsilon + problem.width * drop

    def bend(self, point: Point) -> Array:
        """``d eps_p / d S_p``: ``[B, N]``, 0 where epsilon is hard."""
        soft = self.problem.softness
        return soft * self.problem.width * self.xp.exp(-self.totals(point.alpha) * soft)

    def at(self, alpha: Array) -> Point:
        """Everything but the Hessian at ``alpha``."""
        xp, axes = self.xp, tuple(range(1, 1 + self.players))
        logits = self.problem.base - self.tilt(alpha)
        top = xp.amax(logits, axes, keepdims=True)
        weight = xp.exp(logits - top)
        mass = xp.sum(weight, axes, keepdims=True)
        sigma = weight / mass
        log_z = (top + xp.log(mass)).reshape(-1)
        phi, epsilon = self.soften(self.totals(alpha))
        slack = (self.spread(epsilon) - self.gains(sigma)) * self.mask
        return Point(
            alpha=alpha,
            sigma=sigma,
            value=log_z + xp.sum(phi, 1),
            slack=slack,
            epsilon=epsilon,
        )

    def curvature(self, point: Point) -> Array:
        """The Hessian of L for CCE: ``[B, m, m]``."""
        mean, bend = self.gains(point.sigma), self.bend(point)
        hessian = self._moments(point.sigma) - mean[:, :, None] * mean[:, None, :]
        for p, part in enumerate(self.parts):
            hessian[:, part, part] += bend[:, p, None, None]
        return hessian * self.mask[:, :, None] * self.mask[:, None, :]

    def _moments(self, sigma: Array) -> Array:
        """``E[gain_j gain_k]``: ``[B, m, m]``, from products of payoff matrices."""
        xp, n = self.xp, self.players
        payoffs = self.problem.payoffs
        result = xp.zeros_like(self.mask[:, :, None] * self.mask[:, None, :])
        weighted = sigma[:, None] * payoffs
        for p in range(n):
            for q in range(p, n):
                cross = xp.sum(weighted[:, p] * payoffs[:, q], tuple(range(1, 1 + n)))
                block = cross[:, None, None] + self._pair(sigma, p, q)
                block = block - self._against(weighted[:, q], p)[:, :, None]
                block = block - self._against(weighted[:, p], q)[:, None, :]
                result[:, self.parts[p], self.parts[q]] = block
                if p != q:
                    result[:, self.parts[q], self.parts[p]] = xp.moveaxis(block, 1, 2)
        return result

    def _against(self, weight: Array, p: int) -> Array:
        """``sum_a weight(a) G_p(k, a_-p)``: ``[B, A_p]``."""
        rest = self.xp.sum(weight, 1 + p).reshape(self.problem.batch, -1, 1)
        return (self.own[p] @ rest)[:, :, 0]

    def _pair(self, sigma: Array, p: int, q: int) -> Array:
        """``sum_a sigma(a) G_p(k, a_-p) G_q(l, a_-q)``: ``[B, A_p, A_q]``."""
        xp, batch = self.xp, self.problem.batch
        if p == q:
            rest = xp.sum(sigma, 1 + p).reshape(batch, 1, -1)
            return (self.own[p] * rest) @ xp.moveaxis(self.own[p], 1, 2)
        axes = [1 + r for r in range(self.players) if r not in (p, q)]

        def matrices(array: Array) -> Array:  # [B, rest, A_p, A_q]
            moved = xp.moveaxis(
                array, [*axes, 1 + p, 1 + q], list(range(1, 1 + self.players))
            )
            rest = math.prod(self.problem.actions[a - 1] for a in axes)
            return moved.reshape(batch, rest, *moved.shape[-2:])

        mine, theirs = (matrices(self.problem.payoffs[:, r]) for r in (p, q))
        inner = xp.moveaxis(matrices(sigma), 2, 3) @ theirs  # [B, rest, A_q, A_q]
        return xp.sum(mine @ inner, 1)

    @cached_property
    def where(self) -> list[Array]:
        """Flat indices of joint actions by own action, ``[A_p, prod A_-p]`` each."""
        actions = self.problem.actions
        flat = self.index(math.prod(actions)).reshape(actions)
        return [
            self.xp.moveaxis(flat, p, 0).reshape(size, -1)
            for p, size in enumerate(actions)
        ]

    def index(self, size: int) -> Array:
        """The integers ``0 .. size - 1`` as an array like the payoffs."""
        if self.xp is np:
            return np.arange(size)
        return self.xp.arange(size, device=self.problem.payoffs.device)

    def rows(self, chosen: Array, player: int) -> Array:
        """Gains of a player's CE deviations ``chosen`` ``[B, t]``: ``[B, t, prod A]``.

        A deviation from r touches only the joint actions in which r is played.
        """
        xp, own = self.xp, self.own[player]
        size = own.shape[1]
        to, recommended = chosen // size, chosen % size
        at = xp.broadcast_to(to[:, :, None], (*to.shape, own.shape[2]))
        from_ = xp.broadcast_to(recommended[:, :, None], at.shape)
        along = np.take_along_axis if xp is np else xp.take_along_dim
        gain = along(own, at, 1) - along(own, from_, 1)
        real = along(self.mask[:, self.parts[player]], chosen, 1)[:, :, None]
        joints = math.prod(self.problem.actions)
        rows = xp.zeros_like(xp.broadcast_to(real, (*to.shape, joints)))
        if xp is np:
            np.put_along_axis(rows, self.where[player][recommended], gain * real, 2)
            return rows
        return rows.scatter(2, self.where[player][recommended], gain * real)

    def deviations(self) -> Array:
        """All gains, ``[B, m, prod A]``: for tests and tiny games."""
        xp, batch = self.xp, self.problem.batch
        if self.problem.concept == "ce":
            pairs = [self.index(a * a) for a in self.problem.actions]
            gains = [
                self.rows(xp.broadcast_to(pair, (batch, pair.shape[0])), p)
                for p, pair in enumerate(pairs)
            ]
            return xp.concatenate(gains, 1)
        units = xp.zeros_like(self.mask[:, :, None] * self.mask[:, None, :])
        units[:, self.index(self.size), self.index(self.size)] = 1.0
        tilted = [
            self.tilt(units[:, j] * self.mask).reshape(batch, 1, -1)
            for j in range(self.size)
        ]
        return xp.concatenate(tilted, 1)

    def diagonal(self, sigma: Array) -> Array:
        """Variance of every deviation's gain: the diagonal of H, epsilon hard."""
        xp, batch = self.xp, self.problem.batch
        variances = []
        for p, own in enumerate(self.own):
            recommended = xp.moveaxis(sigma, 1 + p, 1).reshape(batch, own.shape[1], -1)
            mean = recommended * own
            square = xp.sum(mean * own, 2)
            if self.problem.concept == "cce":
                rest, mean = (
                    xp.sum(recommended, 1)[:, :, None],
                    xp.sum(mean, 1)[:, :, None],
                )
                second = (own * own @ rest - 2 * own @ mean)[:, :, 0]
                second = second + xp.sum(square, 1)[:, None]
            else:
                second = own * own @ xp.moveaxis(recommended, 1, 2)
                second = second - 2 * own @ xp.moveaxis(mean, 1, 2) + square[:, None]
            variances.append(second.reshape(batch, -1))
        variance = xp.concatenate(variances, 1) - self.gains(sigma) ** 2
        return xp.clip(variance, 0.0, None) * self.mask

    def product(self, point: Point, direction: Array) -> Array:
        """``H v`` without H: ``[B, m]``."""
        xp, axes = self.xp, tuple(range(1, 1 + self.players))
        direction = direction * self.mask
        change = self.tilt(direction) * point.sigma
        change = change - point.sigma * xp.sum(change, axes, keepdims=True)
        bent = self.spread(self.bend(point) * self.totals(direction))
        return self.gains(change) + bent * self.mask
