"""Opens every kind of report in Chromium, clicks legends, and keeps pictures of it.

Reports are made by small runs where runs/browser has none yet. A report passes where
nothing is logged, thrown or fetched, no chart is empty, nothing is wider than the
window, and a click on a name takes its marks away and a second one brings them back.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from chromium import Browser, command

_SMALL = "--learner.ppo.batch 100 --learner.ppo.envs 10 --learner.ppo.width 8"
PAGES = {
    "psro": "psro --game kuhn_poker(players=3) --solver mgcce --iterations 12",
    "psro_two": "psro --game kuhn_poker --solver nash --eval-solver mgcce --concept ne "
    "--iterations 14",
    "psro_trials": "psro --game kuhn_poker --solver prd --iterations 8 --trials 3",
    "psro_learned": "psro --game kuhn_poker --oracle ppo --solver rm --iterations 3 "
    "--decisions 500 --episodes 100 --referee",
    "neupl_grid": "neupl_grid --games kuhn --seeds 2 --iterations 3",
    "matrl_grid": "matrl_grid --games switch2 --methods matrl il il-la --seeds 2 "
    f"--iterations 6 --last 2 {_SMALL}",
    "matrl_matrix": "matrl_matrix --games 40 --steps 60 --pennies-steps 40 "
    "--sweep .3 1",
    "matrl_pong": "matrl_pong --methods matrl il --game mini_pong(limit=60) "
    "--iterations 4 --checkpoints 4 --games 4 --seeds 2 --learner.ppo.batch 80 "
    "--learner.ppo.envs 4 --learner.ppo.width 8",
    "mra_train": "mra_train --world pacman --sizes 1,1 2,2 --budget tiny",
    "mra_grid": "mra_grid --budget tiny --seeds 2 --arms mra plain",
    "nes_plane": "nes_figures --figure 1",
    "nes_classes": "nes_figures --figure 4 --quick",
    "mechanism": "mechanism --games 2 --tolls.steps 30",
    "speed_equilibria": "speed_equilibria --quick --sizes 3x3 2x2x2",
    "demo": "demo --iterations 6",
}
WINDOWS = {"wide": (1100, False), "narrow": (400, False), "dark": (1100, True)}
_WIDER = "document.documentElement.scrollWidth - window.innerWidth"
_EMPTY = """[...document.querySelectorAll('.plot')].filter(
  one => !one.querySelector('.role-mark path')).length"""
_MARKS = """(() => {
  const one = document.querySelector('.legend button');
  if (!one) return null;
  const figure = one.closest('figure');
  const count = () => figure.querySelectorAll('.plot .role-mark path[d]').length;
  const later = () => new Promise(done => setTimeout(done, 400));
  const before = count();
  one.click();
  return later().then(() => { const gone = count(); one.click();
    return later().then(() => [before, gone, count()]); });
})()"""


def made(name: str, words: str, room: Path) -> Path:
    """The report of a small run; it is made where there is none."""
    out = room / name
    if not (out / "report.html").is_file():
        shutil.rmtree(out, ignore_errors=True)  # what a run that was stopped left
        arguments = words.split()
        run = [sys.executable, "-m", "metaspiel", *arguments, "--out", str(out)]
        subprocess.run([*run, "--quiet"], check=True)
    return out / "report.html"


def faults(browser: Browser, page: Path, room: Path) -> list[str]:
    """What is wrong with a report; pictures of it go into the room."""
    wrong = []
    for window, (width, dark) in WINDOWS.items():
        browser.logged.clear()
        browser.open(page, width=width, dark=dark)
        wrong += [f"{window}: logged: {text[:300]}" for text in browser.logged]
        if (more := browser.run(_WIDER)) > 0:
            wrong.append(f"{window}: {more} pixels wider than the window")
        if empty := browser.run(_EMPTY):
            wrong.append(f"{window}: {empty} charts are empty")
        browser.picture(room / f"{page.parent.name}_{window}.png")
    counts = browser.run(_MARKS)
    if counts is not None:
        before, gone, after = counts
        if not gone < before == after:
            wrong.append(f"a click on a name: marks {before}, {gone}, then {after}")
    return wrong


def main() -> int:
    """Looks at all reports, or those that are named."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("names", nargs="*", metavar="PAGE")
    words.add_argument("--out", type=Path, default=Path("runs/browser"))
    asked = words.parse_args()
    if unknown := set(asked.names) - PAGES.keys():
        words.error(f"no such page: {', '.join(unknown)}; there are {', '.join(PAGES)}")
    command()
    asked.out.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name in asked.names or PAGES:
        page = made(name, PAGES[name], asked.out)
        with Browser() as browser:
            wrong = faults(browser, page, asked.out)
        bad += bool(wrong)
        size = page.stat().st_size / 1e6
        line = f"{name}: {size:.2f} MB, {'; '.join(wrong) or 'as it should be'}"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
