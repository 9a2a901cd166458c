"""Writes the script that draws charts in reports, as the installed vl-convert has it::

    python tests/browser/vega.py
"""

import gzip

import vl_convert

from experiments.lab import vega

script = str(vl_convert.javascript_bundle()).encode()
vega.LIBRARY.write_bytes(gzip.compress(script, mtime=0))
