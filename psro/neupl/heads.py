"""Responses that begin with the population's network and are told whom they answer.

A response to a mixture of co-players begins as the conditional network, with a summary
of the mixture in place of a code (``ResponseHead``). What it has learned of summaries
stays with the population, so that the next response begins with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray

from metaspiel.learn.head import Mixture, OneHidden, ResponseHead
from metaspiel.learn.random import generators
from metaspiel.learn.recurrent import Shared
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from psro.executor import Executor
from psro.neupl.settings import Head

_FRESH, _PARTS = 4, 5  # purposes of seeds, beside those of ``psro.rl``


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadTrainer:
    """Learns responses that begin with the population's network.

    A response is the weights of a plain network, and after them those that make
    summaries. Double DQN begins with the plain network and learns no summaries.

    Attributes:
      network: the conditional network.
      settings: how responses begin.
      codes: of each player's pool.
      common: weights of each player's network.
      summaries: weights that make each player's summaries.
    """

    network: Shared
    settings: Head
    codes: tuple[Float32[ndarray, "_ d"], ...]
    common: tuple[Float32[ndarray, " P"], ...]
    summaries: tuple[Float32[ndarray, " F"], ...]

    def __call__(
        self, tasks: Sequence[Task], executor: Executor
    ) -> list[Float32[ndarray, " Q"]]:
        """The plain weights of the responses, and those of their summaries."""
        if not tasks:
            return []
        self.settings.check(tasks[0].settings)
        heads = [self._head(task, task.co_play) for task in tasks]
        weights = [
            self._begun(head, task) for head, task in zip(heads, tasks, strict=True)
        ]
        if isinstance(tasks[0].settings, DDQN):
            plain = [
                replace(task, initial=head.exported(begun).numpy())
                for task, head, begun in zip(tasks, heads, weights, strict=True)
            ]
            return [learned.policy for learned in executor.answer(train, plain)]
        for part in range(len(self.settings.shares)):
            asked = [
                self._asked(task, begun, part)
                for task, begun in zip(tasks, weights, strict=True)
            ]
            learned = executor.answer(train, asked)
            weights = [torch.from_numpy(made.policy) for made in learned]
        return [
            torch.cat([head.exported(made), head.split(made)[1]]).numpy()
            for head, made in zip(heads, weights, strict=True)
        ]

    def _head(self, task: Task, co_play: Float64[ndarray, "*K"]) -> ResponseHead:
        """The network of a response to a mixture."""
        others = [own for q, own in enumerate(self.codes) if q != task.player]
        return ResponseHead(
            conditional=self.network,
            mixture=Mixture.of(others, co_play, self.settings.most),
            width=self.settings.width,
            blank=self.settings.blank,
            frozen=self.settings.frozen,
        )

    def _begun(self, head: ResponseHead, task: Task) -> Float32[torch.Tensor, " H"]:
        """The weights that a response begins with."""
        (fresh,) = generators((*task.seed, _FRESH), 1)
        if self.settings.start == "cold":
            return head.initial(fresh)
        common = self.network.heated(
            torch.from_numpy(self.common[task.player]), self.settings.heat
        )
        if not self.settings.persist:
            return head.warm(common, fresh)
        return torch.cat([common, torch.from_numpy(self.summaries[task.player])])

    def _asked(self, task: Task, begun: torch.Tensor, part: int) -> Task:
        """One part of a task, against the meta-strategy or a mixture that is drawn."""
        drawn, share = self.settings.shares[part]
        co_play = task.co_play
        if drawn:
            rng = np.random.default_rng((*task.seed, _PARTS, part))
            flat = rng.dirichlet(np.ones(co_play.size))
            co_play = flat.reshape(co_play.shape)
        return replace(
            task,
            learner=self._head(task, co_play),
            initial=begun.numpy(),
            co_play=co_play,
            seed=task.seed if part == 0 else (*task.seed, _PARTS, part),
            settings=task.settings.part(share),
        )


def summaries(network: Shared, settings: Head, players: int) -> OneHidden:
    """The network that makes summaries, of the codes of all co-players in a game."""
    joined = max(players - 1, 1) * network.codes
    return OneHidden(joined, settings.width, network.codes)
