"""The directive `shell`: commands that run in every build, shown with their output.

All blocks of a page run in one empty folder, in their order. A command that fails is
an error of the build, unless `:code:` says which exit code it must end with.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_EXAMPLES = Path(__file__).parents[2] / "examples"
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|.*\r(?!\n)")


class Shell(SphinxDirective):
    """Runs its lines with bash and shows each with what it wrote."""

    has_content = True
    option_spec = {  # noqa: RUF012  (as docutils reads it)
        "code": directives.nonnegative_int,
        "last": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """Commands and outputs as one block."""
        shown = []
        for command in "\n".join(self.content).replace("\\\n", "\\\0").split("\n"):
            command = command.replace("\\\0", "\\\n")
            shown += [f"$ {command}", *self._output(command)]
        text = "\n".join(shown)
        block = nodes.literal_block(text, text, language="console")
        self.set_source_info(block)
        return [block]

    def _output(self, command: str) -> list[str]:
        if not self.config.shell_runs:
            return []
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder(),
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        wanted = self.options.get("code", 0)
        if done.returncode != wanted:
            raise self.error(
                f"{command}: ended with {done.returncode}, not {wanted}:\n{done.stdout}"
            )
        lines = _COLOURS.sub("", done.stdout).rstrip().splitlines()
        last = self.options.get("last", len(lines))
        return lines if last >= len(lines) else ["...", *lines[len(lines) - last :]]

    def _folder(self) -> Path:
        """The page's folder, emptied when its first block is read."""
        folder = Path(self.env.doctreedir) / "shell" / self.env.docname
        if "shell" not in self.env.temp_data:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "examples").symlink_to(_EXAMPLES)
            self.env.temp_data["shell"] = True
        return folder


def _environment() -> dict[str, str]:
    """This process's, with our commands first and no terminal."""
    here = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "TERM": "dumb",
    }


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the directive, and a setting that leaves the commands alone."""
    app.add_config_value("shell_runs", True, "env", types=frozenset({bool}))
    app.add_directive("shell", Shell)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
