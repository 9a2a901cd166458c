"""OpenSpiel's Monte Carlo tree search as an oracle, for games of any size."""

from pyspiel import MCTSBot, RandomRolloutEvaluator

from psro import BotOracle, Ground


def search(ground: Ground, most: int = 100) -> BotOracle:
    """Responses are searches of up to so many simulations a move."""

    def bot(numbers, player):
        simulations, seed = map(int, numbers)
        rollouts = RandomRolloutEvaluator(1, seed)
        return MCTSBot(ground.game, rollouts, 2.0, simulations, 64, True, seed, False)

    def candidates(player, rng):
        return [(count, rng.integers(1000)) for count in (2, most // 4, most)]

    return BotOracle(game=ground.game, bot=bot, candidates=candidates, episodes=50)
