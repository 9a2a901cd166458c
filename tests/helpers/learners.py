"""How tests run learners from replay."""


def run(learner, game, given, iterations, seed=0):
    """The state after so many iterations of a learner's module, and their metrics."""
    state, rows = learner.start(game, given, seed), []
    for _ in range(iterations):
        state, row = learner.step(game, given, state)
        rows.append(row)
    return state, rows
