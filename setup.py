from pathlib import Path

from setuptools import setup

PACKAGES = [
    "metaspiel",
    "metaspiel.nfg",
    "metaspiel.files",
    "metaspiel.games",
    "metaspiel.learn",
    "meta_solvers",
    "meta_solvers.exact",
    "meta_solvers.nes",
    "psro",
    "psro.neupl",
    "matrl",
    "mra",
    "mra.baselines",
    "offline",
    "experiments",
    "experiments.lab",
    "experiments.bargaining",
    "experiments.compare",
    "experiments.matrl",
    "experiments.mra",
    "experiments.nes",
    "experiments.neupl_grid",
    "experiments.neupl_learned",
    "experiments.psro",
    "experiments.psro_parts",
    "experiments.speed",
]

setup(
    name="metaspiel",
    version="0.1.0",
    description="Meta-strategy solvers and PSRO/JPSRO for OpenSpiel",
    long_description=Path(__file__).with_name("README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=PACKAGES,
    package_data={
        **{name: ["py.typed"] for name in PACKAGES if "." not in name},
        "experiments.lab": ["*.html.j2", "*.js"],
        "meta_solvers.nes": ["weights/*.safetensors", "weights/*.md"],
    },
    install_requires=[
        "clarabel>=0.11",
        "cvxpy>=1.6",
        "highspy>=1.16",
        "jaxtyping>=0.3",
        "jinja2>=3.1",
        "numpy>=2",
        "open_spiel>=2",
        "pyyaml>=6",
        "rich>=13",
        "safetensors>=0.4",
        "scipy>=1.14",
        "torch>=2.4",
        "tyro>=0.9",
        # Draws every chart: in a report by its JavaScript, as PNG, SVG and PDF.
        "vl-convert-python>=1.8",
    ],
    extras_require={
        "ray": ["ray>=2.40"],
        # Compiles the loops of the dynamics: the same bits in less time.
        "numba": ["numba>=0.61"],
        # Rows of runs as data frames.
        "frames": ["pandas>=2.2"],
        # --log tensorboard, --log wandb
        "tb": ["tensorboard>=2.17"],
        "wandb": ["wandb>=0.18"],
        # Our Markov games for users of PettingZoo and Gymnasium, and theirs for us.
        # mpe2: our worlds of particles are tested against its forces.
        "envs": ["gymnasium>=1.0", "pettingzoo>=1.25", "mpe2>=1.1"],
        "mujoco": ["gymnasium[mujoco]>=1.0", "mujoco>=3.2"],
        # GPL: the emulator for two players, and the ROM that ale-py ships.
        "atari": ["gymnasium>=1.0", "pettingzoo[atari]>=1.25", "ale-py>=0.10"],
        # OpenSpiel's DQN, which the speed page compares with, needs it.
        "openspiel-dqn": ["dm-tree"],
        # OpenSpiel's JPSRO, into which our solvers go, imports it.
        "openspiel-jpsro": ["matplotlib>=3.9"],
        # GPL-3; only the speed and table pages compare with it.
        "ecos": ["ecos>=2.0.14"],
        # A batched conic solver, and gradients through it, beside our batches.
        "moreau": ["moreau>=0.4.1", "cvxpylayers>=1.2"],
        # `make docs`: myst-nb runs the pages, ipykernel is what it runs them in.
        "docs": [
            "furo>=2024.8",
            "ipykernel>=6",
            "myst-nb>=1.2",
            "sphinx>=8.1",
        ],
        "dev": [
            # Checks specifications of charts by the schema of Vega-Lite.
            "altair>=6",
            "beartype>=0.18",
            "hypothesis>=6",
            "matplotlib>=3.9",
            "mypy>=1.11",
            "nashpy>=0.0.41",
            "numba>=0.61",
            "pytest>=8",
            "pytest-benchmark>=4",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "setuptools>=68",
            "types-PyYAML",
        ],
    },
    entry_points={
        "console_scripts": ["metaspiel = metaspiel.cli:main"],
        "metaspiel.meta_solvers": [
            "openspiel_jpsro = psro.openspiel:JPSROSolver",
            "openspiel_psro_v2 = psro.openspiel:PSROv2Solver",
        ],
    },
)
