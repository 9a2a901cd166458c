# Two commands do everything on a machine with Python 3.11+ and make:
#   make demo    make test
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test lint slow golden attacks browser extras ray worlds bench docs pictures linkcheck clean

$(STAMP): setup.py constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'metaspiel: Python 3.11 or newer is needed; got ' + sys.version.split()[0])"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m experiments.demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

golden: $(STAMP)
	$(BIN)/python tests/golden/record.py

attacks: $(STAMP)
	mkdir -p runs
	$(BIN)/python tests/attacks/fuzz_readers.py
	$(BIN)/python tests/attacks/sampled_games.py
	$(BIN)/python tests/attacks/run.py --out runs/attacks.md
	$(BIN)/python tests/attacks/endings.py --out runs/endings.md

browser: $(STAMP)
	$(BIN)/python tests/browser/look.py

extras: $(STAMP)  # data frames, TensorBoard and Weights & Biases
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,frames,tb,wandb]'
	$(BIN)/python -m pytest tests/experiments/test_loggers.py tests/experiments/test_loading.py tests/experiments/test_compare.py

ray: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,ray]'
	$(BIN)/python -m pytest tests/psro/test_executor.py tests/experiments/test_compare_ray.py

worlds: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,envs,mujoco,atari]'
	$(BIN)/python -m pytest tests/metaspiel/games/test_parallel.py tests/metaspiel/games/test_particles.py tests/metaspiel/games/test_mujoco.py tests/metaspiel/games/test_cheetah.py tests/metaspiel/games/test_atari.py

bench: $(STAMP)
	$(BIN)/python -m pytest -o addopts= --benchmark-only tests/bench

DOCS := .venv/.installed-docs
SPHINX := $(BIN)/python -m sphinx -c docs --fresh-env --quiet

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $(DOCS)

docs: $(DOCS)  # build/docs/index.html
	$(SPHINX) --fail-on-warning --keep-going -b html . build/docs

pictures: $(STAMP)  # those of the README and the documentation, about a minute
	$(BIN)/python docs/pictures/draw.py

linkcheck: $(DOCS)  # asks every external link; needs the network
	$(SPHINX) -b linkcheck -D nb_execution_mode=off -D shell_runs=0 . build/linkcheck

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
