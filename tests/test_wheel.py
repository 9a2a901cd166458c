"""The wheel works where users are: any folder, also one with names like ours."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
# Their own packages, whose names this project once took for itself.
THEIRS = ("games", "learn", "nfg", "experiments")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; dependencies are those of this one."""
    room = tmp_path_factory.mktemp("wheel")
    source = room / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    for path in _run(["git", "ls-files", "-mo", "--exclude-standard"], ROOT).split():
        if (ROOT / path).is_file():  # what is not committed is tried as well
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes((ROOT / path).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(room), str(source)]
    _run([*pip, *build], room)
    (wheel,) = room.glob("metaspiel-*.whl")
    _run([sys.executable, "-m", "venv", "--without-pip", str(room / "env")], room)
    python = room / "env" / "bin" / "python"
    _run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], room)
    # A .pth inside another environment is not read: its editable install stays out.
    line = sysconfig.get_paths()["purelib"] + "\n"
    own = _run(
        [str(python), "-c", "import site; print(site.getsitepackages()[0])"], room
    )
    Path(own.strip(), "dependencies.pth").write_text(line, "utf-8")
    return room / "env" / "bin"


@pytest.fixture(
    params=["empty", pytest.param("names-like-ours", marks=pytest.mark.slow)]
)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param != "empty":
        for name in THEIRS:
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text("mine = True\n", "utf-8")
    return tmp_path


def _run(words: list[str], folder: Path, path: Path | None = None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_works_in_any_folder(installed: Path, folder: Path):
    command = str(installed / "metaspiel")
    assert "PSRO and JPSRO" in _run([command], folder)
    words = [command, "psro", "--game", "kuhn_poker", "--iterations", "3"]
    _run([*words, "--out", "run", "--quiet"], folder)
    assert (folder / "run" / "report.html").stat().st_size > 10_000
    environment = json.loads((folder / "run" / "env.json").read_text("utf-8"))
    assert environment["command"].startswith("metaspiel psro --game kuhn_poker")
    for start in ([command], [str(installed / "python"), "-m", "metaspiel"]):
        answer = [*start, "solve", "--game", "matrix_pd", "--solver", "mgcce", "--json"]
        assert json.loads(_run(answer, folder))["status"] == "OK"


def test_the_command_works_beside_names_like_ours_on_the_path(
    installed: Path, tmp_path: Path
):
    for name in THEIRS:
        (tmp_path / "theirs" / name).mkdir(parents=True)
        (tmp_path / "theirs" / name / "__init__.py").touch()
    words = [str(installed / "metaspiel"), "solve", "--game", "chicken", "--json"]
    answer = json.loads(_run(words, tmp_path, tmp_path / "theirs"))
    assert answer["status"] == "OK"
    own = tmp_path / "mine.py"
    own.write_text("def objective(joint, game):\n    return joint[0]\n", "utf-8")
    spec = "cvx:objective=mine:objective"
    assert json.loads(_run([*words, "--solver", spec], tmp_path))["status"] == "OK"


def test_what_is_imported_is_the_wheel(installed: Path, folder: Path):
    code = "import metaspiel, psro; print(metaspiel.__file__, psro.__file__)"
    for place in _run([str(installed / "python"), "-c", code], folder).split():
        assert Path(place).is_relative_to(installed.parent)


def test_examples_of_the_readme_run_beside_names_like_ours(
    installed: Path, folder: Path
):
    script = folder / "examples.py"
    script.write_text(f"for code in {BLOCKS!r}:\n    exec(code, {{}})\n", "utf-8")
    assert "mgce  [4.24 4.24]" in _run([str(installed / "python"), str(script)], folder)


def test_completions_of_every_page_are_printed(installed: Path, tmp_path: Path):
    command = str(installed / "metaspiel")
    script = _run([command, "--tyro-print-completion", "bash"], tmp_path)
    for word in ("psro", "matrl_grid", "--tie-break", "largest_gap"):
        assert word in script
    (spec,) = (line for line in script.splitlines() if line.startswith("COMPLETION_SP"))
    assert "\\n" not in spec  # each line would be a candidate
    (tmp_path / "completion.sh").write_text(script, "utf-8")
    _run(["bash", "-n", "completion.sh"], tmp_path)
