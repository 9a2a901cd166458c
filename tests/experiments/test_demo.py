"""The demo in small: a comparison of three meta-solvers on three games."""

import json

from experiments import demo
from experiments.lab.page import main


def test_the_demo_compares(tmp_path, capsys):
    out = tmp_path / "demo"
    words = ["--solvers", "mgcce", "uniform", "--iterations", "2", "--seeds", "2"]
    assert main(demo.page, demo.Config, [*words, "--jobs", "1", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    names = ["kuhn_poker(players=3)", "sheriff", "leduc_poker"]
    assert all(f"{name}: " in text for name in names)
    assert text.count(demo.GAMES[1]) == 1  # the long name once, and then a short one
    assert "mgcce, uniform: PSRO on 3 games, 2 iterations" in text
    assert "mgcce: a CCE that maximises Gini impurity." in text
    *_, end = text.splitlines()
    assert end == f"-> {out / 'report.html'}"  # what a newcomer is to open
    report = (out / "report.html").read_text()
    body = report[: report.rindex("<h2>How this")]  # what draws charts follows
    assert body.index("<table") < body.index("<figure")  # opens with the comparison
    assert body.count("<figure") == len(demo.GAMES)
    first = json.loads((out / "summary.json").read_text())["table"]
    assert len(first) == 2 * len(demo.GAMES)
    usual = demo.Config()
    assert (len(usual.games), len(usual.methods), usual.seeds) == (3, 3, 5)
