"""Quantities of other packages: their unit is heeded, or they are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pint
import pytest
import quantities as pq

import jaxnlif as jn

UNITS = jn.Units(membrane_time=20.0, rest=-65.0, scale=10.0, learning_time=200.0)
PINT = pint.UnitRegistry()


class Dimension:
    """The dimension of a quantity of Brian2."""

    def __init__(self, **exponents):
        self.exponents = exponents

    def get_dimension(self, base):
        return self.exponents.get(base, 0)


class Brian(np.ndarray):
    """A quantity of Brian2: an array of SI units, which NumPy takes as bare numbers."""

    def __new__(cls, values, **exponents):
        quantity = np.asarray(values, float).view(cls)
        quantity.dim = Dimension(**exponents)
        return quantity

    def __array_finalize__(self, other):
        self.dim = getattr(other, "dim", None)

    def has_same_dimensions(self, other):
        return self.dim.exponents == other.dim.exponents

    @property
    def is_dimensionless(self):
        return not self.dim.exponents


VOLT = {"length": 2, "mass": 1, "time": -3, "current": -1}
IN_SI = {
    "brian2": lambda x, unit: Brian(x, **{"V": VOLT, "s": {"time": 1}, "Hz": {"time": -1}}[unit]),
    "pint": lambda x, unit: PINT.Quantity(x, unit),
    "quantities": lambda x, unit: pq.Quantity(x, unit),
}


@pytest.fixture(params=IN_SI)
def of(request):
    """Makes quantities in SI units, as one of the packages does."""
    return IN_SI[request.param]


def test_methods_of_units_heed_the_unit_of_a_quantity(of):
    for method in (UNITS.voltage, UNITS.drive, UNITS.weight, UNITS.noise):
        np.testing.assert_allclose(method(of(5e-3, "V")), method(5.0), rtol=1e-12)
        np.testing.assert_allclose(method(of([5e-3, 7e-3], "V")), method([5.0, 7.0]), rtol=1e-12)
        np.testing.assert_allclose(method([of(5e-3, "V")] * 2), method([5.0, 5.0]), rtol=1e-12)
    np.testing.assert_allclose(UNITS.time(of(5e-3, "s")), 0.025, rtol=1e-12)
    np.testing.assert_allclose(UNITS.rate(of(50.0, "Hz")), 1.0, rtol=1e-12)


def test_units_themselves_are_made_of_quantities(of):
    units = jn.Units(
        membrane_time=of(0.02, "s"),
        rest=of(-0.065, "V"),
        scale=of(0.01, "V"),
        learning_time=of(0.2, "s"),
    )
    for name in ("membrane_time", "rest", "scale", "learning_time"):
        assert getattr(units, name) == pytest.approx(getattr(UNITS, name), rel=1e-12)


def test_other_units_of_the_same_kind():
    assert UNITS.rate(PINT.Quantity(0.05, "1/ms")) == pytest.approx(1.0)
    assert UNITS.rate(0.05 / pq.ms) == pytest.approx(1.0)
    assert UNITS.time(PINT.Quantity(5, "ms")) == pytest.approx(0.025)
    assert UNITS.voltage(-65000 * pq.uV) == pytest.approx(0.0)


def test_a_quantity_around_a_traced_number_is_differentiable():
    slope = jax.grad(lambda x: UNITS.drive(PINT.Quantity(x, "V")))(jnp.asarray(0.01))
    np.testing.assert_allclose(slope, 100.0, rtol=1e-6)


def test_quantities_of_another_kind_are_refused(of):
    for call, argument, kind in (
        (lambda: UNITS.time(of(5e-3, "V")), "ms", "a time, as numbers are in ms"),
        (lambda: UNITS.drive(of(5e-3, "s")), "mV", "a potential, as numbers are in mV"),
        (lambda: UNITS.rate(of(5e-3, "s")), "Hz", "a rate, as numbers are in Hz"),
        (
            lambda: jn.Units(membrane_time=of(1.0, "V"), rest=0.0, scale=1.0),
            "membrane_time",
            "a time, as numbers are in ms",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{argument} = .*: must be {kind}$"):
            call()
    with pytest.raises(ValueError, match="mV = 5: has no unit, where others of it have one"):
        UNITS.drive([5, of(5e-3, "V")])


GRID = jn.Grid(jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12))
ELSEWHERE = {
    "delay": lambda x: jn.Network(delay=x),
    "drive": lambda x: jn.Network(drive=x),
    "noise": lambda x: jn.stationary.firing_rate(0.0, x),
    "weight": lambda x: jn.stationary.self_consistent_rates(x, 0.0),
    "minimum": lambda x: jn.VoltageGrid(x, 2.0, reset=1.0, num=12),
    "values": lambda x: jn.Table([0.0, 1.0], [x, x]),
    "ts": lambda x: jn.SaveAt([x]),
    "std": lambda x: jn.losses.Rate([0.0, 1.0], [1.0, 1.0], std=x),
    "v mean": lambda x: jn.gaussian(GRID, v=(x, 0.5)),
    "tau": jn.spikes.LIF,
    "t1": lambda x: jn.solve(
        jn.Network(weight=0.0), jn.FluxShift(GRID), y0=jn.at_reset(GRID), t1=x, dt=0.1
    ),
    "time": UNITS.time_ms,
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_where_numbers_have_no_unit_quantities_are_refused(of, name):
    quantity = of(0.5, "V")
    # Not the runtime checks of the tests: what a user sees.
    with pytest.raises(ValueError, match=f"^{name} = .*: has a unit; .* a method of jaxnlif.Units"):
        _unchecked(ELSEWHERE[name])(quantity)


def _unchecked(function):
    """The function without the types that tests check while it runs."""
    from jaxtyping import config

    def call(*arguments):
        config.update("jaxtyping_disable", True)
        try:
            return function(*arguments)
        finally:
            config.update("jaxtyping_disable", False)

    return call


def test_quotients_of_quantities_are_numbers():
    ratio = PINT.Quantity(5, "mV") / PINT.Quantity(2, "mV")
    assert float(jn.Network(drive=ratio).drive.value) == 2.5
    assert float(jn.Network(drive=5 * pq.mV / (2 * pq.mV)).drive.value) == 2.5
    with pytest.raises(ValueError, match=r"drive = .*: has a unit"):
        jn.Network(drive=5 * pq.mV / (2 * pq.V))
