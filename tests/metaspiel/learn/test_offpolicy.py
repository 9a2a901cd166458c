"""What learners from replay have in common: which settings they refuse, and how."""

import pytest

from metaspiel.learn.maddpg import MADDPG
from metaspiel.learn.mixing import Mixing
from metaspiel.nfg.errors import UserError

NAN = float("nan")


@pytest.mark.parametrize("learner", [MADDPG, Mixing])
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 0}, "width must be at least 1; got 0"),
        ({"updates": 0}, "updates must be at least 1; got 0"),
        ({"minibatch": 0}, "minibatch must be at least 1; got 0"),
        ({"batch": 2001}, "batch must be a multiple of envs"),
        ({"gamma": 1.5}, r"gamma must be in \[0, 1\]; got 1.5"),
        ({"gamma": NAN}, r"gamma must be in \[0, 1\]; got nan"),
        ({"rate": 0.0}, "rate and clip positive"),
        ({"rate": NAN}, "rate and clip positive"),
    ],
)
def test_a_schedule_is_checked(learner, fields, words):
    with pytest.raises(UserError, match=rf"^{learner.__name__}\(\): .*{words}"):
        learner(**fields)


@pytest.mark.parametrize(
    ("learner", "fields", "words"),
    [
        (MADDPG, {"polyak": 1.0}, r"polyak must be in \[0, 1\); got 1.0"),
        (MADDPG, {"temperature": 0.0}, "temperature positive"),
        (Mixing, {"explore_last": 2.0}, "explore_last must be at most"),
        (Mixing, {"reward": "own"}, "reward must be 'team'"),
        (Mixing, {"hyper": 0}, "hyper must be at least 1; got 0"),
    ],
)
def test_what_is_a_learners_own_is_checked(learner, fields, words):
    with pytest.raises(UserError, match=rf"^{learner.__name__}\(\): .*{words}"):
        learner(**fields)
