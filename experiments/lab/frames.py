"""Data frames of pandas, which is an extra."""

from types import ModuleType

from metaspiel.nfg.errors import UserError


def pandas() -> ModuleType:
    """The package pandas, loaded where a frame is asked for.

    Raises:
      UserError: it is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise UserError(
            "frame(): pandas must be installed; try 'pip install metaspiel[frames]'"
        ) from None
    made: ModuleType = pandas
    return made
