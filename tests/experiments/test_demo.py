"""The demo in small: a comparison of three meta-solvers on three games."""

import json

from experiments import demo
from experiments.lab.page import main


def test_the_demo_compares(tmp_path, capsys):
    out = tmp_path / "demo"
    words = ["--solvers", "mgcce", "uniform", "--iterations", "2", "--seeds", "2"]
    assert main(demo.page, demo.Config, [*words, "--jobs", "1", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert all(f"{game}: " in text for game in demo.GAMES)
    report = (out / "report.html").read_text()
    body = report[: report.rindex("<h2>How this")]  # what draws charts follows
    assert body.index("<table") < body.index("<figure")  # opens with the comparison
    assert body.count("<figure") == len(demo.GAMES)
    first = json.loads((out / "summary.json").read_text())["table"]
    assert len(first) == 2 * len(demo.GAMES)
    usual = demo.Config()
    assert (len(usual.games), len(usual.methods), usual.seeds) == (3, 3, 5)
