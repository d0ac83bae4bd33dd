"""Arrays that are none, or the wrong ones, given to everything public that takes numbers."""

from __future__ import annotations

import datetime
import decimal
import fractions
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from _report import Measured, equal_to

import jaxnlif as jn

V = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=12)
LINE, PLANE = jn.Grid(V), jn.Grid(V, jn.WeightGrid(0.0, 1.0, num=3))
START = np.asarray(jn.gaussian(LINE, v=(0.0, 0.5)))
TIMES, ONES = [0.0, 0.5, 1.0], np.ones(3)
UNITS = jn.Units(membrane_time=20.0, rest=-65.0, scale=10.0)
THETA = jn.spikes.Theta()
NET = jn.spikes.Recurrent(jn.spikes.LIF(), np.zeros((2, 2)), np.ones((2, 2)), max_events=8)


class Call(NamedTuple):
    """Something public, and arguments with which it works."""

    function: Callable[..., Any]
    arguments: dict[str, Any]


REQUIRED = {"arrays": equal_to(0)}


def arrays() -> Iterator[Measured]:
    """How many of 2000 odd arguments are neither refused in one line nor give finite numbers."""
    yield Measured("arrays", float(len(list(failures(2000, seed=1)))))


def failures(num: int, seed: int) -> Iterator[str]:
    """Of so many calls, each with one odd argument, those that fail otherwise than they should."""
    rng = np.random.default_rng(seed)
    calls = list(CALLS.items())
    for _ in range(num):
        name, call = calls[rng.integers(len(calls))]
        changed = str(rng.choice(list(call.arguments)))
        kind, value = odd(call.arguments[changed], rng)
        found = _outcome(call, changed, value)
        if found is not None:
            yield f"{name}({changed}: {kind}): {found}"


def _outcome(call: Call, changed: str, value: Any) -> str | None:
    """What is wrong with a call, if anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = call.function(**call.arguments | {changed: value})
        except (ValueError, jn.SolveError) as error:
            lines = str(error).splitlines()
            return None if len(lines) == 1 else f"{len(lines)} lines: {str(error)[:80]}"
        except Exception as error:  # whatever it is, it should be none
            return f"{type(error).__name__}: {str(error).splitlines()[:1]}"
    numbers = [np.asarray(x) for x in jax.tree.leaves(result) if hasattr(x, "dtype")]
    nan = any(x.dtype.kind == "f" and np.isnan(x).any() for x in numbers)
    return "gives NaN" if nan else None


# ---- odd values ------------------------------------------------------------------------------


class InMillivolts:
    """A number with a unit, as pint has them."""

    unitless, dimensionality = False, {"[mass]": 1}

    def __init__(self, magnitude: Any):
        self.magnitude = magnitude

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.magnitude, dtype)

    def __float__(self):
        return float(self.magnitude)

    def to(self, unit: str) -> InMillivolts:
        if unit != "mV":
            raise TypeError("is a potential")
        return self


def odd(good: Any, rng: np.random.Generator) -> tuple[str, Any]:
    """A kind of strange value, and one of that kind made of a good one."""
    grid = isinstance(good, jn.VoltageGrid)
    kinds = [*THINGS] if good is None or grid else [*THINGS, *CHANGES]
    kind = str(rng.choice(kinds))
    if kind in THINGS:
        return kind, THINGS[kind]
    with np.errstate(all="ignore"):
        return kind, CHANGES[kind](np.asarray(good, float), rng)


THINGS: dict[str, Any] = {
    "text": "loud",
    "number in a text": "0.5",
    "bytes": b"1",
    "true": True,
    "none": None,
    "dict": {"a": 1.0},
    "set": {1.0, 2.0},
    "function": abs,
    "class": float,
    "key": jax.random.key(0),
    "ragged": [[1.0], [2.0, 3.0]],
    "complex": 1 + 1j,
    "span": np.timedelta64(5, "ms"),
    "duration": datetime.timedelta(seconds=1),
    "date": np.datetime64("2020-01-01"),
    "decimal": decimal.Decimal("0.5"),
    "fraction": fractions.Fraction(1, 2),
    "beyond int64": 2**70,
    "beyond float64": 10**400,
    "object": object(),
}


def _with(entry: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    def change(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        array = array.copy()
        array.flat[rng.integers(max(array.size, 1)) : None][:1] = entry
        return array

    return change


def _masked(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ma.masked_array(array, mask=rng.random(array.shape) < 2)


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], Any]] = {
    "nan": _with(np.nan),
    "inf": _with(np.inf),
    "-inf": _with(-np.inf),
    "huge": _with(1e300),
    "hugely negative": _with(-1e300),
    "1e30": _with(1e30),
    "tiny": _with(1e-300),
    "negated": lambda array, _: -array,
    "zeros": lambda array, _: 0 * array,
    "longer": lambda array, _: np.append(array, 1.0),
    "shorter": lambda array, _: array.ravel()[:-1],
    "one axis more": lambda array, _: array[None],
    "backwards": lambda array, _: array.ravel()[::-1],
    "transposed": lambda array, _: array.T,
    "flat": lambda array, _: array.ravel(),
    "empty": lambda array, _: array.ravel()[:0],
    "complex array": lambda array, _: array + 1j,
    "bools": lambda array, _: array > 0,
    "texts": lambda array, _: array.astype(str),
    "objects": lambda array, _: np.full(array.shape, None),
    "floats as objects": lambda array, _: array.astype(object),
    "integers": lambda array, _: array.astype(np.int8),
    "unsigned": lambda array, _: np.abs(array).astype(np.uint64),
    "half": lambda array, _: array.astype(np.float16),
    "long": lambda array, _: array.astype(np.longdouble),
    "list": lambda array, _: array.tolist(),
    "array of JAX": lambda array, _: jax.numpy.asarray(array),
    "masked": _masked,
    "structured": lambda array, _: np.zeros(array.shape, [("v", float)]),
    "spans": lambda array, _: array.astype("timedelta64[ms]"),
    "quantity": lambda array, _: InMillivolts(array),
    "list of quantities": lambda array, _: [InMillivolts(1.0)] * max(array.size, 1),
}


# ---- what is called --------------------------------------------------------------------------


def _solved(**arguments: Any) -> Any:
    return jn.solve(jn.Network(weight=0.5), jn.FluxShift(LINE), **arguments).rate


def _particles(y0: Any) -> Any:
    solver = jn.Particles(4, LINE)
    key = jax.random.key(0)
    return jn.solve(jn.Network(weight=0.5), solver, y0=y0, t1=0.5, dt=0.25, key=key).rate


def _trial(times: Any, sources: Any, duration: Any) -> Any:
    inputs = jn.spikes.InputSpikes(times, sources)
    return NET.trial(inputs, duration=duration).events.times


def _unit(method: str, argument: str) -> Call:
    return Call(getattr(UNITS, method), {argument: [5.0, 6.0]})


_NEURON = {"drive": [0.5, 1.0, 1.5], "noise": 1.0, "threshold": 2.0, "reset": 1.0}
_NETWORK = {"weight": 0.5, "drive": 0.0, "noise": 1.0, "noise_slope": 0.1, "refractory": 0.1}

CALLS: dict[str, Call] = {
    "VoltageGrid": Call(
        jn.VoltageGrid, {"minimum": -4.0, "threshold": 2.0, "reset": 1.0, "num": 12, "dtype": None}
    ),
    "WeightGrid": Call(jn.WeightGrid, {"minimum": 0.0, "maximum": 1.0, "num": 4}),
    "Grid": Call(jn.Grid, {"v": V, "w": None, "dtype": None}),
    "Network": Call(
        jn.Network,
        dict.fromkeys(["noise", "drive", "epsilon", "weight", "noise_slope", "delay"], 0.5)
        | {"refractory": 0.5},
    ),
    "Constant": Call(jn.Constant, {"value": 1.0}),
    "Bump": Call(jn.Bump, dict.fromkeys(["base", "height", "center", "width"], 1.0)),
    "Pulse": Call(jn.Pulse, dict.fromkeys(["base", "height", "start", "duration"], 1.0)),
    "Sinusoid": Call(jn.Sinusoid, dict.fromkeys(["base", "amplitude", "period", "phase"], 1.0)),
    "Table": Call(jn.Table, {"knots": TIMES, "values": ONES}),
    "Tabulated": Call(jn.Tabulated, {"values": np.ones((3, 2)), "w": [0.0, 1.0], "t": TIMES}),
    "Hebbian": Call(jn.Hebbian, {"gain": 0.3}),
    "Delay": Call(jn.Delay, {"duration": 0.5, "slots": 9}),
    "ExponentialDelay": Call(jn.ExponentialDelay, {"duration": 0.5}),
    "Units": Call(
        jn.Units, {"membrane_time": 20.0, "rest": -65.0, "scale": 10.0, "learning_time": 20.0}
    ),
    **{
        f"Units.{method}": _unit(method, argument)
        for argument, methods in {
            "mV": ["voltage", "drive", "weight", "noise"],
            "ms": ["time"],
            "Hz": ["rate"],
            "voltage": ["voltage_mV"],
            "noise": ["noise_mV"],
            "time": ["time_ms"],
            "rate": ["rate_Hz"],
            "density": ["per_mV"],
        }.items()
        for method in methods
    },
    "gaussian": Call(
        lambda mean, variance, w: jn.gaussian(PLANE, v=(mean, variance), w=w),
        {"mean": 0.0, "variance": 0.5, "w": (0.5, 0.01)},
    ),
    "normalise": Call(lambda values: jn.normalise(PLANE, values), {"values": np.ones((12, 3))}),
    "from_samples": Call(
        lambda v, w: jn.from_samples(PLANE, v=v, w=w), {"v": TIMES, "w": [0.1, 0.2, 0.3]}
    ),
    "firing_rate": Call(jn.stationary.firing_rate, _NEURON | {"refractory": 0.1}),
    "density": Call(jn.stationary.density, {"v": 0.0} | _NEURON),
    "self_consistent_rates": Call(jn.stationary.self_consistent_rates, _NETWORK),
    "self_consistent_rate": Call(jn.stationary.self_consistent_rate, _NETWORK | {"guess": 0.1}),
    "SaveAt": Call(jn.SaveAt, {"ts": TIMES}),
    "SaveAt of a number": Call(jn.SaveAt, {"num": 3}),
    "losses.Rate": Call(jn.losses.Rate, {"ts": TIMES, "rate": ONES, "std": 0.1}),
    "losses.MeanRate": Call(jn.losses.MeanRate, {"edges": TIMES, "rate": [1.0, 2.0], "std": 0.1}),
    "losses.Rates": Call(jn.losses.Rates, {"ts": TIMES, "rates": np.ones((3, 2)), "std": 0.1}),
    "losses.Weights": Call(jn.losses.Weights, {"weights": ONES, "std": 0.1, "t": 0.5}),
    "losses.SpikeCounts": Call(
        jn.losses.SpikeCounts, {"edges": TIMES, "counts": [3, 4], "neurons": 2, "trials": 2}
    ),
    "losses.Intervals": Call(jn.losses.Intervals, {"edges": TIMES, "counts": [3, 4], "total": 9.0}),
    "power_spectrum": Call(
        jn.statistics.power_spectrum,
        {"ts": np.arange(8.0), "rate": np.sin(np.arange(8.0)), "segment": 4},
    ),
    "autocorrelation": Call(
        jn.statistics.autocorrelation, {"ts": np.arange(8.0), "rate": np.sin(np.arange(8.0))}
    ),
    "VoltageGrid.for_model": Call(
        lambda **arguments: jn.VoltageGrid.for_model(jn.Network(weight=0.2), **arguments),
        {"rtol": 0.01, "threshold": 2.0, "reset": 1.0, "t0": 0.0, "t1": 1.0},
    ),
    "statistics.intervals": Call(
        lambda **arguments: jn.statistics.intervals(jn.Network(weight=0.2), grid=V, **arguments),
        {"ts": TIMES, "rate": 0.1, "t": 0.0},
    ),
    "solve": Call(_solved, {"y0": START, "t0": 0.0, "t1": 0.5, "dt": 0.25}),
    "Particles": Call(_particles, {"y0": np.linspace(-1.0, 1.0, 4)}),
    "Cascade": Call(jn.Cascade, {"mass_step": 0.01, "max_events": 5, "max_substeps": 5}),
    "Between": Call(jn.Between, {"low": 0.0, "high": 1.0}),
    "Theta": Call(jn.spikes.Theta, {"tau": 1.0, "I0": 1.25}),
    "QIF": Call(jn.spikes.QIF, {"tau": 1.0}),
    "LIF": Call(jn.spikes.LIF, {"tau": 1.0}),
    "Recurrent": Call(
        lambda **arguments: jn.spikes.Recurrent(jn.spikes.QIF(), **arguments),
        {
            "weights": np.zeros((2, 2)),
            "input_weights": np.zeros((2, 3)),
            "initial": (np.zeros(2), np.zeros(2)),
        },
    ),
    "a trial": Call(
        _trial, {"times": np.array(TIMES), "sources": np.array([0, 1, 0]), "duration": 2.0}
    ),
    "sorted_spikes": Call(
        jn.spikes.sorted_spikes, {"times": np.array(TIMES), "sources": np.array([0, 1, 0])}
    ),
    "FeedForward": Call(
        lambda **arguments: jn.spikes.FeedForward(neuron=THETA, **arguments),
        {
            "layer_weights": [np.zeros((2, 3))],
            "initial": [np.ones(2)],
            "delays": [np.ones(3)],
            "max_spikes": 2,
        },
    ),
    "Volleys": Call(jn.spikes.Volleys, {"times": TIMES, "which": np.array([0, 1, 2])}),
    "BinnedSpikes": Call(jn.spikes.BinnedSpikes, {"times": TIMES, "counts": np.zeros((3, 2))}),
    "time_to_first_spike": Call(
        jn.spikes.time_to_first_spike,
        {
            "images": np.full((2, 3), 7, np.uint8),
            "bins": 2,
            "duration": 2.0,
            "first": 0.5,
            "last": 1.5,
        },
    ),
}

CHECKS = (arrays,)
