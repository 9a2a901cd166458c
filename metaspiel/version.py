"""The version that is installed."""

from importlib import metadata

try:
    __version__ = metadata.version("metaspiel")
except metadata.PackageNotFoundError:  # a checkout that is not installed
    __version__ = "unknown"
