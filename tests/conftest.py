"""Shapes and types of every public function are checked while the tests run."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaxtyping import install_import_hook

if "--benchmark-only" not in sys.argv:  # the checks cost time of their own
    ROOMS = ["metaspiel", "meta_solvers", "psro", "matrl", "offline"]
    install_import_hook(ROOMS, "beartype.beartype")
