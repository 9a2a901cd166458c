"""The Neural Equilibrium Solver: training, tables and figures of its paper."""
