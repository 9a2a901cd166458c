"""COffeE-PSRO on Bargaining: one trial, or the grid of the regret tables."""
