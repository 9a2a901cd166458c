"""Cells of a comparison on a Ray cluster: a node is killed, the bits are the same."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from experiments.compare import __main__ as compare
from experiments.lab.page import main
from psro.cluster import _imported

# About two seconds a cell, so that a node dies at work.
WORDS = ["--games", "leduc_poker", "--solvers", "prd", "--seeds", "6"]
WORDS += ["--iterations", "14"]
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")
def test_a_lost_node_costs_its_cells_and_no_bits(tmp_path):
    _imported()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        lost, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
        out = tmp_path / "ray"
        spec = f"ray:address={cluster.address},jobs=2"
        start = [sys.executable, "-m", "metaspiel", "compare", *WORDS]
        run = subprocess.Popen(
            [*start, "--executor", spec, "--out", out, "--quiet"],
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 120
        while len([*out.glob("cells/*.json")]) < 2 and time.monotonic() < deadline:
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.05)
        cluster.remove_node(lost, allow_graceful=False)
        said = run.communicate(timeout=240)[1]
    finally:
        cluster.shutdown()
    assert run.returncode == 0, said
    assert "lost with its worker, sent again" in said
    here = tmp_path / "here"
    assert main(compare.page, compare.Config, [*WORDS, "--out", str(here)]) == 0
    assert cells(out) == cells(here) and len(cells(here)) == 6


def cells(folder):
    """Curves by name of the cell, without times."""
    made = {}
    for place in folder.glob("cells/*.json"):
        made[place.name] = json.loads(place.read_text())["curves"]
        del made[place.name]["cpu_seconds"]
    return made
