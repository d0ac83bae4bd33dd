"""Whatever the network and the step: no negative density, nothing infinite, no mass lost."""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaxnlif as jn

pytestmark = pytest.mark.slow  # the run in double precision makes both

STEPS = 3
DTYPES = [np.float32, np.float64]
# (voltages, weights, reset node): a network, one weight, and the smallest grid there is.
NETWORK, ONE_WEIGHT, SMALLEST = (24, 6, 18), (12, 1, 11), (2, 2, 1)
CASES = [
    (NETWORK, jn.Lagged()),
    (NETWORK, jn.Implicit()),
    (ONE_WEIGHT, jn.Lagged()),
    (SMALLEST, jn.Implicit()),
]


class Columns(jn.AbstractDrive):
    values: jax.Array

    def __call__(self, t, w):
        return self.values


class Mixed(jn.AbstractResponse):
    """σ(x) = linear · x + bounded · x/(1 + x): identity, saturating or steep."""

    linear: jax.Array
    bounded: jax.Array

    def __call__(self, rate):
        return self.linear * rate + self.bounded * rate / (1 + rate)


@eqx.filter_jit
def run(solver, numbers, density):
    model = jn.Network(
        noise=numbers["noise"],
        noise_slope=numbers["noise_slope"],
        drive=Columns(numbers["drive"]),
        response=Mixed(numbers["linear"], numbers["bounded"]),
        learning=jn.Hebbian(numbers["gain"]),
        epsilon=numbers["epsilon"],
    )
    dt = numbers["dt"]

    def step(state, n):
        going = solver.result(state) == jn.Result.completed  # what ends a run is its last step
        advance = functools.partial(solver.step, model, n * dt, dt)
        state = jax.lax.cond(going, advance, lambda same: same, state)
        return state, state.density

    start = solver.init(model, jnp.zeros_like(dt), density, None)
    return jax.lax.scan(step, start, jnp.arange(STEPS, dtype=dt.dtype))[1]


def decades(low, high):
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


def either_sign(magnitude):
    return st.tuples(st.sampled_from([-1.0, 1.0]), magnitude).map(math.prod)


@st.composite
def numbers(draw, num_weights):
    def per_weight(element):
        return np.array(draw(st.lists(element, min_size=num_weights, max_size=num_weights)))

    gain = st.one_of(st.just(0.0), either_sign(decades(-3, 4)))
    drive = st.one_of(st.floats(-5, 5), either_sign(decades(0, 3)))
    return {
        "noise": draw(st.one_of(decades(-5, 2), st.just(1.0))),  # 1e-5: Péclet numbers over 1000
        "noise_slope": draw(st.sampled_from([0.0, 0.0, 0.1, 10.0])),
        "drive": per_weight(drive),
        "linear": draw(st.sampled_from([0.0, 1.0, 5.0, 1e3])),
        "bounded": draw(st.sampled_from([0.0, 1.0, 100.0])),
        "gain": per_weight(gain) if draw(st.booleans()) else np.full(num_weights, draw(gain)),
        "epsilon": draw(st.one_of(st.just(0.0), decades(-15, 3))),
        "dt": draw(decades(-6, 6)),
    }


@st.composite
def densities(draw, shape, dtype):
    """Mass 1, but for subnormal entries added to it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.uniform(0, 1, shape) ** draw(st.sampled_from([1, 30]))
    kind = draw(st.sampled_from(["full", "empty columns", "silent", "one cell", "one column"]))
    column, row = (draw(st.integers(0, size - 1)) for size in (shape[1], shape[0]))
    if kind == "empty columns" and shape[1] > 1:
        keep = np.array(draw(st.lists(st.booleans(), min_size=shape[1], max_size=shape[1])))
        keep[column] = True
        values *= keep
    elif kind == "silent":  # no mass at the threshold: the rate is 0
        values[-1] = 0
    elif kind == "one cell":
        values[:] = 0
        values[row, column] = 1
    elif kind == "one column":
        values *= np.arange(shape[1]) == column
    values = values.astype(float) / values.sum()
    if draw(st.booleans()):
        values[values == 0] = float(np.finfo(dtype).smallest_subnormal) * draw(
            st.sampled_from([1, 1000])
        )
    return values


def check(shape, dtype, coupling, data):
    num_voltages, num_weights, reset = shape
    v = jn.VoltageGrid(0.0, 1.0, reset=reset / num_voltages, num=num_voltages, dtype=dtype)
    ends = data.draw(st.sampled_from([(-1.0, 1.0), (0.0, 1.0)]))
    grid = jn.Grid(v=v, w=jn.WeightGrid(*ends, num=num_weights))
    scaled = data.draw(densities(grid.shape, dtype)) / grid.cell_area
    density = jnp.asarray(scaled.astype(dtype))
    arguments = {
        name: jnp.asarray(np.asarray(value, dtype))
        for name, value in data.draw(numbers(num_weights)).items()
    }
    before = math.fsum(np.asarray(density, float).ravel())
    for n, new in enumerate(run(jn.FluxShift(grid, coupling), arguments, density)):
        new = np.asarray(new, float)
        assert np.all(np.isfinite(new))
        assert np.all(new >= 0)
        # Every voltage and weight is summed once, one after the other, in each step.
        tolerance = 4 * (n + 1) * (num_voltages + num_weights) * float(np.finfo(dtype).eps)
        assert math.fsum(new.ravel()) == pytest.approx(before, rel=tolerance)


COMMON = {
    "max_examples": 40,  # of 8 combinations, twice: 640 cases
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
every = pytest.mark.parametrize(
    ("shape", "dtype", "coupling"),
    [(shape, dtype, coupling) for shape, coupling in CASES for dtype in DTYPES],
    ids=lambda value: (
        getattr(value, "__name__", None)
        or ("x".join(map(str, value)) if isinstance(value, tuple) else type(value).__name__)
    ),
)


@every
@settings(derandomize=True, **COMMON)
@given(data=st.data())
def test_structure_is_kept_for_fixed_cases(shape, dtype, coupling, data):
    check(shape, dtype, coupling, data)


@every
@settings(**COMMON)
@given(data=st.data())
def test_structure_is_kept_for_fresh_cases(shape, dtype, coupling, data):
    check(shape, dtype, coupling, data)
