"""Pong for two agents without an emulator: zero-sum, and the same from both sides.

Rules and numbers are our own; they keep what makes Pong a game of two (where the ball
meets the paddle decides its angle, every return is faster) and drop the pixels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.markov import Discrete, Scene, Uniforms, Where, joint_action
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

STAY, UP, DOWN = 0, 1, 2

# The field is a square from -1 to 1; agent 0 keeps x = -1, agent 1 keeps x = 1.
_HALF = 0.2  # half a paddle
_PADDLE = 0.06  # a paddle's way in one step
_SERVE = 0.06  # the ball's way along x in one step, after a serve
_FASTER = 1.1  # every return speeds it up,
_FASTEST = 0.12  # up to this
_STEEP = 0.1  # its way along y after it met the very end of a paddle
_MOVES = np.array([0.0, _PADDLE, -_PADDLE])
_TURN = (5**0.5 - 1) / 2  # the golden section spreads serves evenly


@dataclass(frozen=True, eq=False, kw_only=True)
class PongScene(Scene):
    """A batch of episodes of ``MiniPong``.

    Attributes:
      paddles: height of the middle of each agent's paddle.
      ball: x, y and their change in one step.
      points: won so far.
      steps: steps played.
      serves: the numbers the episode was started with.
    """

    paddles: Float64[ndarray, "B 2"]
    ball: Float64[ndarray, "B 4"]
    points: Int64[ndarray, "B 2"]
    steps: Int64[ndarray, " B"]
    serves: Float64[ndarray, "B 2"]


@dataclass(frozen=True)
class MiniPong(Named):
    """Pong: a ball, two paddles, a point to the one whose opponent misses.

    Actions are stay, up and down. In a step the paddles move, then the ball; it bounces
    off the walls above and below and is returned by a paddle that it meets, the steeper
    the further from the paddle's middle, and 10 % faster up to twice the speed of a
    serve. A steep ball outruns a paddle, so following it does not suffice. The winner
    of a point is paid 1 and the loser -1.

    The first number of an episode decides who receives the first serve (agent 0 if
    below 1/2; the two then take turns), the second one the angle; the k-th serve's is
    the second number plus k golden sections, modulo 1.

    Each agent sees the field from its own side, as 8 numbers: its own paddle, the
    other's, the ball's x (-1 at its own paddle) and y, their change in units of the
    largest, its own points and the other's as a share of ``points``.

    Attributes:
      points: the first to win so many ends the episode.
      limit: steps after which it is truncated.

    Raises:
      UserError: one of them is below 1.
    """

    points: int = 3
    limit: int = 500

    agents = 2
    inputs = 8
    kind = "mini_pong"
    draws = 2
    actions = Discrete(3)

    def __post_init__(self) -> None:
        if min(self.points, self.limit) < 1:
            raise UserError(
                "MiniPong(): points and limit must be at least 1; "
                f"got {self.points} and {self.limit}"
            )

    def start(self, uniforms: Uniforms) -> PongScene:
        """New episodes: paddles in the middle, the ball served."""
        batch = len(uniforms)
        points = np.zeros((batch, 2), dtype=np.int64)
        return self._scene(
            np.zeros((batch, 2)),
            np.zeros((batch, 2)),
            _serve(uniforms, points),
            points=points,
            steps=np.zeros(batch, dtype=np.int64),
            serves=uniforms.copy(),
        )

    def restart(self, scene: PongScene, where: Where, uniforms: Uniforms) -> PongScene:
        """New episodes where asked, the others as they were."""
        if not where.any():
            return scene
        new, asked = self.start(uniforms), where[:, None]
        return self._scene(
            np.where(asked, new.rewards, scene.rewards),
            np.where(asked, new.paddles, scene.paddles),
            np.where(asked, new.ball, scene.ball),
            points=np.where(asked, new.points, scene.points),
            steps=np.where(where, new.steps, scene.steps),
            serves=np.where(asked, new.serves, scene.serves),
        )

    def step(self, scene: PongScene, actions: ndarray) -> PongScene:
        """The scene after paddles and ball moved; finished episodes stay as they are.

        Raises:
          UserError: the joint actions do not fit.
        """
        chosen = joint_action(self, len(scene.steps), actions)
        going = ~scene.over
        top = 1.0 - _HALF
        paddles = np.clip(scene.paddles + _MOVES[chosen], -top, top)
        ball = scene.ball.copy()
        ball[:, :2] += ball[:, 2:]
        out = np.flatnonzero(np.abs(ball[:, 1]) > 1.0)
        ball[out, 1] = np.copysign(2.0, ball[out, 1]) - ball[out, 1]
        ball[out, 3] *= -1.0
        rewards = np.zeros((len(going), 2))
        points = scene.points
        met = np.flatnonzero((np.abs(ball[:, 0]) >= 1.0) & going)
        if len(met):
            lost, side = _meet(ball, paddles, met)
            points = points.copy()
            points[lost, 1 - side] += 1
            rewards[lost, 1 - side] = 1.0
            rewards[lost, side] = -1.0
            ball[lost] = _serve(scene.serves[lost], points[lost])
        if not going.all():
            paddles = np.where(going[:, None], paddles, scene.paddles)
            ball = np.where(going[:, None], ball, scene.ball)
        return self._scene(
            rewards,
            paddles,
            ball,
            points=points,
            steps=scene.steps + going,
            serves=scene.serves,
        )

    def _scene(
        self,
        rewards: ndarray,
        paddles: ndarray,
        ball: ndarray,
        points: ndarray,
        steps: ndarray,
        serves: ndarray,
    ) -> PongScene:
        terminated = points.max(1) >= self.points
        seen = np.empty((len(steps), 2, 8), dtype=np.float32)
        seen[:, :, 0] = paddles
        seen[:, :, 1] = paddles[:, ::-1]
        seen[:, :, 2:6] = (ball * (1.0, 1.0, 1 / _FASTEST, 1 / _STEEP))[:, None]
        seen[:, 1, 2:5:2] *= -1.0  # agent 1 looks from the other side
        share = points / self.points
        seen[:, :, 6] = share
        seen[:, :, 7] = share[:, ::-1]
        return PongScene(
            observations=seen,
            rewards=rewards,
            terminated=terminated,
            truncated=(steps >= self.limit) & ~terminated,
            paddles=paddles,
            ball=ball,
            points=points,
            steps=steps,
            serves=serves,
        )


def tracker(observations: Float32[ndarray, "*B 8"]) -> Int64[ndarray, "*B"]:
    """A scripted opponent that follows the height of the ball.

    It wins nearly all points against random play, hardly ever ends a rally with
    itself, and loses to an agent that returns the ball with the end of its paddle.

    Args:
      observations: observations of one agent or of several.
    """
    ahead = observations[..., 3] - observations[..., 0]
    near = np.abs(ahead) <= _PADDLE / 2
    return np.where(near, STAY, np.where(ahead > 0, UP, DOWN))


def _serve(serves: ndarray, points: ndarray) -> ndarray:
    """The ball [B, 4] after so many points."""
    played = points.sum(1)
    first = np.where(serves[:, 0] < 0.5, -_SERVE, _SERVE)
    angle = np.mod(serves[:, 1] + played * _TURN, 1.0)
    ball = np.zeros((len(serves), 4))
    ball[:, 2] = np.where(played % 2 == 0, first, -first)
    ball[:, 3] = _STEEP * (2.0 * angle - 1.0)
    return ball


def _meet(ball: ndarray, paddles: ndarray, rows: ndarray) -> tuple[ndarray, ndarray]:
    """Returns balls at the paddles' lines, in place, and tells which were missed.

    Returns:
      the rows whose ball was missed, and the agent that missed it.
    """
    side = (ball[rows, 0] > 0).astype(np.int64)
    offset = (ball[rows, 1] - paddles[rows, side]) / _HALF
    missed = np.abs(offset) > 1.0
    kept = rows[~missed]
    if len(kept):
        ball[kept, 3] = _STEEP * offset[~missed]
        ball[kept, 0] = np.copysign(2.0, ball[kept, 0]) - ball[kept, 0]
        speed = np.minimum(np.abs(ball[kept, 2]) * _FASTER, _FASTEST)
        ball[kept, 2] = -np.copysign(speed, ball[kept, 2])
    return rows[missed], side[missed]
