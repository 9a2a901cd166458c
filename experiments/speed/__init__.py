"""Speed pages: solvers, learners and loops beside those of others."""
