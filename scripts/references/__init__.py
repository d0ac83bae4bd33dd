"""Slow and independent solutions, which tests and checks compare with."""
