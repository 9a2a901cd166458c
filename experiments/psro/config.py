"""What the page psro is asked for."""

from dataclasses import dataclass

from experiments.psro_parts.config import Settings


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Fields of a PSRO run."""
