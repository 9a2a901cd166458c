"""What each oracle of a PSRO run needs to know, and which flags go with which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from experiments.lab.options import flag
from experiments.lab.trust import EvaluatorSpec, ExecutorSpec
from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak
from metaspiel.learn.settings import DDQN, NetworkName, PPOResponse
from metaspiel.nfg.errors import UserError
from psro.neupl.settings import (
    Codes,
    Distillation,
    Head,
    PayoffNetwork,
    States,
    Weighting,
)
from psro.parts import Initial, Start

TeacherName = Literal["exact", "ddqn", "ppo"]
Responder = Literal["exact", "ddqn", "ppo", "own"]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What is asked of the whole tree of a game, by exact responses or a referee."""

    memory_gb: float = 4.0
    """Exact oracle, --referee: refuse games whose tree makes the process grow by more
    than this; it is estimated before it is walked."""
    observations: bool = False
    """Exact oracle, --referee: players know their observations and own moves, for
    OpenSpiel games without information states. That may be another game, and the run
    says so."""
    population_exploitability: bool = False
    """Exact oracle, --referee: measure the least exploitability of any mixtures of the
    populations, NashConv / 2, in every iteration, in two-player zero-sum games (two
    linear programs an iteration, which may take longer than the rest of the run)."""


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What only exact best responses need to know."""

    payoffs: Path | None = None
    """A normal-form game instead (.npy, .npz, .csv or Gambit .nfg)."""
    initial: Initial = "uniform"
    """Exact oracle: policies before the first iteration."""
    tie_break: TieBreak = "random"
    """Exact oracle: which of several best actions a response takes; it changes
    results."""
    symmetric: bool = False
    """Exact oracle: one shared population; the game is checked to be symmetric. A
    learned oracle shares one wherever its game is known to be symmetric."""
    tensor: bool = True
    """Exact oracle: payoffs of all profiles are written out (K policies of each of N
    players have N K^N). --no-tensor: the tree of the game answers for them, which takes
    meta-solvers that need none: uniform, last, rd, prd, rrd, rm, fp, shor, averages."""
    gaps: Literal["concept", "all"] = "concept"
    """Exact oracle: measure the full-game gap of the concept only, or of NE, CCE and
    CE."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """What goes with an oracle of a user's own, and with exact best responses."""

    evaluator: EvaluatorSpec | None = None
    """Who fills the payoff table: a name or module:factory, with arguments as
    :key=value (default: the oracle's own evaluator)."""


_SET = "set by --decisions."


@dataclass(frozen=True, kw_only=True)
class Schedule(DDQN):
    """The settings of DDQN under a budget that is a flag of its own, --decisions."""

    decisions: Annotated[int, tyro.conf.arg(help=_SET)] = DDQN.decisions


@dataclass(frozen=True, kw_only=True)
class Sampling(PPOResponse):
    """The settings of PPO under a budget of decisions that is a flag of its own."""

    decisions: Annotated[int, tyro.conf.arg(help=_SET)] = 20_000


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What only learned best responses need to know."""

    decisions: int = 20_000
    """Learned oracle: decisions a response; of Double DQN the published budget is
    200000 (1 min). --ppo.episodes is a budget of PPO in episodes."""
    episodes: int = 1000
    """Learned oracle: episodes of each payoff."""
    memory: int | None = None
    """Learned oracle: how many of their last decisions players remember, what they saw
    and did (default: they see what the game shows at the moment, alone)."""
    final_gap: bool = False
    """Learned oracle: learn responses to the last meta-strategy too, for its gap."""
    referee: bool = False
    """Learned oracle: exact gaps of what was learned beside the learned ones, in all
    iterations, where the tree of the game fits in memory."""
    executor: ExecutorSpec = "inprocess"
    """Learned oracle: inprocess (trials are stacked), processes:jobs=2, ray or
    ray:address=..."""


@dataclass(frozen=True, kw_only=True)
class ByDDQN:
    """What only responses by Double DQN need to know."""

    ddqn: Schedule = Schedule.budget(20_000)
    """How responses are learned; what is not given of the schedule is in proportion to
    --decisions."""
    all_instances: bool = False
    """Double DQN: play every instance once instead of random episodes, where chance
    acts at the root only (openspiel/bargaining): exact payoffs of greedy policies."""


@dataclass(frozen=True, kw_only=True)
class ByPPO:
    """What only responses by PPO need to know."""

    ppo: Sampling = Sampling()
    """How responses are learned by PPO; their policies are stochastic."""
    network: NetworkName = "mlp"
    """PPO: kind of all policies' network: gru and lstm read what --memory keeps step by
    step, mlp as one row of numbers."""


@dataclass(frozen=True, kw_only=True)
class Separate:
    """What only learned policies that stand alone need to know."""

    start: Start = "scratch"
    """Learned oracle: weights that a response begins with: fresh ones, those of the
    player's last response, or of one drawn from its mixture."""
    width: int = 200
    """Learned oracle: units of each of the two hidden layers of a policy."""


@dataclass(frozen=True, kw_only=True)
class ByNeuPL:
    """What only a population in one network (NeuPL) needs to know."""

    teacher: TeacherName = "exact"
    """NeuPL: whose responses are distilled: exact ones or learned ones. Flags of the
    teacher's own oracle say how it responds."""
    codes: Codes = Codes()
    """The conditional network and its codes; with learned teachers codes have 64
    numbers."""
    distil: Distillation = Distillation()
    """How the network learns new policies and keeps the earlier ones; with learned
    teachers by Adam at .003 in batches of 512, to .02 or for 2000 steps."""
    payoffs_by: PayoffNetwork = PayoffNetwork()
    """Estimates of payoffs from codes, where not all cells are to be filled."""


@dataclass(frozen=True, kw_only=True)
class ByExactTeacher:
    """What only a network of exact responses needs to know."""

    weighting: Weighting = "own_reach"
    """NeuPL with exact teachers: information states that count: those that a policy
    itself lets be reached, or all alike."""
    ties: float = TIE_TOLERANCE
    """NeuPL with exact teachers: actions whose values differ by less than this fraction
    tie; by default rounding does, at about --distil.tolerance ties are as with separate
    policies."""


@dataclass(frozen=True, kw_only=True)
class ByLearnedTeacher:
    """What only a network of learned responses needs to know."""

    states: States = States()
    """How many states of sampled episodes the network learns from."""
    head: Head = Head()
    """How responses begin, and what they are told of their co-players."""


USES: Mapping[Responder, tuple[type[Any], ...]] = {
    "exact": (Tree, Exact, Own),
    "own": (Tree, Own),
    "ddqn": (Learned, ByDDQN),
    "ppo": (Learned, ByPPO),
}
"""The parts of a configuration that are of use with each way to respond."""
_REST = (Separate, ByNeuPL, ByExactTeacher, ByLearnedTeacher)


def _of_use(
    responder: Responder, *, neural: bool, referee: bool
) -> tuple[type[Any], ...]:
    """The parts that are of use in a run."""
    parts = (*USES[responder], *[Tree] * referee)
    if neural:
        parts = tuple(part for part in parts if part is not Own)
    else:
        return (*parts, *[Separate] * (responder not in ("exact", "own")))
    teacher = ByExactTeacher if responder == "exact" else ByLearnedTeacher
    return (*parts, ByNeuPL, teacher)


def fields_of(oracle: str) -> dict[str, Any]:
    """The fields that go with a built-in oracle, and what they usually are."""
    neural = oracle == "neupl"
    responders = list(USES) if neural else [name for name in USES if name == oracle]
    parts: dict[type[Any], None] = {}
    for responder in responders:
        if not (neural and responder == "own"):
            used = _of_use(responder, neural=neural, referee=False)
            parts |= dict.fromkeys(used)
    return {
        field.name: getattr(part(), field.name)
        for part in parts
        for field in fields(part)
    }


def _where(part: type[Any], word: str) -> list[str]:
    """The flags with which a part is of use."""
    learned = [name for name in USES if name not in ("exact", "own")]
    if part in (ByNeuPL, ByExactTeacher, ByLearnedTeacher):
        with_ = {ByExactTeacher: "exact", ByLearnedTeacher: " or ".join(learned)}
        teacher = f" --teacher {with_[part]}" if part in with_ else ""
        return [f"--oracle neupl{teacher}"]
    if part is Separate:
        instead = [" (--codes.width and --head.start are NeuPL's)"] * (
            word != "--oracle"
        )
        return [f"--oracle {name}" for name in learned[:-1]] + [
            f"--oracle {learned[-1]}{''.join(instead)}"
        ]
    names = [
        f"{word} {'module:factory' if name == 'own' else name}"
        for name, parts in USES.items()
        if part in parts and not (part is Tree and name == "own")  # it needs no saying
    ]
    return [*names, *["--referee"] * (part is Tree)]


def _differing(values: Any, usual: Any) -> Iterator[str]:
    """Fields that are not as usual, by the name of their flags."""
    for field in fields(usual):
        one, other = getattr(values, field.name), getattr(usual, field.name)
        if one != other and is_dataclass(other):
            yield from (f"{field.name}.{name}" for name in _differing(one, other))
        elif one != other:
            yield field.name


def check_use(
    config: Any, responder: Responder, *, neural: bool, referee: bool
) -> None:
    """Refuses what is of no use with the oracle of a run.

    Args:
      config: of the run, with the fields of all parts.
      responder: who responds: its oracle, or the teacher of one network.
      neural: whether one network plays the population.
      referee: whether what is learned is judged by the tree.

    Raises:
      UserError: a field of another oracle is not as usual.
    """
    of_use = _of_use(responder, neural=neural, referee=referee)
    word = "--teacher" if neural else "--oracle"
    every = (part for parts in USES.values() for part in parts)
    for part in (*dict.fromkeys(every), *_REST):
        if part in of_use:
            continue
        for name in _differing(config, part()):
            raise UserError(
                f"{flag(name)}: it must go with {' or '.join(_where(part, word))}; got "
                f"{word} {responder}"
            )
