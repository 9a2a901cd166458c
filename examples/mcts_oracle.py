"""An oracle of your own: OpenSpiel's Monte Carlo tree search plays tic-tac-toe."""

from dataclasses import dataclass

import numpy as np
import pyspiel

from meta_solvers import get
from metaspiel.games import sequence_form
from psro import ExactEvaluator, ExactOracle, Response, Setup, run, start

GAME = pyspiel.load_game("tic_tac_toe")


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchOracle(ExactOracle):
    """Responds by search; the rest it does as the exact oracle."""

    simulations: int = 300

    def respond(self, population, targets, rng):
        return [self.searched(population.stacked(), one, rng) for one in targets]

    measure = respond  # nothing is trained: what a response gains is known at once

    def searched(self, plans, target, rng):
        tree = self.form.trees[target.player]
        worth = self.form.values(target.player, plans, target.co_play[None])[0]
        rollouts = pyspiel.RandomRolloutEvaluator(1, int(rng.integers(2**31)))
        bot = pyspiel.MCTSBot(GAME, rollouts, 2.0, self.simulations, 64, True, 0, False)
        plan = np.eye(1, tree.sequences)[0]
        for place, history in enumerate(tree.histories):
            if plan[tree.parent[place]]:  # its own moves lead here
                state = GAME.new_initial_state()
                for action in history:
                    state.apply_action(action)
                here = slice(*tree.first[place : place + 2])
                plan[here] = tree.action[here] == bot.step(state)
        gain = target.weight * max(plan @ worth - target.value, 0.0)
        return Response(
            player=target.player, policy=plan, value=plan @ worth, gain=gain
        )


if __name__ == "__main__":
    form = sequence_form(GAME)
    setup = Setup(
        oracle=SearchOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get("nash"),
        concept="ne",
    )
    for state in run(setup, start(setup), iterations=4):
        gains = state.gaps["ne"].sum()
        exact = form.cce_gap(state.population.stacked(), state.train.joint).sum()
        print(f"{state.iteration}: search gains {gains:.2f}, at most {exact:.2f}")
