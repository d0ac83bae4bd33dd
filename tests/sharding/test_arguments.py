"""What `sharding` may be, and what is refused before anything compiles."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

import jaxnlif as jn
from jaxnlif.density.cells import inputs_of
from jaxnlif.density.flux import shift_flux
from jaxnlif.execution import Kernels
from jaxnlif.machine.layout import layout_of
from jaxnlif.machine.machine import HERE, Machine
from jaxnlif.model import Leaky
from jaxnlif.tridiagonal.sharded import solve_along_weights

GRID = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24), w=jn.WeightGrid(0.0, 1.0, num=10))
LINE = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=90))
NETWORK = jn.Network(response=jn.Saturating(), learning=jn.Hebbian(0.3), epsilon=1e-2)
FIXED = jn.Network(weight=0.5)


def mesh_of(*shape, names=("a", "b")):
    """A mesh of so many times the same device: enough for what is refused."""
    return Mesh(np.full(shape, jax.devices()[0]), names[: len(shape)])


def run(sharding, solver=None, network=NETWORK, grid=GRID, **arguments):
    w = {"w": (0.3, 0.02)} if grid.w else {}
    return jn.solve(
        network,
        jn.FluxShift(grid) if solver is None else solver,
        y0=jn.gaussian(grid, v=(-1.0, 0.5), **w),
        t1=0.2,
        dt=0.1,
        saveat=jn.SaveAt(num=2),
        sharding=sharding,
        **arguments,
    )


@pytest.mark.parametrize("sharding", [8, "w", PartitionSpec("a"), jax.devices()[0]])
def test_neither_a_mesh_nor_a_sharding(sharding):
    with pytest.raises(ValueError, match=r"sharding = .*must be a jax.sharding.Mesh"):
        run(sharding)


def test_a_mesh_without_devices():
    sharding = NamedSharding(AbstractMesh((2,), ("a",)), PartitionSpec("a"))
    with pytest.raises(ValueError, match=r"must be a jax.sharding.Mesh"):
        run(sharding)


def test_several_axes_without_saying_which():
    with pytest.raises(ValueError, match=r"axes \['a', 'b'\].*say which of them, as NamedSharding"):
        run(mesh_of(2, 5))


@pytest.mark.parametrize("spec", [PartitionSpec(), PartitionSpec("a", "b")])
def test_a_spec_that_names_no_axis_or_two(spec):
    with pytest.raises(ValueError, match=r"its spec must name the one axis"):
        run(NamedSharding(mesh_of(2, 5), spec))


def test_a_mesh_that_does_not_divide_the_weights():
    with pytest.raises(
        ValueError, match=r"4 devices along 'a' do not divide .*10.*such as 8 or 12"
    ):
        run(mesh_of(4))
    with pytest.raises(ValueError, match=r"12 devices along 'a' .*such as 12"):
        run(mesh_of(12))


@pytest.mark.parametrize(
    "solver", [jn.Particles(10, LINE), jn.MultiScale(jn.FluxShift(LINE), jn.Particles(10))]
)
def test_a_mesh_that_does_not_divide_the_particles(solver):
    with pytest.raises(ValueError, match=r"4 devices .*num of Particles = 10.*such as 8 or 12"):
        run(mesh_of(4), solver, FIXED, LINE, key=jax.random.key(0))


def test_a_density_without_a_weight_axis():
    with pytest.raises(ValueError, match=r"sharding: a density without a weight axis"):
        run(mesh_of(2), network=FIXED, grid=LINE)


def test_one_axis_of_several_is_named():
    layout = layout_of(NamedSharding(mesh_of(2, 5), PartitionSpec(None, "b")))
    assert (layout.axis, layout.parts) == ("b", 5)
    assert layout_of(NamedSharding(mesh_of(2, 5), PartitionSpec(("a",)))).parts == 2


@pytest.mark.parametrize("kind", jax.sharding.AxisType.__members__.values())
def test_a_mesh_of_one_device_with_axes_of_any_kind(kind):
    mesh = jax.make_mesh((1,), ("a",), axis_types=(kind,))
    one, other = run(None), run(mesh)
    np.testing.assert_allclose(other.rates, one.rates, rtol=1e-5)
    np.testing.assert_allclose(other.saved, one.saved, rtol=1e-5, atol=1e-6)
    assert other.solver == run(None).solver


def test_substitution_over_blocks_of_weights_solves(dtype):
    rng = np.random.default_rng(0)
    up, down = (jnp.asarray(rng.uniform(0, 50, (10, 1)), dtype) for _ in range(2))
    rhs = jnp.asarray(rng.uniform(0, 1, (3, 10)), dtype).at[:, 4].set(0)
    layout = layout_of(mesh_of(1))
    split = Machine(layout=layout)
    solved = jax.jit(lambda rhs: solve_along_weights(up, down, rhs, split))(rhs)
    expected = solve_along_weights(up, down, rhs, HERE)
    np.testing.assert_allclose(solved, expected, rtol=50 * float(np.finfo(dtype).eps))
    assert np.all(np.asarray(solved) >= 0)


def test_on_a_gpu_every_device_steps_its_part_in_one_kernel(dtype):
    """Seen in the program, without a GPU."""
    v = jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=60, dtype=dtype)
    layout, one = layout_of(mesh_of(1)), jnp.ones((), dtype)
    step = layout.by_part(partial(shift_flux, v, machine=Machine(Kernels())), rank=2)
    inputs = inputs_of(v, Leaky(), one, jnp.ones(256, dtype), one)
    traced = jax.jit(step).trace(inputs, jnp.ones((60, 256), dtype), None)
    program = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert program.count("custom_call @mosaic_gpu") == 1
    assert "stablehlo.while" not in program
