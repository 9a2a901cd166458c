"""What rows say of distillation, where one network plays the population."""

from collections.abc import Mapping, Sequence
from typing import Any

from psro.metrics import Row


def learned_by(row: Row) -> str:
    """What a line of progress says of a row's distillation; nothing without one."""
    notes = row.notes
    if "distil_error" not in notes:
        return ""
    error, steps = max(notes["distil_error"]), sum(notes["distil_steps"])
    text = f"  distilled to {error:.1e} in {steps} steps"
    return text if all(notes["distil_reached"]) else f"{text}, tolerance not reached"


def distilled(rows: Sequence[Row]) -> Mapping[str, Any]:
    """What a run's distillations came to; nothing without any."""
    notes = [row.notes for row in rows if "distil_error" in row.notes]
    if not notes:
        return {}
    return {
        "distil_worst_error": max(max(note["distil_error"]) for note in notes),
        "distil_steps": sum(sum(note["distil_steps"]) for note in notes),
        "distil_unreached": sum(not all(note["distil_reached"]) for note in notes),
    }
