"""Shapes and types of every public function are checked while the tests run."""

import os
import sys
from types import ModuleType

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

if "--benchmark-only" not in sys.argv:  # the checks cost time of their own
    ROOMS = ["metaspiel", "meta_solvers", "psro", "matrl", "offline"]
    install_import_hook(ROOMS, "beartype.beartype")
    # What is read from JSON has integers among its floats, as PEP 484 allows.
    roof = ModuleType("roof")
    roof.beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
    sys.modules[roof.__name__] = roof
    install_import_hook(["experiments"], "roof.beartype")
