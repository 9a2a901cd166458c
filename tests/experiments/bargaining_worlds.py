"""Rows of a bargaining grid whose answers are known."""

from dataclasses import fields

from experiments.bargaining.results import LINES, Data, Fidelity, Judged, Run

SETTINGS = {"coffee": (2.0, 0.1, 0.0), "oef": (0.0, 0.0, 0.0), "oef-bc": (0, 0, 0.4)}
DATA = [Data(b, n) for n in (500, 1000) for b in ("psro", "uniform")]
SPREAD = (-0.02, 0.03, -0.01, 0.01, -0.03, 0.02)
SHARED = (0.8, -0.5, 0.1, -0.9, 0.4, -0.2)  # of a trial's data set and model


def row(regret, approach="coffee", exploration="r2d", **changes):
    penalty, coverage, weight = SETTINGS[approach]
    usual = {
        "approach": approach,
        "exploration": exploration,
        "evaluation": "r2d",
        "behaviour": "uniform",
        "trajectories": 1000,
        "trial": 0,
        "seed": 7,
        "iteration": 10,
        "iterations": 10,
        "penalty": penalty,
        "coverage": coverage,
        "weight": weight,
        "regret": regret,
        "error": 0.05,
        "screened": regret + 0.2,
        "values": [9.0, 9.0],
        "welfare": 18.0,
        "best": ["response 0", "response 0"],
        "responses": [0.5, 0.5],
        "regrets": [regret],
        "k": 1,
        "judged": "final",
        "profile": [1.0],
        "cpu_seconds": 2.0,
    }
    return Judged(**usual | changes)


def fidelity_row(
    x, y, approach="coffee", exploration="r2d", model=None, cells=None, **changes
):
    judged = row(0.0, approach, exploration, **changes)
    about = {f.name: getattr(judged, f.name) for f in fields(Run)}
    return Fidelity(
        **about,
        uncertainty=x,
        utility_error=y,
        utility_error_on_true=y,
        cpu_seconds=1.0,
        model=model,
        cells=cells,
    )


def world(mean, trials=5, data=DATA, evaluations=("rd", "r2d"), shared=0.1):
    """Rows of the whole grid, of which ``mean`` says what regrets are.

    As in a real one, what a trial's data set and model do is common to all approaches,
    and OEF and OEF-BC are one exploration.
    """
    rows = []
    for approach, exploration in LINES:
        for behaviour, size in data:
            for evaluation in evaluations:
                base = mean(approach, exploration, evaluation, behaviour, size)
                turn = 5 * len(rows) // max(trials, 1)  # own noise of each cell
                common = data.index((behaviour, size))
                rows += [
                    row(
                        base
                        + SPREAD[(t + turn) % len(SPREAD)]
                        + shared * SHARED[(t + common) % len(SHARED)],
                        approach,
                        exploration,
                        evaluation=evaluation,
                        behaviour=behaviour,
                        trajectories=size,
                        trial=t,
                    )
                    for t in range(trials)
                ]
    return rows


def claimed(approach, exploration, evaluation, behaviour, size):
    """A world in which the paper is right."""
    base = {"coffee": 1.0, "oef": 2.0, "oef-bc": 3.0}[approach]
    if approach == "oef" and behaviour == "uniform":
        base = 2.5
    if approach == "oef-bc" and behaviour == "uniform":
        base = 0.5 if size == 500 else 1.5
    rest = 0.3 * (exploration == "rd" and approach != "oef-bc")
    return base + rest + 0.2 * (evaluation == "rd")


def claimed_anywhere(approach, *_):
    return {"coffee": 1.0, "oef": 2.0, "oef-bc": 3.0}[approach]


def sweep(rows_of):
    """COffeE at nine settings."""
    return [
        row(rows_of(p, c) + SPREAD[t], penalty=p, coverage=c, trial=t)
        for p in (2.0, 4.0, 6.0)
        for c in (0.1, 0.2, 0.3)
        for t in range(6)
    ]
