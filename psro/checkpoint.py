"""Checkpoints of a ``State``: directories of JSON and npz, written atomically.

A checkpoint is written beside its place, flushed to disk and renamed, so a directory
with a checkpoint's name is always complete. Its JSON holds a checksum of its arrays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy import ndarray

from meta_solvers.base import MetaSolution, Status
from metaspiel import files
from metaspiel.nfg.archives import read_archive
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.gaps import Gaps
from psro.parts import Member, Population, Response, State
from psro.stored_joints import past, put, put_past, put_table, table_of, taken

FORMAT = 3
KEPT = 2
_SOLUTION = {
    "status": Literal[tuple(Status.__members__)],
    "diagnostics": dict[str, Any],
    "solver": dict[str, Any],
    "seconds": float,
    "values": list[float],
    "gaps": {name: list[float] for name in ("ce", "cce", "ne")},
    "warm": list[str],
}
_STATE = {
    "bound": dict[str, str],
    "iteration": int,
    "novel": int,
    "cpu": dict[str, float],
    "shared": bool,
    "players": int,
    "next_uid": int,
    "notes": dict[str, Any],
    "table_notes": dict[str, Any],
    "looked": list[int] | None,
    "uids": list[list[int]],
    "repeats": list[list[int]],
    "plays": list[list[str]],
    "responses": list[list[Any]] | None,
    "gaps": dict[str, list[float] | None],
    "evaluation_gaps": list[float] | None,
    "past": list[list[int]],
    "train": _SOLUTION,
    "evaluation": dict[str, Any] | None,
}


def save(state: State, folder: Path, bound: Mapping[str, str] | None = None) -> Path:
    """Writes ``folder/<iteration>``; older checkpoints but the last go away.

    Args:
      state: the state to write.
      folder: folder of all checkpoints of a run.
      bound: what the state belongs to, which ``read`` gives back.
    """
    place = folder / f"{state.iteration:06d}"
    arrays: dict[str, ndarray] = {}
    text = files.spelled(_to_json(state, arrays), "NaN")
    text["bound"] = dict(bound or {})
    with files.new_folder(place) as aside:
        files.write_bytes(aside / "arrays.npz", files.npz(arrays))
        text["sha256"] = _checksum(text, aside / "arrays.npz")
        files.write_json(aside / "state.json", text)
    for old in complete(folder)[:-KEPT]:
        files.remove_folder(old)
    return place


def complete(folder: Path) -> list[Path]:
    """Complete checkpoints in ``folder``, oldest first."""
    return files.numbered(folder)


def load(place: Path) -> State:
    """Reads one checkpoint directory.

    Raises:
      UserError: it is not there, is damaged, or was written by another format.
    """
    return read(place)[0]


def read(place: Path) -> tuple[State, dict[str, str]]:
    """Reads one checkpoint directory, and the facts that its state is bound to.

    Raises:
      UserError: as ``load``.
    """
    where = f"checkpoint '{place}'"
    for name in ("state.json", "arrays.npz"):
        if not (place / name).is_file():
            raise UserError(
                f"{where}: it must hold state.json and arrays.npz; {name} is missing"
            )
    try:
        text = files.read_json(place / "state.json")
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        got = text.get("format") if isinstance(text, dict) else type(text).__name__
        raise UserError(
            f"{where}: the format must be {FORMAT}; got {got} (another metaspiel wrote "
            "it, whose runs this one cannot continue)"
        )
    recorded = text.pop("sha256", None)
    try:
        sound = _checksum(text, place / "arrays.npz") == recorded
    except OSError as error:
        raise UserError(f"{where}: arrays.npz must be readable; {error}") from None
    if not sound:
        raise UserError(
            f"{where}: arrays.npz and state.json must have the checksum recorded with "
            "them; one was changed or only partly written"
        )
    for name in ("notes", "table_notes"):  # which earlier checkpoints are without
        text.setdefault(name, {})
    text.setdefault("looked", None)
    for name in ("train", "evaluation"):
        if isinstance(text.get(name), dict):
            text[name].setdefault("warm", [])
    files.check_shape(where, text, _STATE)
    try:
        bound = {str(key): str(value) for key, value in text["bound"].items()}
        state = _from_json(text, read_archive(place / "arrays.npz"))
    except files.UNREADABLE as error:
        raise UserError(
            f"{where}: state.json and arrays.npz must describe one state; {error!r}"
        ) from None
    if place.name.isdigit() and state.iteration != int(place.name):
        raise UserError(
            f"{where}: its folder must have the number of its iteration, "
            f"{state.iteration}"
        )
    return state, bound


def latest(folder: Path) -> State:
    """The newest checkpoint in ``folder``.

    Raises:
      UserError: there is none, or it is damaged.
    """
    places = complete(folder)
    if not places:
        raise UserError(f"resume: '{folder}' must hold a checkpoint; got none")
    return load(places[-1])


def _checksum(text: Any, path: Path) -> str:
    """A hash of the state's JSON and the bytes of its arrays, together."""
    return files.digest([text, files.checksum(path)])


def _to_json(state: State, arrays: dict[str, ndarray]) -> dict[str, Any]:
    """The state as JSON; its arrays are added to ``arrays`` under speaking names."""
    population = state.population
    pools = population.pools[: 1 if population.shared else None]
    for player, pool in enumerate(pools):
        arrays[f"policies_{player}"] = np.stack([m.policy for m in pool])
    for number, response in enumerate(state.responses or ()):
        arrays[f"response_{number}"] = response.policy
    for number, joint in enumerate(state.past):
        put_past(f"past_{number}", joint, arrays)
    if population.common is not None:
        arrays["common"] = population.common
    same = state.evaluation is state.train
    return {
        "format": FORMAT,
        "iteration": state.iteration,
        "novel": state.novel,
        "cpu": state.cpu,
        "shared": population.shared,
        "players": len(population.pools),
        "next_uid": population.next_uid,
        "notes": dict(population.notes),
        "table_notes": dict(state.table.notes),
        "looked": put_table(state.table, arrays),
        "uids": [[m.uid for m in pool] for pool in pools],
        "repeats": [[m.repeats for m in pool] for pool in pools],
        "plays": [[m.play for m in pool] for pool in pools],
        "responses": None
        if state.responses is None
        else [[r.player, r.value, r.gain, r.error, r.play] for r in state.responses],
        "gaps": {concept: _listed(gap) for concept, gap in state.gaps.items()},
        "evaluation_gaps": _listed(state.evaluation_gaps),
        "past": [list(joint.shape) for joint in state.past],
        "train": _solution_json("train", state.train, arrays),
        "evaluation": None
        if same
        else _solution_json("evaluation", state.evaluation, arrays),
    }


def _population(text: dict[str, Any], arrays: dict[str, ndarray]) -> Population:
    pools = tuple(
        tuple(
            Member(uid=uid, policy=policy, repeats=repeats, play=play)
            for uid, policy, repeats, play in zip(
                uids, arrays[f"policies_{player}"], counts, plays, strict=True
            )
        )
        for player, (uids, counts, plays) in enumerate(
            zip(text["uids"], text["repeats"], text["plays"], strict=True)
        )
    )
    if text["shared"]:
        joint = taken("train", text["players"], arrays)
        if text["players"] != joint.ndim:
            raise ValueError("it counts its players in two ways")
        pools = pools * text["players"]
    return Population(
        pools,
        shared=text["shared"],
        next_uid=text["next_uid"],
        common=arrays.get("common"),
        notes=text["notes"],
    )


def _from_json(text: dict[str, Any], arrays: dict[str, ndarray]) -> State:
    population = _population(text, arrays)
    responses = None
    if text["responses"] is not None:
        responses = tuple(
            Response(
                player=player,
                policy=arrays[f"response_{number}"],
                value=value,
                gain=gain,
                error=error,
                play=play,
            )
            for number, (player, value, gain, error, play) in enumerate(
                text["responses"]
            )
        )
    players = len(population.pools)
    train = _solution("train", players, text["train"], arrays)
    evaluation = train
    if text["evaluation"] is not None:
        files.check_shape("evaluation", text["evaluation"], _SOLUTION)
        evaluation = _solution("evaluation", players, text["evaluation"], arrays)
    return State(
        iteration=text["iteration"],
        population=population,
        table=table_of(population, text["table_notes"], text["looked"], arrays),
        train=train,
        evaluation=evaluation,
        responses=responses,
        gaps={concept: _array(gap) for concept, gap in text["gaps"].items()},
        evaluation_gaps=_array(text["evaluation_gaps"]),
        novel=text["novel"],
        cpu=text["cpu"],
        past=tuple(
            past(f"past_{number}", shape, train.joint, arrays)
            for number, shape in enumerate(text["past"])
        ),
    )


def _listed(gap: ndarray | None) -> list[float] | None:
    return None if gap is None else gap.tolist()


def _array(gap: list[float] | None) -> ndarray | None:
    return None if gap is None else np.array(gap)


def _solution_json(
    name: str, solution: MetaSolution, arrays: dict[str, ndarray]
) -> dict[str, Any]:
    put(name, solution.joint, arrays)
    for part, array in solution.warm.items():
        arrays[f"{name}_warm_{part}"] = array
    return {
        "warm": sorted(solution.warm),
        "status": solution.status.name,
        "diagnostics": dict(solution.diagnostics),
        "solver": dict(solution.solver),
        "seconds": solution.seconds,
        "values": solution.values.tolist(),
        "gaps": {k: getattr(solution.gaps, k).tolist() for k in ("ce", "cce", "ne")},
    }


def _solution(
    name: str, players: int, text: dict[str, Any], arrays: dict[str, ndarray]
) -> MetaSolution:
    gaps = Gaps(**{k: np.array(v, dtype=float) for k, v in text["gaps"].items()})
    return MetaSolution(
        joint=taken(name, players, arrays),
        gaps=gaps,
        values=np.array(text["values"], dtype=float),
        status=Status[text["status"]],
        diagnostics=text["diagnostics"],
        solver=text["solver"],
        seconds=text["seconds"],
        warm={part: arrays[f"{name}_warm_{part}"] for part in text["warm"]},
    )
