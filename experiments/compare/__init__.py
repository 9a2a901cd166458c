"""Meta-solvers side by side: games, solvers and seeds crossed, judged over seeds."""
