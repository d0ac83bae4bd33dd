"""Observed orders of convergence: 2 in voltage, 1 in time, 1 in weight."""

import itertools

import numpy as np
import pytest

import jaxnlif as jn

pytestmark = pytest.mark.slow


def orders(solutions):
    """log₂ of the ratios of successive differences under halving."""
    distances = [
        np.max(np.abs(np.asarray(b) - np.asarray(a))) for a, b in itertools.pairwise(solutions)
    ]
    return np.log2(np.array(distances[:-1]) / np.array(distances[1:]))


def unstructured(num, steps, coupling, mean=0.0):
    grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=num))
    return jn.solve(
        jn.Network(noise=1.0, weight=0.5),
        jn.FluxShift(grid, coupling),
        y0=jn.gaussian(grid, v=(mean, 0.25)),
        t1=0.5,
        dt=0.5 / steps,
        saveat=jn.SaveAt(num=2),
    )


def test_second_order_in_voltage():
    # The case of Hu, Liu, Xie and Zhou. The coarsest nodes are common to all grids.
    found = orders(
        [unstructured(48 * 2**k, 50, jn.Implicit()).density(-1)[:: 2**k, 0] for k in range(4)]
    )
    assert np.all(found >= 1.9), found


def test_second_order_of_the_rate_in_voltage():
    # Their start does not vanish at the threshold, so its rate grows like 1/h, and lagged coupling
    # sees that rate; hence a start farther away.
    found = orders([unstructured(48 * 2**k, 50, jn.Lagged(), -1.0).rate[-1] for k in range(4)])
    assert np.all(found >= 1.9), found


@pytest.mark.parametrize("coupling", [jn.Lagged(), jn.Implicit()])
def test_first_order_in_time(coupling):
    found = orders([unstructured(96, 40 * 2**k, coupling).density(-1) for k in range(5)])
    assert np.all(found >= 0.95), found


def learning(num_weights, steps, coupling):
    grid = jn.Grid(
        v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=30), w=jn.WeightGrid(0.0, 1.0, num=num_weights)
    )
    network = jn.Network(
        noise=1.0,
        drive=jn.Bump(base=1.0, height=2.0, center=0.3, width=0.2),
        response=jn.Saturating(),
        learning=jn.Hebbian(gain=0.3),
        epsilon=0.1,
    )
    return jn.solve(
        network,
        jn.FluxShift(grid, coupling),
        y0=jn.gaussian(grid, v=(-1.0, 0.5), w=(0.3, 0.02)),
        t1=1.0,
        dt=1 / steps,
        saveat=jn.SaveAt(num=2, fn=None),
    )


@pytest.mark.parametrize("coupling", [jn.Lagged(), jn.Implicit()])
def test_first_order_in_time_while_learning(coupling):
    weights = [learning(50, 40 * 2**k, coupling).weights[-1] for k in range(6)]
    limit = 2 * weights[-1] - weights[-2]
    # Long steps are better than the order says: half the error that one part of each would leave.
    assert np.mean(np.abs(weights[0] - limit)) < 0.005
    found = orders(weights[2:])
    assert np.all(found >= 0.95), found


def test_first_order_in_weight():
    # Means over the coarsest cells, and in L¹: the learned front is a kink, where the maximum
    # norm would see less.
    weights = [
        np.asarray(learning(50 * 2**k, 50, jn.Lagged()).weights[-1]).reshape(50, -1).mean(axis=1)
        for k in range(4)
    ]
    distances = [np.sum(np.abs(b - a)) for a, b in itertools.pairwise(weights)]
    found = np.log2(np.array(distances[:-1]) / np.array(distances[1:]))
    assert np.all(found >= 0.9), found
