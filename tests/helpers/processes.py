"""Code that tests run in a process of its own."""

import subprocess
import sys


def printed(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout
