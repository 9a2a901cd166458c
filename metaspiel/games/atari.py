"""Atari Pong for two agents, through PettingZoo's emulator.

Needs the extra ``atari``: PettingZoo, the two-player emulator ``multi-agent-ale-py``
and ``ale-py`` for the ROM inside it. The last two are under the GPL; nothing else here
needs them, and ``mini_pong`` is a game of the same kind without them.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from metaspiel.games.extras import need
from metaspiel.games.markov import Discrete, Uniforms, Where
from metaspiel.games.worlds import Named
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from metaspiel.games.from_parallel import FromParallel

_CLASSIC = 4  # the cartridge's mode: Pong for two, one paddle each
_NOOPS = 31  # an episode starts after 0 to 30 frames without action
_FIELD = slice(34, 194)  # rows between the walls, of 210
_POOL = 8


@dataclass(frozen=True)
class AtariPong(Named):
    """Pong of the cartridge Video Olympics, to 21 points.

    Actions: nothing, fire (serves), right, left, fire right, fire left; right and left
    move the paddle up and down. The winner of a point is paid 1 and the loser -1; who
    does not serve within two seconds is paid -1 and the other 0. Both agents see the
    same. The emulator has no chance of its own: an episode's number only decides how
    many frames, 0 to 30, pass before the agents may act.

    Attributes:
      obs: "ram", the 128 bytes of memory, or "grayscale", the brightest pixel of every
        8 x 8 square of the field, now and one step before (2 x 20 x 20 numbers); both
        from 0 to 1.
      skip: frames an action lasts; their rewards are added.
      limit: steps after which an episode is truncated.

    Raises:
      UserError: ``obs`` is unknown, or skip or limit is below 1.
    """

    obs: Literal["ram", "grayscale"] = "ram"
    skip: int = 4
    limit: int = 2000

    agents = 2
    kind = "atari_pong"
    draws = 1
    actions = Discrete(6)

    def __post_init__(self) -> None:
        if self.obs not in ("ram", "grayscale") or min(self.skip, self.limit) < 1:
            raise UserError(
                "AtariPong(): obs must be 'ram' or 'grayscale', skip and limit at "
                f"least 1; got {self.obs!r}, {self.skip} and {self.limit}"
            )

    @property
    def inputs(self) -> int:
        """Observation size D: 128 or 800."""
        return 128 if self.obs == "ram" else 2 * (160 // _POOL) ** 2

    def start(self, uniforms: Uniforms) -> Any:
        """New episodes, as a ``metaspiel.games.extras.TeamScene``.

        Raises:
          UserError: the extra ``atari`` is not installed.
        """
        return self._game().start(uniforms)

    def restart(self, scene: Any, where: Where, uniforms: Uniforms) -> Any:
        """New episodes where asked, the others as they were."""
        return self._game().restart(scene, where, uniforms)

    def step(self, scene: Any, actions: ndarray) -> Any:
        """The scene after ``skip`` frames of the chosen actions.

        Raises:
          UserError: the joint actions do not fit.
        """
        return self._game().step(scene, actions)

    def _game(self) -> "FromParallel":
        need("AtariPong", "atari", "pettingzoo", "multi_agent_ale_py", "pygame")
        from metaspiel.games.from_parallel import FromParallel

        return FromParallel(_Plug(self.obs, self.skip), self.limit, self.name)


@dataclass(frozen=True)
class _Plug:
    """Factory of emulators with the game loaded; factories compare as values."""

    obs: str
    skip: int

    def __call__(self) -> "_Console":
        return _Console(self.obs, self.skip)


class _Console:
    """The emulator behind PettingZoo's parallel API, with skipped frames."""

    def __init__(self, obs: str, skip: int) -> None:
        from gymnasium import spaces
        from pettingzoo.atari.base_atari_env import ParallelAtariEnv

        ale = find_spec("ale_py")
        if ale is None or ale.origin is None:
            raise UserError(
                "AtariPong: pip install 'metaspiel[atari]' must have been run; "
                "got no module named 'ale_py', which ships the ROM"
            )
        self._gray, self._skip = obs == "grayscale", skip
        self._env = ParallelAtariEnv(
            game="pong",
            num_players=2,
            mode_num=_CLASSIC,
            obs_type="grayscale_image" if self._gray else "ram",
            auto_rom_install_path=str(Path(ale.origin).parent / "roms"),
        )
        size = 2 * (160 // _POOL) ** 2 if self._gray else 128
        self._box = spaces.Box(0.0, 1.0, (size,), np.float32)
        self._before = np.zeros(size // 2, dtype=np.float32)
        self.possible_agents = self._env.possible_agents

    @property
    def agents(self) -> list[str]:
        """The agents whose episode is not over."""
        return list(self._env.agents)

    def observation_space(self, agent: str) -> Any:
        """The observation space, the same for both agents."""
        return self._box

    def action_space(self, agent: str) -> Any:
        """The action space of an agent: six actions."""
        return self._env.action_space(agent)

    def reset(self, seed: int) -> tuple[dict[str, ndarray], dict[str, Any]]:
        """Switches the game on and lets some frames pass."""
        shown, infos = self._env.reset()
        for _ in range(np.random.default_rng(seed).integers(_NOOPS)):
            shown = self._env.step(dict.fromkeys(self.agents, 0))[0]
        if self._gray:
            self._before = _pooled(next(iter(shown.values())))
        return self._seen(shown), infos

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        """Repeats the actions for ``skip`` frames or until the episode is over."""
        total = dict.fromkeys(actions, 0.0)
        for _ in range(self._skip):
            shown, paid, ended, cut, infos = self._env.step(actions)
            for agent, reward in paid.items():
                total[agent] += float(reward)
            if not self._env.agents:
                break
        return self._seen(shown), total, ended, cut, infos

    def _seen(self, shown: dict[str, ndarray]) -> dict[str, ndarray]:
        """Observations of both agents, which are equal, scaled to [0, 1]."""
        raw = next(iter(shown.values()))
        if not self._gray:
            return dict.fromkeys(shown, raw.astype(np.float32) / 255)
        now = _pooled(raw)
        seen = np.concatenate([now, self._before])
        self._before = now
        return dict.fromkeys(shown, seen)


def _pooled(screen: ndarray) -> Float32[ndarray, " 400"]:
    """The brightest pixel of every square of the field."""
    cut = 160 // _POOL
    squares = screen[_FIELD, :, 0].reshape(cut, _POOL, cut, _POOL)
    return (squares.max((1, 3)).astype(np.float32) / 255).ravel()
