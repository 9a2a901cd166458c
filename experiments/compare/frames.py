"""The numbers of a comparison as data frames."""

from pathlib import Path
from typing import Any, Literal, get_args

from experiments.lab.frames import pandas
from metaspiel.nfg.errors import UserError, unknown

Name = Literal["curves", "bands", "table", "pairs", "ranks"]


def frame(folder: str | Path, name: Name = "curves") -> Any:
    """A CSV file of a comparison as a data frame of pandas.

    Args:
      folder: of the run of metaspiel compare.
      name: "curves" has a row an iteration of each run, "bands" their means over seeds,
        "table" a row a method and game, "pairs" the tests, "ranks" those over games.

    Raises:
      UserError: pandas is not installed, there is no such table, or the folder is no
        comparison that came to its report.
    """
    package = pandas()
    if name not in get_args(Name):
        raise unknown("frame()", "table", name, get_args(Name))
    place = Path(folder) / f"{name}.csv"
    if not place.is_file():
        raise UserError(
            f"frame(): '{folder}' must be the folder of a comparison; it has no "
            f"{place.name}"
        )
    if not place.stat().st_size:  # nothing of the kind: one seed has no pairs
        return package.DataFrame()
    return package.read_csv(place)
