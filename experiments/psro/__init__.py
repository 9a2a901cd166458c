"""PSRO runs: the page, what a run is played on, its trials and its report."""
