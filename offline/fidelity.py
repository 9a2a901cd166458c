"""Accuracy of a learned model against the game that it was learned from."""

import math

import torch
from jaxtyping import Bool, Float32, Shaped
from torch import Tensor

from metaspiel.games.simulator import Simulator
from metaspiel.learn.policies import drawn
from metaspiel.nfg.errors import UserError
from offline.data import Dataset
from offline.intervals import told
from offline.model import ModelPosition, ModelSimulator
from offline.predict import Prediction
from offline.tables import last_moves, moves_made

Report = dict[str, float]


def one_step(model: ModelSimulator, data: Dataset) -> Report:
    """Errors of single-move predictions from true states.

    Args:
      model: model of one trial.
      data: trajectories of the same game: those it was trained on, those held out, or
        fresh ones.

    Returns:
      Of moves after which the episode went on:

      - ``state_error``: mean absolute error of the next state, in its own units, over
        all entries; ``state_error_worst`` that of the worst entry, and
        ``state_error_0``, ... that of each;
      - ``false_alarms``: share after which the model ends the episode;
      - ``mask_precision``, ``mask_recall``: of the actions predicted to be legal after
        the move, where the model does not end the episode.

      Of last moves:

      - ``hits``: share after which the model ends the episode, and ``hits_deals`` and
        ``hits_no_deals`` those with and without a deal;
      - for x = ``deals`` and ``no_deals``: ``x`` how many there are, ``payoff_x`` mean
        payoff of a player, ``payoff_error_x`` mean absolute error of the ensemble's
        mean payoff, ``u_x`` mean disagreement, ``correlation_x`` of u and that error;
      - of payoffs of deals what ``offline.intervals.told`` tells: ``coverage`` by the
        members' interval, ``slope`` (about 2.67 with ``reward_scale_bug`` on uniform
        play) and ``bias_low``, ``bias_middle``, ``bias_high``.

      A share or mean of nothing is NaN.

    Raises:
      UserError: the model is one of several trials, or of another game.
    """
    if model.learned.trials != 1:
        raise UserError(
            "one_step(): the model must be of one trial (see ModelSimulator.trial); "
            f"got {model.learned.trials}"
        )
    if (data.game, data.sizes) != (model.learned.game, model.learned.sizes):
        raise UserError(
            f"one_step(): the data must be of {model.learned.game}; got {data.game}"
        )
    made, last = moves_made(data), torch.from_numpy(last_moves(data))
    device = model.learned.f.device
    states = torch.from_numpy(data.states[made])
    action = torch.from_numpy(data.action[made])
    asked = states[None].to(device), action[None].to(device)
    now = Prediction(*(part.cpu() for part in model.predictor.predict(*asked)))
    pays = model.predictor.payoffs(*asked, last[None].to(device)).cpu()
    legal = torch.from_numpy(data.legal[made])
    deal = torch.from_numpy(data.paying.copy())[action[last]]
    u = model.predictor.disagreement(pays)[0, last]
    true = torch.from_numpy(data.returns.copy())
    return {
        **_going_on(now, states, legal, last),
        **_ending(now, deal, last),
        **_payoffs(pays[0, last].mean(1), true, u, deal),
        **told(
            pays[0, last][deal].transpose(0, 1).flatten(1).numpy(),
            true[deal].flatten().numpy(),
        ),
    }


def _going_on(
    now: Prediction,
    states: Float32[Tensor, "R X"],
    legal: Bool[Tensor, "R A"],
    last: Bool[Tensor, " R"],
) -> Report:
    """The part of ``one_step`` about moves that do not end an episode."""
    here = (~last).nonzero()[:, 0]
    error = (now.state[0, here] - states[here + 1]).abs().mean(0)
    told_on = here[~now.fired[0, here]]
    right = now.legal[0, told_on] & legal[told_on + 1]
    return {
        "state_error": float(error.mean()),
        "state_error_worst": float(error.max()),
        **{f"state_error_{i}": float(value) for i, value in enumerate(error)},
        "false_alarms": _mean(now.fired[0, here]),
        "mask_precision": _share(right, now.legal[0, told_on]),
        "mask_recall": _share(right, legal[told_on + 1]),
    }


def _ending(
    now: Prediction, deal: Bool[Tensor, " n"], last: Bool[Tensor, " R"]
) -> Report:
    """The part of ``one_step`` about the terminal test on last moves."""
    fired = now.fired[0, last]
    return {
        "hits": _mean(fired),
        "hits_deals": _mean(fired[deal]),
        "hits_no_deals": _mean(fired[~deal]),
    }


def _payoffs(
    predicted: Float32[Tensor, "n N"],
    true: Float32[Tensor, "n N"],
    u: Float32[Tensor, " n"],
    deal: Bool[Tensor, " n"],
) -> Report:
    """The part of ``one_step`` about payoffs."""
    error = (predicted - true).abs().mean(1)
    report: Report = {}
    for name, some in (("deals", deal), ("no_deals", ~deal)):
        report |= {
            name: float(some.sum()),
            f"payoff_{name}": _mean(true[some]),
            f"payoff_error_{name}": _mean(error[some]),
            f"u_{name}": _mean(u[some]),
            f"correlation_{name}": _correlation(u[some], error[some]),
        }
    return report


def roll_outs(
    simulator: Simulator,
    paying: Bool[Tensor, " A"],
    episodes: int,
    seed: int,
    trials: int = 1,
) -> list[Report]:
    """Statistics of whole episodes of uniform play, in a learned model or a real game.

    Args:
      simulator: what is played.
      paying: actions that end an episode with payoffs, as in a data set; where it is
        is played.
      episodes: B, how many in each trial.
      seed: seed of all randomness; every trial is given the same numbers.
      trials: S of the simulator.

    Returns:
      For each trial: ``length`` mean number of moves; ``deals`` share of episodes that
      an action of ``paying`` ended; ``cut`` share that only the limit of moves ended
      (in a model: without the terminal test firing); ``full`` share that took the
      most moves possible, however they ended; ``payoff`` mean over players and
      episodes; ``u`` mean penalty; ``emptied`` how often an episode, on average, had no
      legal action predicted and was given all.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        same = torch.rand(1, *shape, generator=generator, dtype=torch.float64)
        return same.to(paying.device).expand(trials, *shape)

    position = simulator.start(draw(episodes, simulator.draws))
    length = torch.zeros_like(position.mover)
    final = torch.zeros_like(position.mover)
    for _ in range(simulator.longest):
        alive = ~position.done
        action = drawn(position.legal, draw(episodes))
        position = simulator.step(position, action, alive)
        length, final = length + alive, torch.where(alive, action, final)
    closed = paying[final]
    if isinstance(position, ModelPosition):
        cut, closed = ~position.fired, closed & position.fired
        emptied = position.emptied.double().mean(1)
    else:
        cut, emptied = ~closed, torch.zeros(trials)
    return [
        {
            "length": _mean(length[s]),
            "deals": _mean(closed[s]),
            "cut": _mean(cut[s]),
            "full": _mean(length[s] == simulator.longest),
            "payoff": _mean(position.returns[s]),
            "u": _mean(position.penalty[s]),
            "emptied": float(emptied[s]),
        }
        for s in range(trials)
    ]


def errors(
    model: ModelSimulator,
    simulator: Simulator,
    data: Dataset,
    episodes: int,
    seed: int,
) -> dict[str, Report]:
    """What a model tells of single moves and of whole episodes, beside the true game.

    Args:
      model: of one trial.
      simulator: the true game.
      data: single moves are asked about on these, best fresh ones.
      episodes: of uniform play, in the model and in the game.
      seed: of the episodes.

    Returns:
      "one_step" of the model, "roll_outs" of it and "true_roll_outs" of the game.
    """
    paying = torch.from_numpy(data.paying.copy()).to(model.learned.f.device)
    (played,) = roll_outs(model, paying, episodes, seed)
    (true,) = roll_outs(simulator, paying.cpu(), episodes, seed)
    return {
        "one_step": one_step(model, data),
        "roll_outs": played,
        "true_roll_outs": true,
    }


def _mean(values: Shaped[Tensor, "*n"]) -> float:
    """The mean of a tensor; NaN where it is empty."""
    return float(values.double().mean()) if values.numel() else math.nan


def _share(part: Bool[Tensor, "*n"], whole: Bool[Tensor, "*n"]) -> float:
    """Entries in ``part`` as a share of those in ``whole``; NaN of none."""
    count = int(whole.sum())
    return int(part.sum()) / count if count else math.nan


def _correlation(one: Float32[Tensor, " n"], two: Float32[Tensor, " n"]) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    if len(one) < 2 or not (float(one.std()) > 0 and float(two.std()) > 0):
        return math.nan
    return float(torch.corrcoef(torch.stack([one, two]).double())[0, 1])
