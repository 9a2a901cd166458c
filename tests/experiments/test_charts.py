"""Charts as specifications: valid, small, without a network, with readable axes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.lab import charts, report, vega
from experiments.lab.fitting import fitted
from experiments.lab.looks import looks
from experiments.lab.marks import (
    INK,
    Axis,
    Chart,
    Heat,
    Panel,
    Picture,
    Rule,
    Series,
)
from experiments.lab.vega import Ready
from experiments.psro.sentences import algorithm

STEPS = list(range(1, 41))
FALL = [2.0 * 0.7**t for t in STEPS]


def gaps(**more: list[float]) -> Chart:
    named = {"mgcce": (STEPS, FALL)} | {k: (STEPS, v) for k, v in more.items()}
    return charts.lines(named, "CCE gap", log=True)


def every_mark() -> Chart:
    """All kinds of marks, axes and intervals."""
    runs = np.array([FALL, FALL[::-1], [1.0] * 40, FALL, FALL])
    names = ["a (1)", "b", "a long name of a class"]
    look = {"low": [1.0, None, 2.0], "high": [2.0, None, 3.0], "notes": ["x"] * 3}
    panels = [
        Panel(title="runs", series=charts.learning("il", STEPS, runs, seed=0)),
        Panel(
            series=charts.learning("il", STEPS, runs[:2]), rules=[Rule(name="r", y=1)]
        ),
        Panel(
            x=Axis(scale="names", label="class"),
            y=Axis(scale="symlog", low=0.0),
            series=[
                Series(name="p", x=names, y=[1.5, None, 2.5], mark="points", **look)
            ],
        ),
        Panel(
            x=Axis(scale="names"),
            series=[
                Series(name=n, x=names, y=[1.0, 2.0, 3.0], mark="bars", beside=n)
                for n in ("il", "matrl")
            ],
        ),
        Panel(
            x=Axis(scale="log2"),
            series=[
                Series(
                    name="hull",
                    x=[1.0, 2.0, 4.0],
                    y=[0.0, 1.0, 0.0],
                    mark="area",
                    opacity=0.3,
                ),
                Series(name="q", x=[1.0, 2.0], y=[0.0, 1.0], mark="ticks", colour=INK),
            ],
            rules=[Rule(name="", x=2.0)],
        ),
    ]
    return Chart(panels=panels, same="y")


def table(rows: int, columns: int) -> Chart:
    values = np.random.default_rng(0).normal(size=(rows, columns)).tolist()
    heat = Heat(
        values=values,
        rows=[str(k) for k in range(rows)],
        row_names=[f"policy {k} (added in iteration {k})" for k in range(rows)],
        columns=[str(k) for k in range(columns)],
        label="payoff of player 0",
        texts=[[f"{v:.1f}" for v in row] for row in values] if rows < 9 else None,
    )
    across, up = (Axis(label=f"policy of player {p}") for p in (1, 0))
    return Chart(panels=[Panel(x=across, y=up, heat=heat)])


def rendered(folder: Path, *drawn: Chart) -> str:
    pictures = [
        Picture(name=str(k), title="t", caption="c", chart=one)
        for k, one in enumerate(drawn)
    ]
    opening = report.Opening(ran=["a"], result=["b"], sure=["c"])
    raw = report.Table("keys", ["k", "v"], [["a", 1]], raw=True)
    report.render(folder / "report.html", "T", opening, [raw], pictures)
    return (folder / "report.html").read_text("utf-8")


def nothing() -> Chart:
    empty = Panel(x=Axis(label="x", scale="log"), y=Axis(label="y"))
    return Chart(panels=[empty], same="xy")


@pytest.mark.parametrize("chart", [gaps(), every_mark(), table(3, 4), nothing()])
def test_specifications_are_valid(chart: Chart):
    altair = pytest.importorskip("altair")
    for spec in (*Ready.of(chart).page_specs, Ready.of(chart).file_spec):
        altair.Chart.from_dict(spec).to_dict()  # it checks them by Vega-Lite's schema


def test_a_report_needs_no_network_and_keys_come_last(tmp_path: Path):
    text = rendered(tmp_path, gaps(), every_mark(), table(3, 4), nothing())
    own = text.replace(vega.javascript(), "")
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", own)
    assert "http" not in own and len(text) < 1_100_000
    heads = [
        text.index(f"<dt>{head}") for head in ("What was", "What came", "How sure")
    ]
    assert heads == sorted(heads)
    assert heads[-1] < text.index("<figure>") < text.index("<details><summary>keys")
    for ending in ("png", "svg", "pdf"):
        assert (tmp_path / "plots" / f"1.{ending}").stat().st_size > 5000


def test_large_charts_stay_small():
    drawn = np.random.default_rng(0).random((40, 5000)).tolist()
    many = {f"run {k}": values for k, values in enumerate(drawn)}
    steps = list(range(5000))
    wide = charts.lines({k: (steps, v) for k, v in many.items()}, "y", log=False)
    assert len(json.dumps(Ready.of(wide).page_specs)) < 300_000
    assert "one point in" in Ready.of(wide).notes[-1]
    shown = fitted(wide).chart.panels[0].series[0]
    assert (shown.x[0], shown.x[-1]) == (0, 4999)
    large = table(300, 41)
    assert len(json.dumps(Ready.of(large).page_specs)) < 100_000
    assert "last 100" in Ready.of(large).notes[-1]
    assert "policy 299 (added in iteration 299)" in json.dumps(
        Ready.of(large).page_specs
    )


def test_iterations_have_whole_ticks():
    (spec,) = Ready.of(gaps()).page_specs
    across = spec["layer"][0]["encoding"]["x"]["axis"]
    assert across["tickMinStep"] == 1 and across["format"] == ",d"
    (spec,) = Ready.of(
        charts.lines({"a": ([0.5, 1.0], [1.0, 2.0])}, "y", log=False)
    ).page_specs
    assert "tickMinStep" not in spec["layer"][0]["encoding"]["x"]["axis"]


def test_logarithmic_axes_end_where_numbers_end():
    scale = Ready.of(gaps()).page_specs[0]["layer"][0]["encoding"]["y"]["scale"]
    assert scale["type"] == "log" and scale["nice"] is False
    assert "domainMin" not in scale and Ready.of(gaps()).notes == []
    zeros = gaps(other=[0.3 if t < 30 else 1e-18 if t < 35 else 0.0 for t in STEPS])
    chart = fitted(zeros).chart
    heights = chart.panels[0].series[1]
    assert min(heights.y) == chart.panels[0].y.floor == 1e-7  # FALL ends at 1.3e-6
    assert heights.said[-1] == "0" and heights.said[30] == "1e-18"
    assert "lower end" in Ready.of(zeros).notes[-1]
    nothing = charts.lines({"a": (STEPS, [0.0] * 40)}, "gap", log=True)
    assert min(fitted(nothing).chart.panels[0].series[0].y) == 0.1


def test_curves_that_coincide_are_told_apart():
    same, other = [1.0001 * gap for gap in FALL], [0.8 * gap for gap in FALL]
    chart = gaps(same=same, other=other)
    third = looks(gaps(same=same, too=FALL))["too"]
    assert (third.dash, third.on) == ("dotted", "mgcce")
    known = looks(chart)
    assert known["mgcce"].wider and known["same"].on == "mgcce"
    assert (known["mgcce"].dash, known["same"].dash) == ("solid", "dashed")
    assert not known["other"].on and known["other"].dash == "solid"
    assert Ready.of(chart).notes == ["same lies on mgcce."]
    assert len({look.colour for look in known.values()}) == 3
    marks = [layer["mark"] for layer in Ready.of(chart).page_specs[0]["layer"]]
    first, second = [mark for mark in marks if mark["type"] == "line"][:2]
    assert first["strokeWidth"] > 2 * second["strokeWidth"]


def test_a_name_looks_alike_in_all_panels_and_can_be_put_aside():
    panel = gaps(prd=FALL[::-1]).panels[0]
    turned = replace(panel, series=panel.series[::-1])
    chart = Chart(panels=[panel, turned])
    assert [one["name"] for one in Ready.of(chart).legend] == ["mgcce", "prd"]
    for spec in Ready.of(chart).page_specs:
        assert spec["params"] == [{"name": "hidden", "value": []}]
        names = {k: own[0]["name"] for k, own in spec["datasets"].items()}
        colours = {
            names[layer["data"]["name"]]: layer["mark"]["color"]
            for layer in spec["layer"]
        }
        assert colours == {name: look.colour for name, look in looks(chart).items()}


def test_a_cell_of_a_table_says_its_policies():
    (spec,) = Ready.of(table(3, 4)).page_specs
    titles = [one["title"] for one in spec["layer"][0]["encoding"]["tooltip"]]
    assert titles == ["policy of player 0", "policy of player 1", "payoff of player 0"]
    assert spec["datasets"]["0"][2]["beside"] == "policy 2 (added in iteration 2)"


@pytest.mark.parametrize(
    ("concept", "oracle", "name"),
    [
        ("cce", "exact", "JPSRO(CCE)"),
        ("ce", "ddqn (gaps estimate)", "JPSRO(CE)"),
        ("ne", "exact", "PSRO(NE)"),
        ("cce", "neupl", "NeuPL-JPSRO(CCE)"),
    ],
)
def test_an_algorithm_is_called_what_it_is(concept: str, oracle: str, name: str):
    assert algorithm(concept, oracle) == name
