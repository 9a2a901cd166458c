"""Settings of the documentation: `make docs` builds it from the root of the repository.

Sources are where they are read on their own as well: `README.md`, `docs/`, `results/`,
`CHANGELOG.md` and `SECURITY.md`, so that one link serves both places.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "site")]

import rooms  # noqa: E402  (beside this file)

from metaspiel.version import __version__  # noqa: E402

nitpicky = True
# Types in signatures may be another package's, or a room's own affair. What is written
# by hand (`{py:obj}`, links between pages) must be there.
nitpick_ignore_regex = [("py:(class|exc|data)", ".*"), ("py:obj", r"typing\..*")]
project = "metaspiel"
author = "the authors of metaspiel"
release = version = __version__
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/**",
    "results/**",
    "examples/**",
    "meta_solvers/nes/weights/CARD.md",
]
# Not walked through: large, and none of ours.
exclude_patterns = [".*", "runs", "build", "**/__pycache__", "**/*.egg-info"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "shell",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
# Pages are executed in every build; a cell that raises is an error of the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # of a busy machine
nb_merge_streams = True
nb_execution_in_temp = True
# A picture of floors in docs/architecture.md, which a test reads, is no language.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "metaspiel"
html_extra_path = ["site/extra"]
html_show_sphinx = False
html_show_copyright = False

rooms.write(ROOT / "docs" / "reference")


def _escape(app, what, name, obj, options, lines):
    """Stars in shapes (`"N *actions"`) are no emphasis."""
    for number, line in enumerate(lines):
        if ":vartype" in line or ":type" in line:
            lines[number] = line.replace("*", r"\*")


def setup(app):
    """Has shapes in docstrings escaped, after napoleon made fields of them."""
    app.connect("autodoc-process-docstring", _escape, priority=900)
