"""Unstable eigenvalues that hide between frequencies."""

import jaxnlif as jn


def test_a_narrow_resonance_with_a_multiple_of_the_rate_is_counted():
    """Neurons of little noise: the first mode is stable, +0.10 ± 20.9i is not."""
    grid = jn.VoltageGrid(-0.4, 1.0, reset=0.0, num=840)
    model = jn.Network(
        weight=[[0.25]], noise=0.0005, drive=1.8, delay=0.31, threshold=1.0, reset=0.0
    )
    rates = jn.stationary.circuit_rates(model).rates
    assert jn.stability.num_unstable(model, grid, rates).tolist() == [2]
