"""What models, grids, solvers and solutions print."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnlif as jn
from jaxnlif import _module

LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60))


class Own(eqx.Module):
    """A drive of a user, which knows nothing of the module that prints numbers."""

    values: jax.Array

    def __call__(self, t, w):
        return jnp.interp(w, jnp.linspace(0.0, 1.0, self.values.size), self.values)


def test_a_model_prints_its_numbers():
    model = jn.Network(
        drive=jn.Bump(base=1.0, height=3.0, center=0.3, width=0.1),
        learning=jn.Hebbian(gain=0.3),
        epsilon=1e-3,
    )
    assert str(model) == (
        "Network(\n"
        "  noise=1.0,\n"
        "  drive=Bump(base=1.0, height=3.0, center=0.3, width=0.1),\n"
        "  response=Identity(),\n"
        "  learning=Hebbian(gain=0.3),\n"
        "  epsilon=0.001,\n"
        "  noise_slope=0.0,\n"
        "  membrane=Leaky(),\n"
        ")"
    )
    assert "weight=-2.5" in repr(jn.Network(weight=-2.5))


def test_drives_of_the_user_and_long_arrays_print_theirs():
    assert "drive=Own(values=[0.0, 1.0, 2.0])" in repr(jn.Network(drive=Own(jnp.arange(3.0))))
    long = repr(jn.Tabulated(np.linspace(-1, 1, 40), w=np.linspace(0, 1, 40)))
    assert "[40] from -1.0 to 1.0" in long
    assert "drive=<lambda>" in repr(jn.Network(drive=lambda t, w: w))


def test_grids_and_solvers_print_their_numbers():
    text = repr(jn.FluxShift(jn.Grid(v=LINE.v, w=jn.WeightGrid(0.0, 1.2, num=40)), jn.Implicit()))
    for part in ("minimum=-4.0", "threshold=2.0", "num=60", "maximum=1.2", "Implicit(", "max_eval"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 88


def test_what_has_no_numbers_prints_shapes():
    model = jn.Network(weight=0.5)
    seen = []
    jax.jit(lambda m: seen.append(repr(m)))(model)
    jax.vmap(lambda b: seen.append(repr(jn.Network(weight=b))))(jnp.ones(3))
    seen.append(repr(jax.eval_shape(lambda: model)))
    assert all("weight=float" in text and "[]" in text for text in seen)
    assert "float" in _module.text(jnp.ones((0,))[None])
    assert "key<fry>" in _module.text(jax.random.key(0))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64(3), "3.0"),
        (np.int32(3), "3"),
        (np.float32(0.1), "0.1"),
        (np.float64(1e-12), "1e-12"),
        (np.float64(np.nan), "nan"),
        (np.array(True), "True"),
        ({"a": (1,), "b": [None, np.zeros(2)]}, "{'a': (1,), 'b': [None, [0.0, 0.0]]}"),
    ],
)
def test_numbers_are_short(value, text):
    assert _module.text(value) == text


def run(weight, y0=(-1.0, 0.5)):
    model, solver = jn.Network(weight=weight), jn.FluxShift(LINE)
    times = {"t1": 0.5, "dt": 0.05, "saveat": jn.SaveAt(num=3)}
    return jn.solve(model, solver, y0=jn.gaussian(LINE, v=y0), throw=False, **times)


def test_a_solution_prints_how_it_ended():
    sol = run(0.5)
    assert repr(sol) == (
        f"Solution(completed at t = 0.5, 3 saved times, last rate {float(sol.rate[-1]):.4g})"
    )
    doubtful = run(0.5, y0=(-3.9, 0.5))
    assert doubtful.warnings[jn.WarningFlag.voltage_wall]
    assert "warnings: voltage wall" in repr(doubtful)
    assert repr(jax.tree.map(lambda x: None, sol)).startswith("Solution(")


def test_a_batch_of_solutions_prints_how_they_ended_and_plots_nothing():
    batch = jax.vmap(run)(jnp.array([0.2, 0.5]))
    assert repr(batch) == "Solution((2,) runs with 3 saved times: 2 completed)"
    with pytest.raises(ValueError, match="sol: holds a batch of runs"):
        batch.plot()


def test_a_solution_plots_itself():
    assert len(run(0.5).plot(size=jn.plot.COLUMN).axes) == 2
