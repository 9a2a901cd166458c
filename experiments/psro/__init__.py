"""PSRO runs as a page: trials, their checkpoints and their reports."""
