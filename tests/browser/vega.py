"""Writes the script that draws charts in reports, as the pinned vl-convert has it."""

import gzip

import vl_convert

from experiments.lab import vega

script = str(vl_convert.javascript_bundle()).encode()
vega.LIBRARY.write_bytes(gzip.compress(script, mtime=0))
