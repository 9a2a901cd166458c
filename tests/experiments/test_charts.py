"""Charts as specifications: valid, small, without a network, with readable axes."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.compare import pictures
from experiments.compare.results import Result, Results
from experiments.lab import charts, report, vega
from experiments.lab.fitting import Room, fitted
from experiments.lab.looks import Look
from experiments.lab.marks import (
    COLOURS,
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


@pytest.fixture(autouse=True, scope="module")
def drawn_once():
    """Here every picture is drawn."""


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


def hardly_anything() -> Chart:
    """Series without a point, with one, and with none that can be drawn."""
    series = [
        Series(name="none", x=[], y=[]),
        Series(name="one", x=[1], y=[2.0], low=[1.0], high=[3.0]),
        Series(name="nan", x=[1, 2], y=[float("nan"), None], low=[None] * 2),
        Series(name="inf", x=[1, 2], y=[float("-inf"), float("inf")]),
        Series(name="point", x=[1], y=[2.0], mark="area"),
    ]
    return Chart(panels=[Panel(series=series, y=Axis(scale="log"))])


def looks(chart: Chart) -> Mapping[str, Look]:
    return Ready.of(chart).known


def drawn(chart: Chart, panel: int = 0) -> list[dict[str, Any]]:
    """What is drawn of each series of a panel."""
    return [one for (one,) in Ready.of(chart).page_specs[panel]["datasets"].values()]


@pytest.mark.parametrize(
    "chart",
    [gaps(), every_mark(), table(3, 4), nothing(), hardly_anything(), Chart(panels=[])],
)
def test_specifications_are_valid(chart: Chart):
    altair = pytest.importorskip("altair")
    for spec in (*Ready.of(chart).page_specs, Ready.of(chart).file_spec):
        altair.Chart.from_dict(spec).to_dict()  # it checks them by Vega-Lite's schema


def test_a_report_needs_no_network_and_keys_come_last(tmp_path: Path):
    text = rendered(tmp_path, gaps(), every_mark(), table(3, 4), nothing())
    own = text.replace(vega.packed(), "")
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", own)
    assert "http" not in own and len(text) < 500_000
    heads = [
        text.index(f"<dt>{head}") for head in ("What was", "What came", "How sure")
    ]
    assert heads == sorted(heads)
    assert heads[-1] < text.index("<figure>") < text.index("<details><summary>keys")
    for ending in ("png", "svg", "pdf"):
        assert (tmp_path / "plots" / f"1.{ending}").stat().st_size > 5000


def test_large_charts_stay_small():
    runs = np.random.default_rng(0).random((40, 5000)).tolist()
    many = {f"run {k}": values for k, values in enumerate(runs)}
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
    heights = drawn(zeros)[1]
    assert min(heights["y"]) == fitted(zeros).chart.panels[0].y.floor == 1e-7
    assert (heights["said y"][-1], heights["said y"][30]) == (0, 1e-18)
    assert "below 1e-07" in Ready.of(zeros).notes[-1]  # FALL ends at 1.3e-6
    nothing = charts.lines({"a": (STEPS, [0.0] * 40)}, "gap", log=True)
    assert set(drawn(nothing)[0]["y"]) == {0.1}


def test_what_has_no_place_on_a_logarithmic_axis_is_said_as_it_is():
    """Negative numbers, ends of intervals, both axes and lines across."""
    one = Series(name="a", x=[0.0, 1.0], y=[0.5, 2.0], low=[-0.5, 1.0], high=[1, 3])
    log = Axis(scale="log")
    panel = Panel(x=log, y=log, series=[one], rules=[Rule(name="r", y=-1.0)])
    (record,) = drawn(Chart(panels=[panel]))
    assert (record["low"], record["said low"]) == ([0.01, 1], [-0.5, 1])
    assert (record["x"], record["said x"]) == ([0.1, 1], [0, 1])
    (spec,) = Ready.of(Chart(panels=[panel])).page_specs
    fields = [own["field"] for own in spec["layer"][2]["encoding"]["tooltip"]]
    assert fields == ["name", "said x", "y", "said low", "high"]
    assert spec["layer"][-1]["data"]["values"] == [{"name": "r", "y": 0.01, "said": -1}]
    assert "≤ 0.01" in spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    own = replace(panel, x=Axis(), y=replace(log, floor=0.7))
    assert drawn(Chart(panels=[own]))[0]["y"] == [0.7, 2]


def test_what_is_not_finite_is_counted():
    assert Ready.of(hardly_anything()).notes == [
        "Numbers that are not finite are not drawn: 3."
    ]
    assert "low" not in drawn(hardly_anything())[2]
    marks = [one["mark"] for one in Ready.of(hardly_anything()).page_specs[0]["layer"]]
    assert "rule" in [one["type"] for one in marks]  # a band of one point has no width


def test_bars_of_a_place_are_stacked_and_say_their_own_height():
    x, y = ["il", "matrl"], [1.0, -2.0]
    names = [("a", None), ("b", None), ("c", "c"), ("d", "d")]
    bars = [Series(name=n, x=x, y=y, mark="bars", beside=on) for n, on in names]
    chart = Chart(panels=[Panel(x=Axis(scale="names"), series=bars)], same="y")
    records = drawn(chart)
    assert [one["base"] for one in records] == [[0, 0], [1, -2], [0, 0], [0, 0]]
    assert [one["y"] for one in records] == [[1, -2], [2, -4], [1, -2], [1, -2]]
    assert [one["said y"] for one in records] == [[1, -2]] * 4
    scale = Ready.of(chart).page_specs[0]["layer"][0]["encoding"]["y"]["scale"]
    assert (scale["domainMin"], scale["domainMax"]) == (-4, 2)


def test_whole_numbers_stay_as_they_are():
    steps = [1_001_472, 2_002_944]
    record = drawn(charts.lines({"a": (steps, [1.0, 2.0])}, "y", log=False))[0]
    assert record["x"] == steps


def test_a_report_of_many_charts_stays_small():
    many = [gaps(b=FALL)] * 30 + [table(100, 100)] * 12
    room = Room.of(many)
    assert room.points < 200 and room.cells == 50
    specs = [Ready.of(one, room).page_specs for one in many]
    assert len(json.dumps(specs)) < 800_000
    cloud = Series(name="a", x=STEPS * 100, y=FALL * 100, mark="points")
    assert len(drawn(Chart(panels=[Panel(series=[cloud])]))[0]["x"]) <= 401


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
    empty = [Series(name=name, x=STEPS, y=[None] * 40) for name in "ab"]
    assert Ready.of(Chart(panels=[Panel(series=empty)])).notes == []
    alike = {f"seed {k}": (STEPS, FALL) for k in range(30)}
    assert Ready.of(charts.lines(alike, "y", log=False)).notes == [
        "seed 1, seed 2, seed 3, seed 4 and 25 more lie on seed 0."
    ]
    two = [gaps(b=same), gaps(b=other)]
    panels = [replace(one.panels[0], title=t) for t, one in zip("pq", two, strict=True)]
    assert Ready.of(Chart(panels=panels)).notes == ["b lies on mgcce in p."]
    assert Ready.of(Chart(panels=panels[:1] * 2)).notes == ["b lies on mgcce."]


def test_more_names_than_colours_differ_by_dash():
    many = {f"seed {k}": (STEPS, [k + g for g in FALL]) for k in range(25)}
    known = looks(charts.lines(many, "y", log=False)).values()
    assert len({(one.colour, one.dash) for one in known}) == 25
    given = replace(gaps().panels[0].series[0], name="own", colour=COLOURS[0])
    panel = replace(gaps().panels[0], series=[given, *gaps().panels[0].series])
    assert looks(Chart(panels=[panel]))["mgcce"].colour != COLOURS[0]


def test_curves_that_coincide_are_drawn_over_each_other():
    same, other = [1.0001 * gap for gap in FALL], [0.8 * gap for gap in FALL]
    chart = gaps(same=same, other=other)
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


def test_gaps_below_the_floor_of_a_comparison_keep_their_number():
    one = Result(
        game="g", solver="s", evaluation="same", oracle="exact", seed=0, outcome=""
    )  # fmt: skip
    row = {"game": "g", "iteration": 1, "gap": 1e-9, "best": 1e-9}
    row |= {name: getattr(one, name) for name in ("solver", "evaluation", "oracle")}
    row |= dict.fromkeys(("gap_low", "gap_high", "best_low", "best_high"))
    (picture,) = pictures.pictures(Results([one]), [row])
    record = drawn(picture.chart)[0]
    assert (record["y"], record["said y"]) == ([1e-6], [1e-9])
    assert "below 1e-06" in Ready.of(picture.chart).notes[-1]
    assert "bands" not in picture.caption
