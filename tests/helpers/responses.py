"""Responses as tests ask for them."""

import numpy as np

from metaspiel.learn.tasks import Task


def task(simulator, network, settings, pool, **changes):
    """Of player 0 of two, against the policies of a pool, each as likely."""
    asked = {
        "player": 0,
        "pools": (pool, pool),
        "co_play": np.full(len(pool), 1 / len(pool)),
        "seed": (1,),
    }
    return Task(
        simulator=simulator, network=network, settings=settings, **asked | changes
    )
