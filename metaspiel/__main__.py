"""``python -m metaspiel`` is the command ``metaspiel``."""

import sys

from metaspiel.cli import main

if __name__ == "__main__":
    sys.exit(main("python -m metaspiel"))
