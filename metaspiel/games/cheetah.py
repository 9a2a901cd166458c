"""Gymnasium's half-cheetah as a game of two players, a leg each, with few actions.

The cooperative task of Multi-Agent MuJoCo (Peng et al. 2021, "2x3") for oracles that
learn by Double DQN or PPO over finitely many actions. Gymnasium's HalfCheetah-v5 is
moved, whose numbers differ from those of the v2 task there. Needs the extra ``mujoco``.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.extras import seed_of
from metaspiel.games.mujoco import HalfCheetah
from metaspiel.games.simulator import Moves, Position, RealGame, Uniforms, Where, own
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

_LEGS = 2
_JOINTS = 3
_STATE = HalfCheetah.task.inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class CheetahPosition(Position):
    """Episodes of ``TwoLegs``.

    Not for ``simulator.merge``: the robots are no tensors.

    Attributes:
      robots: the whole state of MuJoCo's integrator, P numbers each.
      seen: what Gymnasium shows of it.
      paid: Gymnasium's rewards so far.
      chosen: the hind leg's action in this round; 0 before it moves.
      rounds: rounds played.
    """

    robots: Float64[ndarray, "S B P"]
    seen: Float32[Tensor, "S B 17"]
    paid: Float64[Tensor, "S B"]
    chosen: Int64[Tensor, "S B"]
    rounds: Int64[Tensor, "S B"]


@dataclass(frozen=True)
class TwoLegs(Named, RealGame):
    """A half-cheetah whose hind leg is player 0 and whose front leg is player 1.

    In every round both choose torques for their three joints (thigh, shin, foot), each
    one of ``levels`` numbers from -1 to 1, evenly spaced; an action is their number
    with the thigh's as the highest digit. Player 0 is asked first, and player 1 is not
    shown what it chose. Then the robot is moved. The uniform number of an episode seeds
    the small disturbance of the starting pose, as in ``metaspiel.games.mujoco``.

    Both players see the robot's 17 numbers as Gymnasium shows them, the share of rounds
    left, this one included, and 1 for player 1: the whole state, but not what was done
    before. Both are paid, at the end, the sum of Gymnasium's rewards (speed minus a
    tenth of the squared torques), divided by ``scale``. The robots are moved one by one
    on the CPU.

    Attributes:
      levels: torques that a joint can have; ``levels ** 3`` actions.
      horizon: rounds of an episode.
      repeat: Gymnasium's steps in a round, with the same torques; each takes .05 s.
      scale: payoffs are in units of this.

    Raises:
      UserError: a number is out of bounds, or MuJoCo is not installed.
    """

    levels: int = 3
    horizon: int = 50
    repeat: int = 1
    scale: float = 1.0

    kind = "halfcheetah_2x3"
    players = _LEGS
    inputs = _STATE + 2
    draws = 1
    symmetric = False
    reads = "observation"

    def __post_init__(self) -> None:
        limits = {"levels": (2, 9), "horizon": (1, 1000), "repeat": (1, 100)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UserError(
                    f"{self.kind}: {name} must be from {low} to {high}; got {value}"
                )
        if not (self.scale > 0 and isfinite(self.scale)):
            raise UserError(f"{self.kind}: scale must be positive; got {self.scale}")
        HalfCheetah.task.require()

    @property
    def actions(self) -> int:
        """A, the joint levels of a leg's torques."""
        return int(self.levels**_JOINTS)

    @property
    def longest(self) -> int:
        """Moves of every episode."""
        return _LEGS * self.horizon

    def torques(self) -> Float64[ndarray, "A 3"]:
        """The torques of each action."""
        steps = np.linspace(-1.0, 1.0, self.levels)
        return np.array(list(product(steps, repeat=_JOINTS)))

    def start(self, uniforms: Uniforms) -> CheetahPosition:
        """New episodes; the tensors are on the device of the uniforms.

        Raises:
          UserError: an episode does not have one number.
        """
        if uniforms.shape[-1] != self.draws:
            raise UserError(
                f"{self.kind}: an episode needs 1 uniform number; "
                f"got {uniforms.shape[-1]}"
            )
        shape, device = tuple(uniforms.shape[:2]), uniforms.device
        blank = torch.zeros(shape, dtype=torch.int64, device=device)
        numbers = torch.zeros(shape, device=device)
        nothing = CheetahPosition(
            mover=blank,
            done=blank.bool(),
            inputs=torch.zeros(*shape, self.inputs, device=device),
            legal=torch.ones(*shape, self.actions, dtype=torch.bool, device=device),
            returns=torch.zeros(*shape, self.players, device=device),
            penalty=numbers,
            robots=np.zeros((*shape, _size())),
            seen=torch.zeros(*shape, _STATE, device=device),
            paid=numbers.double(),
            chosen=blank,
            rounds=blank,
        )
        return self.restart(nothing, ~nothing.done, uniforms)

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> CheetahPosition:
        """New episodes where asked, the others as they were."""
        old = own(position, CheetahPosition, f"{self.kind}.restart()")
        robots, seen = old.robots.copy(), old.seen.cpu().numpy().copy()
        numbers = uniforms[..., 0].cpu().numpy()
        for at in map(tuple, np.argwhere(where.cpu().numpy())):
            seen[at] = _robot().reset(seed=seed_of(numbers[at]))[0]
            robots[at] = _read()
        return self._shown(
            replace(
                old,
                mover=old.mover.masked_fill(where, 0),
                robots=robots,
                seen=torch.from_numpy(seen).to(old.seen.device),
                paid=old.paid.masked_fill(where, 0.0),
                chosen=old.chosen.masked_fill(where, 0),
                rounds=old.rounds.masked_fill(where, 0),
            )
        )

    def step(self, position: Position, action: Moves, where: Where) -> CheetahPosition:
        """Positions after the movers' actions where asked; the others as they were.

        Actions are not checked: they must be legal where asked and not over.
        """
        old = own(position, CheetahPosition, f"{self.kind}.step()")
        moves = where & ~old.done
        ends = moves & (old.mover == _LEGS - 1)
        robots, seen = old.robots.copy(), old.seen.cpu().numpy().copy()
        paid = old.paid.cpu().numpy().copy()
        legs = torch.stack([old.chosen, action], -1).cpu().numpy()
        torques = self.torques()
        for at in map(tuple, np.argwhere(ends.cpu().numpy())):
            _write(robots[at])
            for _ in range(self.repeat):
                seen[at], reward, *_ = _robot().step(torques[legs[at]].reshape(-1))
                paid[at] += reward
            robots[at] = _read()
        return self._shown(
            replace(
                old,
                mover=(old.mover + moves) % _LEGS,
                robots=robots,
                seen=torch.from_numpy(seen).to(old.seen.device),
                paid=torch.from_numpy(paid).to(old.paid.device),
                chosen=torch.where(moves & ~ends, action, old.chosen * ~ends),
                rounds=old.rounds + ends,
            )
        )

    def _shown(self, position: CheetahPosition) -> CheetahPosition:
        """The position with what follows from the robots and the rounds."""
        done = position.rounds >= self.horizon
        left = (1 - position.rounds / self.horizon)[..., None]
        parts = [position.seen, left, position.mover[..., None].float()]
        share = (position.paid / self.scale * done).float()[..., None]
        return replace(
            position,
            done=done,
            inputs=torch.cat(parts, -1) * ~done[..., None],
            legal=~done[..., None].expand_as(position.legal),
            returns=share.expand_as(position.returns),
        )


@lru_cache(maxsize=1)
def _robot() -> Any:
    """The one simulator of this process, which is put into every episode's state."""
    return HalfCheetah.task()


def _size() -> int:
    import mujoco

    return int(mujoco.mj_stateSize(_robot().model, mujoco.mjtState.mjSTATE_INTEGRATION))


def _read() -> Float64[ndarray, " P"]:
    """All that the robot's next step depends on, bit for bit."""
    import mujoco

    robot, numbers = _robot(), np.zeros(_size())
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    mujoco.mj_getState(robot.model, robot.data, numbers, kind)
    return numbers


def _write(numbers: Float64[ndarray, " P"]) -> None:
    """Puts the robot into a state that was read."""
    import mujoco

    robot, kind = _robot(), mujoco.mjtState.mjSTATE_INTEGRATION
    mujoco.mj_setState(robot.model, robot.data, numbers, kind)
