"""``python -m experiments``: lists the pages, or runs the one that is named."""

import sys

from experiments import contents

if __name__ == "__main__":
    sys.exit(contents.main("python -m experiments"))
