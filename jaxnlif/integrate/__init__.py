"""The loop in time, common to all solvers."""
