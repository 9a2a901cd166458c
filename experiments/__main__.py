"""``python -m experiments``: lists the pages, or runs the one that is named."""

import sys

from experiments.lab.interrupts import loading

if __name__ == "__main__":
    with loading():
        from experiments import contents
    sys.exit(contents.main("python -m experiments"))
