"""Charts that many pages make: named lines, and curves of several runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float64
from numpy import ndarray

from experiments.lab import statistics
from experiments.lab.marks import Axis, Chart, Panel, Rule, Series

ENOUGH = 5  # runs from which on a bootstrap interval is drawn


def lines(
    named: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    label: str,
    *,
    log: bool,
    across: str = "iteration",
    errors: Mapping[str, Sequence[float]] | None = None,
    rules: Sequence[Rule] = (),
) -> Chart:
    """A chart of named lines over iterations, or over what ``across`` names.

    Args:
      named: x and y of each.
      label: of the y axis.
      log: the y axis is logarithmic.
      across: of the x axis.
      errors: standard errors of some lines, drawn as bars.
      rules: straight lines to compare them with.
    """
    series = []
    for name, (x, y) in named.items():
        ends: dict[str, Any] = {}
        if errors is not None and name in errors:
            pairs = list(zip(y, errors[name], strict=True))
            ends = {"low": [v - e for v, e in pairs], "high": [v + e for v, e in pairs]}
        series.append(Series(name=name, x=x, y=y, spread="bars", **ends))
    up = Axis(label=label, scale="log" if log else "linear")
    panel = Panel(x=Axis(label=across), y=up, series=series, rules=rules)
    return Chart(panels=[panel], height=260)


def learning(
    name: str,
    x: Sequence[float],
    values: Float64[ndarray, "S T"],
    *,
    seed: int | None = None,
    **look: Any,
) -> list[Series]:
    """The mean of S runs over time, with what says how far they are apart.

    Args:
      name: of the runs in the legend.
      x: when the values were measured.
      values: of the runs.
      seed: of the bootstrap 95 % band that is drawn from five runs on; with None, and
        of fewer runs, each run is a thin line.
      **look: fields of ``Series``.
    """
    middle = values.mean(0).tolist()
    if seed is not None and len(values) >= ENOUGH:
        spans = [statistics.interval(v.tolist(), seed, draws=2000) for v in values.T]
        low, high = [one.low for one in spans], [one.high for one in spans]
        return [Series(name=name, x=x, y=middle, low=low, high=high, **look)]
    made = [Series(name=name, x=x, y=middle, **look)]
    for one in values if len(values) > 1 else ():
        thin: dict[str, Any] = {"width": 0.7, "opacity": 0.5, "dots": False}
        made.append(Series(name=name, x=x, y=one.tolist(), **{**look, **thin}))
    return made
