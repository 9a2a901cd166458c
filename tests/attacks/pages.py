"""Pages that keep state in a run folder: a tiny run, where it is killed, its resume."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, kw_only=True)
class Page:
    """How a page is begun, cut short and resumed.

    Attributes:
      name: of the case, as tables show it.
      module: below ``experiments``.
      begin: the words of its run, but for --out.
      seed: of the run, and of another one whose files are foreign.
      seed_flag: the flag that sets it.
      killed_at: the run is killed when it is about to rename something to a path that
        ends like this; None: it runs to its end, and its resume asks for more.
      time: at which such rename; the first is 1.
      resume: words of the resume, besides --out, --resume and --quiet.
      fields: of config.json that may not change, and another value of each.
      cases: mutated folders in a whole round.
      jobs: it can work in several processes.
      times: pattern of keys of results that are times on this page.
    """

    name: str
    module: str
    begin: tuple[str, ...]
    seed: tuple[int, int] = (3, 4)
    seed_flag: str = "--seed"
    killed_at: str | None
    time: int = 1
    resume: tuple[str, ...] = ()
    fields: tuple[tuple[str, object], ...]
    cases: int
    jobs: bool = False
    times: str = ""


def words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text))


# A state is written, or an old one makes way for it.
_CELL_STATE = r"/(?:checkpoint/\d+|\.checkpoint\.\d+\.old)"
_CELL_FIELDS = (("seed", 9), ("rate", 0.05), ("batch", 200))

PAGES = (
    Page(
        name="psro",
        module="psro",
        begin=words(
            "--game kuhn_poker --iterations 4 --trials 2 --solver mgcce "
            "--eval-solver mwcce"
        ),
        killed_at=r"trial_1/checkpoint/000003",
        fields=(
            ("seed", 9),
            ("tie_break", "first"),
            ("solver", "mwcce"),
            ("eval_solver", "uniform"),
            ("concept", "ne"),
            ("selection", "all"),
            ("game", "leduc_poker"),
            ("prune", 0.01),
            ("repeats", False),
            ("initial", "random_deterministic"),
            ("update", "cycle"),
            ("trials", 1),
        ),
        cases=140,
        jobs=True,
    ),
    Page(
        name="psro extended",
        module="psro",
        begin=words("--game kuhn_poker --iterations 2 --solver mgcce"),
        killed_at=None,
        resume=words("--iterations 4"),
        fields=(("seed", 9), ("tie_break", "first"), ("solver", "mwcce")),
        cases=40,
    ),
    Page(
        name="psro ddqn",
        module="psro",
        begin=words(
            "--oracle ddqn --game bargaining --solver rd --decisions 200 --episodes 50 "
            "--iterations 3"
        ),
        killed_at=r"checkpoint/000002",
        fields=(("seed", 9), ("decisions", 100), ("episodes", 20), ("solver", "mgcce")),
        cases=40,
    ),
    Page(
        name="demo",
        module="demo",
        begin=words("--solvers mgcce uniform --iterations 1 --jobs 1"),
        killed_at=r"cells/leduc_poker-mgcce-\w+-s\d-i1.json",
        fields=(("seed", 9), ("concept", "ce"), ("oracles", ["exact:prune=0"])),
        cases=30,
    ),
    Page(
        name="matrl_grid",
        module="matrl_grid",
        begin=words(
            "--games switch2 pennies --methods matrl il --seeds 1 --iterations 4 "
            "--last 2 --learner.ppo.batch 100 --learner.ppo.envs 10 "
            "--learner.ppo.width 8 --learner.ppo.steps 2"
        ),
        killed_at=r"cells/switch2-il-s\d" + _CELL_STATE,
        time=2,
        fields=(*_CELL_FIELDS, ("last", 1), ("iterations", 5)),
        cases=70,
        jobs=True,
    ),
    Page(
        name="matrl_steps",
        module="matrl_steps",
        begin=words(
            "--rates 4e-3 --clips .3 --seeds 2 --iterations 4 --methods il matrl "
            "--learner.ppo.batch 100 --learner.ppo.envs 20 --learner.ppo.width 8"
        ),
        seed=(3, 13),
        killed_at=r"-s1?4" + _CELL_STATE,
        time=2,
        fields=(("seed", 9), ("batch", 200), ("iterations", 5), ("width", 16)),
        cases=45,
    ),
    Page(
        name="matrl_pong",
        module="matrl_pong",
        begin=words(
            "--iterations 4 --checkpoints 2 --games 6 --learner.ppo.batch 80 "
            "--learner.ppo.envs 4 --learner.ppo.width 8 "
            "--seeds 1 --methods matrl il --game mini_pong(limit=60)"
        ),
        killed_at=r"matches/script-[^/]*\.json",
        time=2,
        fields=(*_CELL_FIELDS, ("games", 8), ("checkpoints", 1)),
        cases=45,
    ),
    Page(
        name="nes_train",
        module="nes_train",
        begin=words(
            "--recipe.games.most 4 --recipe.work 256 --recipe.fewest 8 --every 5 "
            "--recipe.architecture.payoff 4 --recipe.architecture.dual 6 "
            "--recipe.architecture.hidden 8 --recipe.architecture.unrolled 1 "
            "--recipe.steps 20 --games 8"
        ),
        seed_flag="--recipe.seed",
        killed_at=r"/checkpoint/\d+",
        time=3,
        fields=(("seed", 9), ("rate", 0.01), ("every", 10), ("steps", 30)),
        cases=45,
    ),
    Page(
        name="bargaining",
        module="bargaining",
        begin=words(
            "--size tiny --ddqn.decisions 300 --trajectories 40 --training.steps 40 "
            "--cloning.steps 40 --episodes 30 --screen 30 --fresh 60 "
            "--fidelity-episodes 20 --evaluations r2d"
        ),
        killed_at=r"explore/[^/]*/000002",
        fields=(("seed", 9), ("episodes", 40), ("fresh", 40), ("round_state", True)),
        cases=30,
    ),
    Page(
        name="bargaining grid",
        module="bargaining",
        begin=words(
            "--grid --behaviours uniform --explorations r2d --approaches coffee oef "
            "--trials 1 --size tiny --ddqn.decisions 300 --trajectories 40 "
            "--training.steps 40 --cloning.steps 40 --episodes 30 --screen 30 "
            "--fresh 60 --fidelity-episodes 20 --evaluations r2d"
        ),
        killed_at=r"explore/oef[^/]*/000001",
        fields=(("seed", 9), ("episodes", 40), ("fresh", 40), ("round_state", True)),
        cases=30,
    ),
    Page(
        name="speed_solvers",
        module="speed_solvers",
        begin=words(
            "--solvers mgcce nash_lp uniform --families uniform zero_sum --sizes 2x2 "
            "--games 2"
        ),
        killed_at=r"cells/01.json",
        fields=(("seed", 9), ("games", 3), ("sizes", ["3x3"])),
        cases=30,
    ),
    Page(
        name="nes_tables",
        module="nes_tables",
        begin=words("--sizes 4 5 --games 4 --ecos-games 0"),
        killed_at=r"cells/5.json",
        fields=(("seed", 9), ("games", 5), ("sizes", [4, 6])),
        cases=25,
    ),
    Page(
        name="speed_openspiel",
        module="speed_openspiel",
        begin=words("--rows kuhn psro_kuhn_nash --quick --repeats 1 --simulations 20"),
        killed_at=r"rows/psro_kuhn_nash.json",
        fields=(("seed", 9), ("simulations", 10), ("lp", "ECOS")),
        cases=20,
        times="ratio",
    ),
    Page(
        name="speed_equilibria",
        module="speed_equilibria",
        begin=words("--solvers lbfgs interior --sizes 3x3 2x2x2 --games 3 --batch 8"),
        killed_at=r"cells/2x2x2-lbfgs.json",
        fields=(("seed", 9), ("games", 4), ("batch", 4)),
        cases=20,
    ),
    Page(
        name="speed_warm",
        module="speed_warm",
        begin=words("--game kuhn_poker --sizes 3 4"),
        seed=(20, 21),
        seed_flag="--iterations",
        killed_at=r"cells/01.json",
        fields=(("iterations", 9), ("sizes", [3]), ("game", "leduc_poker")),
        cases=20,
        times="_seconds",
    ),
    Page(
        name="speed_worlds",
        module="speed_worlds",
        begin=words("--agents 3 4 --copies 2 --seconds 0.02 --rounds 1"),
        killed_at=r"sizes/4[^/]*\.json",
        fields=(("seed", 9), ("rounds", 2), ("copies", [3])),
        cases=20,
        times="per_second|times_|^load$",
    ),
    Page(
        name="matrl_cost",
        module="matrl_cost",
        begin=words(
            "--parts iteration nash --games switch --methods il matrl --rounds 2 "
            "--warm 1 --learner.ppo.batch 100 --learner.ppo.envs 10 --most 3 "
            "--learner.ppo.width 8 --learner.ppo.steps 2 --learner.br-steps 1"
        ),
        killed_at=r"nash[^/]*\.json",
        fields=(("seed", 9), ("rounds", 3), ("width", 16)),
        cases=20,
        times="phases|ratio|least|per_second|goals|estimate|_most$|^(all|pure_first)$",
    ),
    Page(
        name="nes_figures",
        module="nes_figures",
        begin=words("--figure 3 --panels b --shapes 4x4 --quick --steps 4 --games 8"),
        killed_at=r"cells/[^/]*\.json",
        fields=(("seed", 9), ("games", 4), ("steps", 5)),
        cases=20,
    ),
)
