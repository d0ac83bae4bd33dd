"""Subtraction-free solution of tridiagonal systems; no neuron is known here."""
