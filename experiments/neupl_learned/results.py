"""Tables and claims of each study."""

from collections.abc import Mapping
from types import ModuleType

from experiments.lab.report import Table
from experiments.lab.verdict import Claim
from experiments.neupl_learned import (
    cheetah_results,
    flag_results,
    kuhn_results,
    transfer_results,
)
from experiments.neupl_learned.study import Study

_ROOM: Mapping[str, ModuleType] = {
    "learned_kuhn": kuhn_results,
    "transfer": transfer_results,
    "flag": flag_results,
    "openspiel_flag": flag_results,
    "cheetah": cheetah_results,
}


def tables(study: Study) -> list[Table]:
    """The tables of a study."""
    made: list[Table] = _ROOM[study.name].tables(study)
    return made


def claims(study: Study) -> list[Claim]:
    """The claims of a study, with verdicts."""
    made: list[Claim] = _ROOM[study.name].claims(study)
    return made
