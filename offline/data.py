"""Trajectories of a game as arrays, and a plain file format for them.

A data set on disk is a folder of two files. ``arrays.npz`` (no pickle) holds the arrays
of ``validate.AXES``; ``manifest.json`` says what they are::

    {"format": 1, "game": "...", "symmetric": true, "head": 8,
     "behaviour": "uniform", "seed": 0, "mirror": "counted",
     "trajectories": 1000, "sha256": "... of arrays.npz"}

Nothing else is read. ``offline.record`` makes data sets of the Bargaining game, from a
behaviour or from a user's episodes; data of other games are built as a ``Dataset``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numpy import ndarray

from metaspiel import files
from metaspiel.nfg.archives import MEMORY_GB, read_archive
from metaspiel.nfg.errors import UserError, shown
from offline import validate

FORMAT = 1
Mirror = Literal["counted", "none"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Array sizes that a data set shares with the models learned from it.

    Attributes:
      players: N.
      actions: A.
      state: X, numbers in a true state.
      observation: O, numbers in a player's observation.
      vector: V, numbers that describe an action.
      head: entries of an observation before those that a history keeps.
      longest: L, most moves of an episode.
    """

    players: int
    actions: int
    state: int
    observation: int
    vector: int
    head: int
    longest: int

    @property
    def kept(self) -> int:
        """Size of the part of a later observation that an information state keeps."""
        return self.observation - self.head

    @property
    def inputs(self) -> int:
        """Input size D: the head of the newest observation, and L past observations."""
        return self.head + self.longest * self.kept


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """n episodes of at most L moves. Entries past an episode's length are ignored.

    With mirrors counted, trajectories 2i and 2i + 1 are one episode and the same with
    the players exchanged; both count (Nguyen & Wellman 2026, code of the authors).

    Attributes:
      game: the game's name, parameters included.
      symmetric: exchanging the players changes nothing in the game.
      head: entries of an observation that an information state takes from the newest
        one only; of the rest it keeps the history.
      behaviour: who played, in words.
      seed: what the episodes were drawn from; None for those of a user.
      mirror: "counted" or "none".
      vectors: what each action looks like to a model.
      paying: actions that end an episode with payoffs; one that ends with another
        action pays 0 to all.
      states: true state before each move.
      observations: what each player sees before each move.
      legal: actions the mover may take.
      action: what was done.
      mover: who did it; players take turns.
      length: moves of each episode, 1 to L.
      returns: payoff of each player.

    Raises:
      UserError: the arrays do not fit each other, or a trajectory is impossible; the
        sentence names the first such trajectory.
    """

    game: str
    symmetric: bool
    head: int
    behaviour: str
    seed: int | None
    mirror: Mirror
    vectors: Float32[ndarray, "A V"]
    paying: Bool[ndarray, " A"]
    states: Float32[ndarray, "n L X"]
    observations: Float32[ndarray, "n L N O"]
    legal: Bool[ndarray, "n L A"]
    action: Int64[ndarray, "n L"]
    mover: Int64[ndarray, "n L"]
    length: Int64[ndarray, " n"]
    returns: Float32[ndarray, "n N"]

    def __post_init__(self) -> None:
        where = f"Dataset('{shown(self.game)}')"
        check_mirror(where, self.mirror)
        arrays = {name: getattr(self, name) for name in validate.AXES}
        validate.check(where, arrays, self.head, self.mirror == "counted")
        for array in arrays.values():
            array.setflags(write=False)

    def equals(self, other: "Dataset") -> bool:
        """Whether the same trajectories are kept in the same way, whoever played."""
        return (self.mirror, self.head) == (other.mirror, other.head) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in validate.AXES
        )

    @property
    def trajectories(self) -> int:
        """Number of trajectories, n."""
        return len(self.length)

    @property
    def sizes(self) -> Sizes:
        """Sizes of the arrays."""
        _, longest, players, observation = self.observations.shape
        actions, vector = self.vectors.shape
        state = self.states.shape[2]
        return Sizes(
            players=players,
            actions=actions,
            state=state,
            observation=observation,
            vector=vector,
            head=self.head,
            longest=longest,
        )

    @property
    def episode(self) -> Int64[ndarray, " n"]:
        """The number of the independent episode behind each trajectory."""
        copies = 2 if self.mirror == "counted" else 1
        return np.arange(self.trajectories) // copies

    def subset(self, chosen: Int64[ndarray, " m"]) -> "Dataset":
        """The chosen trajectories in the order given; with mirrors, whole pairs."""
        arrays: dict[str, Any] = {
            name: getattr(self, name)[chosen]
            for name in validate.AXES
            if name not in ("vectors", "paying")
        }
        return Dataset(
            game=self.game,
            symmetric=self.symmetric,
            head=self.head,
            behaviour=self.behaviour,
            seed=self.seed,
            mirror=self.mirror,
            vectors=self.vectors,
            paying=self.paying,
            **arrays,
        )

    def split(self, share: float, seed: int) -> tuple["Dataset", "Dataset"]:
        """Training and held-out trajectories; mirrors stay together.

        Args:
          share: part of the episodes that is held out, in (0, 1).
          seed: seed of the shuffle.

        Raises:
          UserError: one of the two would be empty.
        """
        episodes = int(self.episode[-1]) + 1
        held = round(share * episodes)
        if not 0 < held < episodes:
            raise UserError(
                "Dataset.split(): both parts must hold an episode; got a share of "
                f"{share} of {episodes} episodes"
            )
        order = np.random.default_rng(seed).permutation(episodes)
        out = np.isin(self.episode, order[:held])
        return self.subset(np.flatnonzero(~out)), self.subset(np.flatnonzero(out))


def check_mirror(where: str, mirror: str) -> None:
    """Raises a ``UserError`` that begins with ``where`` unless ``mirror`` is known."""
    if mirror not in get_args(Mirror):
        raise UserError(
            f"{where}: mirror must be 'counted' or 'none'; got '{shown(mirror)}'"
        )


def save(
    dataset: Dataset, folder: Path, bound: Mapping[str, str] | None = None
) -> None:
    """Writes a data set; the manifest comes last, so that its presence says it all.

    Args:
      dataset: to write.
      folder: to write to.
      bound: what the data belong to, which ``load`` can ask for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "manifest.json"
    place.unlink(missing_ok=True)
    arrays = {name: getattr(dataset, name) for name in validate.AXES}
    files.write_bytes(folder / "arrays.npz", files.npz(arrays, compressed=True))
    manifest = {
        "format": FORMAT,
        "game": dataset.game,
        "symmetric": dataset.symmetric,
        "head": dataset.head,
        "behaviour": dataset.behaviour,
        "seed": dataset.seed,
        "mirror": dataset.mirror,
        "trajectories": dataset.trajectories,
        "sha256": _checksum(folder / "arrays.npz"),
    }
    if bound is None:
        files.write_json(place, manifest)
    else:
        files.write_sealed(place, manifest, bound)


def load(
    folder: Path,
    game: str | None = None,
    sizes: Sizes | None = None,
    bound: Mapping[str, str] | None = None,
    *,
    memory_gb: float = MEMORY_GB,
) -> Dataset:
    """Reads a data set and checks all of it.

    Args:
      folder: where ``save`` wrote it.
      game: the game it must be of.
      sizes: the sizes it must have.
      bound: what it must have been saved with.
      memory_gb: what its arrays may unpack to.

    Raises:
      UserError: it is incomplete, damaged, of another game or format, unpacks to too
        much, or a trajectory is impossible.
    """
    where = f"data set '{folder}'"
    manifest = _manifest(folder, where)
    if bound is not None:
        files.read_sealed(folder / "manifest.json", bound)
    check_mirror(where, manifest["mirror"])
    arrays = _arrays(folder, where, manifest["sha256"], memory_gb)
    if game is not None and manifest["game"] != game:
        raise UserError(
            f"{where}: the game must be {game}; got {shown(manifest['game'])}"
        )
    validate.check(where, arrays, manifest["head"], manifest["mirror"] == "counted")
    stated = manifest.pop("trajectories")
    if stated != len(arrays["length"]):
        raise UserError(
            f"{where}: the manifest must tell the number of trajectories; it says "
            f"{stated} and there are {len(arrays['length'])}"
        )
    del manifest["format"], manifest["sha256"]
    data = Dataset(**manifest, **arrays)
    if sizes is not None and data.sizes != sizes:
        raise UserError(f"{where}: it must have {sizes}; got {data.sizes}")
    return data


_FIELDS: dict[str, tuple[type, ...]] = {
    "format": (int,),
    "game": (str,),
    "symmetric": (bool,),
    "head": (int,),
    "behaviour": (str,),
    "seed": (int, type(None)),
    "mirror": (str,),
    "trajectories": (int,),
    "sha256": (str,),
}


def _manifest(folder: Path, where: str) -> dict[str, Any]:
    place = folder / "manifest.json"
    if not place.exists():
        raise UserError(f"{where}: it must hold manifest.json; it does not")
    try:
        read = files.read_json(place)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if not isinstance(read, dict):
        raise UserError(f"{where}: manifest.json must be an object; got {shown(read)}")
    if read.get("format") != FORMAT:
        got = read.get("format")
        raise UserError(f"{where}: the format must be {FORMAT}; got {shown(got)}")
    for name, kinds in _FIELDS.items():
        if name not in read:
            raise UserError(f"{where}: the manifest must have '{name}'; it is missing")
        if type(read[name]) not in kinds:
            names = " or ".join(kind.__name__ for kind in kinds)
            raise UserError(
                f"{where}: '{name}' in the manifest must be {names}; got "
                f"{shown(repr(read[name]))}"
            )
    return {name: read[name] for name in _FIELDS}


def _arrays(
    folder: Path, where: str, recorded: str, memory_gb: float
) -> dict[str, Any]:
    place = folder / "arrays.npz"
    if not place.is_file():
        raise UserError(f"{where}: it must hold arrays.npz; it does not")
    try:
        checksum = _checksum(place)
    except OSError as error:
        raise UserError(f"{where}: arrays.npz must be readable; {error}") from None
    if checksum != recorded:
        raise UserError(
            f"{where}: arrays.npz must have the checksum in the manifest (it was cut "
            f"short or changed); got {checksum[:12]} instead of {shown(recorded[:12])}"
        )
    try:
        arrays = read_archive(place, validate.AXES, memory_gb)
    except UserError as error:
        raise UserError(f"{where}: arrays.npz: {error}") from None
    for name in validate.AXES:
        if name not in arrays:
            raise UserError(f"{where}: arrays.npz must hold '{name}'; it is missing")
    return arrays


def _checksum(place: Path) -> str:
    return files.checksum(place)
