"""Circuits from tables in mV, ms and Hz."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import jaxnlif as jn

from .test_quantities import IN_SI, PINT, of  # noqa: F401

TABLES = {
    "sizes": {"E": 400, "I": 100},
    "in_degree": [[40.0, 10.0], [50.0, 20.0]],
    "psp": [0.2, -0.8],
    "external_in_degree": [100, 80],
    "external_rate": [8.0, 10.0],
    "external_psp": 0.5,
    "membrane_time": [20.0, 10.0],
    "threshold": [-50.0, -48.0],
    "reset": [-60.0, -58.0],
    "rest": [-65.0, -64.0],
}


def circuit(**changed):
    return jn.Circuit(**(TABLES | changed))


def test_a_small_table_by_hand():
    made = circuit(refractory=[2.0, 1.0], synaptic_time=[0.5, 4.0], delay=[1.5, 0.75])
    network, units = made.network, made.units
    assert (units.membrane_time, units.rest, units.scale) == (20.0, -65.0, 10.0)
    assert made.sizes == (400, 100)
    assert made.names == ("E", "I")
    assert made.index("I") == 1
    expected = {
        # τ_k K J / (τ_0 S), that is 40 · 0.2 / 10 …
        "weight": [[0.8, -0.8], [0.5, -0.8]],
        # τ_k K J² / (2 τ_0 S²)
        "noise_slope": [[0.008, 0.032], [0.005, 0.032]],
        # τ_k K J² ν / (2 S²), with 16 and 8 spikes in a membrane time of 20 and 10 ms
        "noise": [0.02, 0.01],
        "threshold": [1.5, 1.7],
        "reset": [0.5, 0.7],
        "time_constant": [1.0, 0.5],
        "synaptic_time_constant": [0.025, 0.2],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(network, name), values, rtol=1e-13, err_msg=name)
    # 16 · 0.5 / 10; 8 · 0.5 / 10 and 1 mV by which the leak of I draws higher
    np.testing.assert_allclose(network.drive.value, [0.8, 0.5], rtol=1e-13)
    np.testing.assert_allclose(network.refractory.duration, [0.1, 0.05], rtol=1e-13)
    np.testing.assert_allclose(network.delay.duration, [[0.075, 0.0375]] * 2, rtol=1e-13)


def test_numbers_stay_in_the_precision_of_jax(dtype):
    made = circuit(delay=1.5, delay_std=0.5, refractory=2.0, synaptic_time=1.0)
    leaves = jax.tree.leaves(eqx.filter(made, eqx.is_array))
    assert {leaf.dtype for leaf in leaves} == {dtype}


def test_spread_delays():
    one = circuit(delay=1.5, delay_std=0.5).network.delay
    assert isinstance(one, jn.NormalDelay)
    assert one.duration.shape == ()
    many = circuit(
        delay=1.5, delay_std=[0.5, 0.2], delay_minimum=0.1, delay_slots=300
    ).network.delay
    np.testing.assert_allclose(many.duration, np.full((2, 2), 0.075))
    np.testing.assert_allclose(many.std, [[0.025, 0.01]] * 2)
    np.testing.assert_allclose(many.minimum, np.full((2, 2), 0.005))
    assert many.slots == 300


def test_in_degrees_of_probabilities():
    """N_k N_l (1 - (1 - 1/(N_k N_l))^(K N_k)): how likely a pair is among K N_k draws."""
    C = np.array([[0.1, 0.5], [0.0, 0.999]])
    made = circuit(in_degree=None, connection_probability=C)
    pairs = np.outer([400, 100], [400, 100])
    draws = np.asarray(made.in_degree) * np.array([[400], [100]])
    np.testing.assert_allclose(1 - (1 - 1 / pairs) ** draws, C, atol=1e-9)


def test_smaller_networks_keep_their_in_degrees():
    full = circuit(in_degree=None, connection_probability=0.1)
    small = circuit(in_degree=None, connection_probability=0.1, size_fraction=0.1)
    assert small.sizes == (40, 10)
    assert eqx.tree_equal(small.network, full.network)


# ---- what varies, what is differentiated -------------------------------------------------------


def test_an_external_rate_that_varies_moves_drive_and_noise():
    made = circuit(external_rate=lambda ms: jnp.array([8.0, 10.0]) * (1 + ms / 100))
    still, network = circuit().network, made.network
    w = jnp.zeros(2)
    t = jnp.asarray(2.5)  # 50 ms
    np.testing.assert_allclose(network.external(0 * t, w), still.drive.value, rtol=1e-13)
    np.testing.assert_allclose(network.external(t, w), [1.2, 0.7], rtol=1e-13)
    np.testing.assert_allclose(network.diffusion(w, t), 1.5 * still.noise, rtol=1e-13)
    negative = circuit(external_rate=lambda ms: 8.0 - ms).network
    assert np.isnan(negative.external(t, w)).all()
    assert np.isnan(negative.diffusion(w, t)).all()


class Step(eqx.Module):
    """A rate that jumps at 30 ms."""

    height: Float[Array, ""]

    def __call__(self, ms):
        return PINT.Quantity(jnp.where(ms < 30, 0.008, self.height), "1/ms")

    def jumps(self):
        return jnp.array([30.0])


def test_a_rate_with_parameters_units_and_jumps():
    @jax.grad
    def slope(height):
        network = circuit(external_rate=Step(height)).network
        return jnp.sum(network.external(jnp.asarray(2.0), jnp.zeros(2)))

    network = circuit(external_rate=Step(jnp.asarray(0.01))).network
    np.testing.assert_allclose(network.jumps(), [1.5])
    np.testing.assert_allclose(network.external(jnp.asarray(1.0), jnp.zeros(2))[0], 0.8)
    # 2 and 0.8 spikes in a membrane time per Hz, of 0.05 each, where 1/ms are 1000 Hz
    np.testing.assert_allclose(slope(jnp.asarray(0.01)), 1000 * (2 + 0.8) * 0.05, rtol=1e-12)


def test_circuits_are_differentiable_and_batched():
    def weights(psp, in_degree):
        return circuit(psp=psp, in_degree=in_degree).network.weight.sum()

    psp, K = jnp.array([0.2, -0.8]), jnp.asarray(TABLES["in_degree"])
    slopes = jax.jit(jax.grad(weights, (0, 1)))(psp, K)
    np.testing.assert_allclose(slopes[0], [4.0 + 2.5, 1.0 + 1.0], rtol=1e-12)
    np.testing.assert_allclose(slopes[1], [[0.02, -0.08], [0.01, -0.04]], rtol=1e-12)
    many = jax.vmap(lambda g: jn.circuits.brunel(g, 2.0, scale=1.0).network)(jnp.array([3.0, 5.0]))
    np.testing.assert_allclose(many.weight.sum(2)[:, 0], [25.0, -25.0], rtol=1e-12)


# ---- quantities --------------------------------------------------------------------------------


def test_quantities_are_converted(of):  # noqa: F811
    made = jn.Circuit(
        sizes=[400, 100],
        names=["E", "I"],
        in_degree=TABLES["in_degree"],
        psp=of([2e-4, -8e-4], "V"),
        external_in_degree=[100, 80],
        external_rate={"I": of(10.0, "Hz"), "E": of(8.0, "Hz")},
        external_psp=of(5e-4, "V"),
        membrane_time=of([0.02, 0.01], "s"),
        threshold=of([-0.05, -0.048], "V"),
        reset=[of(-0.06, "V"), of(-0.058, "V")],
        rest=of([-0.065, -0.064], "V"),
        refractory=of(2e-3, "s"),
        synaptic_time=of(5e-4, "s"),
        delay=of([[1e-3, 2e-3], [3e-3, 4e-3]], "s"),
        delay_std=of(5e-4, "s"),
        delay_minimum=of(1e-4, "s"),
        scale=of(0.01, "V"),
    )
    bare = circuit(
        refractory=2.0,
        synaptic_time=0.5,
        delay=[[1.0, 2.0], [3.0, 4.0]],
        delay_std=0.5,
        delay_minimum=0.1,
    )
    assert eqx.tree_equal(made, bare, rtol=1e-12, atol=1e-12)


def test_a_matrix_of_quantities_as_objects():
    mV = PINT.Quantity(1.0, "mV")
    psp = np.empty((2, 2), object)
    psp[:] = [[0.2 * mV, -0.8 * mV]] * 2
    assert eqx.tree_equal(circuit(psp=psp), circuit(), rtol=1e-12, atol=1e-12)


VOLTAGES = "psp", "external_psp", "threshold", "reset", "rest", "scale"
TIMES = "membrane_time", "refractory", "synaptic_time", "delay"


@pytest.mark.parametrize("name", [*VOLTAGES, *TIMES, "external_rate"])
def test_quantities_of_another_kind_are_refused(of, name):  # noqa: F811
    kind = "a potential" if name in VOLTAGES else "a time" if name in TIMES else "a rate"
    wrong = of(1.0, "s") if name in (*VOLTAGES, "external_rate") else of(1.0, "V")
    with pytest.raises(ValueError, match=f"^{name} = .*: must be {kind}, as numbers are in "):
        circuit(**{name: wrong})


@pytest.mark.parametrize("name", ["sizes", "in_degree", "external_in_degree", "size_fraction"])
def test_numbers_have_no_unit(of, name):  # noqa: F811
    value = [of(100.0, "s")] * 2 if name == "sizes" else of(0.5, "V")
    with pytest.raises(ValueError, match=f"^{name} = .*: has a unit"):
        circuit(**{name: value})


# ---- what is refused ---------------------------------------------------------------------------

MATRIX = [[0.2, 0.2], [-0.8, -0.8]]  # (from, to)
RECURSIVE = []
RECURSIVE.append(RECURSIVE)
REFUSED = [
    ({"sizes": 400}, r"sizes: of shape \(\): must be one for each population"),
    ({"sizes": []}, r"sizes: of shape \(0,\): must be one for each population"),
    ({"sizes": {"E": 400, "I": -1}}, "sizes = -1 of 'I': must be a positive whole number"),
    ({"sizes": [400, 0.5]}, "sizes = 0.5 of population 1: must be a positive whole number"),
    ({"sizes": [400, 100], "names": ["E", "E"]}, "names: 'E' is there twice"),
    ({"sizes": [400, 100], "names": ["E"]}, r"names = \['E'\]: must be 2 texts"),
    ({"names": ["E", "I"]}, "names: are those of sizes; must be None"),
    ({"in_degree": None}, "connection_probability, in_degree: one of the two must be given"),
    ({"connection_probability": 0.1}, "connection_probability, in_degree: one of the two"),
    ({"in_degree": np.ones((2, 3))}, r"in_degree: of shape \(2, 3\): must be a number, one for"),
    ({"in_degree": [[1, 2], [3, -4]]}, "in_degree = -4 to 'I' from 'I': must not be negative"),
    ({"psp": np.ones(3)}, r"psp: of shape \(3,\): .* one for each source, \(2,\), or one for"),
    (
        {"psp": MATRIX},
        r"psp: its rows, and not its columns, are of one sign; must be \(to, from\)",
    ),
    ({"psp": [0.2, np.nan]}, "psp = nan from 'I': must be finite"),
    ({"external_psp": [0.5, 0.0]}, "external_psp = 0 of 'I': must not be zero: external spikes"),
    ({"external_in_degree": [0, 80]}, "external_in_degree = 0 of 'E': must be positive: ext"),
    ({"external_rate": [8.0, -1.0]}, "external_rate = -1 of 'I': must be positive: external"),
    ({"external_rate": {"E": 8.0}}, "external_rate: has nothing of population 'I'"),
    ({"external_rate": {"E": 8.0, "X": 1.0}}, "external_rate: population 'X' is not there, but E"),
    (
        {"sizes": [400, 100], "external_rate": {"E": 8.0}},
        "external_rate: is by name, but populations have no names",
    ),
    ({"external_rate": lambda ms: jnp.ones(3)}, r"external_rate: returns shape \(3,\): must be"),
    ({"external_rate": lambda ms: "8"}, "external_rate = '8': must be a number or an array"),
    ({"external_rate": lambda t, w: w}, "external_rate: must be a function of the time in ms"),
    ({"external_rate": lambda ms: float(ms)}, "external_rate: must be a function of the time"),
    (
        {"external_rate": lambda ms: PINT.Quantity(ms, "mV")},
        "external_rate = .*: must be a rate, as numbers are in Hz",
    ),
    ({"membrane_time": [20.0, 0.0]}, "membrane_time = 0 of 'I': must be positive"),
    ({"membrane_time": [20.0] * 3}, r"membrane_time: of shape \(3,\): must be .* \(2,\)"),
    ({"threshold": [-50.0, -59.0]}, "threshold = -59 of 'I': must be above reset"),
    ({"refractory": [2.0, -1.0]}, "refractory = -1 of 'I': must not be negative"),
    ({"refractory": [2.0, 0.0]}, "refractory = 0 of 'I': must be positive, or 0 for all"),
    ({"synaptic_time": [0.5, -1.0]}, "synaptic_time = -1 of 'I': must be positive"),
    ({"delay": [[1.0, 1.0], [-1.0, 1.0]]}, "delay = -1 to 'I' from 'E': must be positive"),
    ({"delay": 1.0, "delay_std": -0.5}, "delay_std = -0.5: must be positive"),
    ({"delay_std": 0.5}, "delay_std: needs delay"),
    ({"delay": 1.0, "delay_minimum": 0.1}, "delay_minimum: needs delay_std"),
    ({"delay_slots": 10}, "delay_slots: needs delay"),
    ({"psp": [[0.2, -0.8], RECURSIVE]}, "psp = .*: must be a number or an array of numbers"),
    ({"in_degree": 1e300, "psp": 1e300}, r"weight = inf at \[0, 0\]: must be finite"),
    ({"scale": -1.0}, "scale = -1: must be positive"),
    ({"size_fraction": 2.0}, "size_fraction = 2: must be above 0 and at most 1"),
    ({"size_fraction": 0.001}, "sizes = 400 of 'E': size_fraction = 0.001 leaves no neuron"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_refusals(changed, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        circuit(**changed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "probability", "message"),
    [
        ([4, 4], [[0.1, 1.2], [0.1, 0.1]], "= 1.2 to population 0 from population 1: must be at l"),
        ([4, 4], [0.1, -0.1], "= -0.1 from population 1: must be at least 0 and less than 1"),
        ([4, 4], 1.0, "= 1: must be at least 0 and less than 1; in_degree takes any number"),
        ([4, 1], 0.1, "= 0.1 to population 1 from population 1: must be 0 between single neurons"),
    ],
)
def test_refused_probabilities(sizes, probability, message):
    with pytest.raises(ValueError, match=f"^connection_probability {message}"):
        circuit(sizes=sizes, in_degree=None, connection_probability=probability)


def test_single_neurons_may_be_unconnected():
    C = [[0.1, 0.1], [0.1, 0.0]]
    made = circuit(sizes=[4, 1], in_degree=None, connection_probability=C)
    assert np.isfinite(made.in_degree).all()


def test_a_population_that_is_not_there():
    with pytest.raises(ValueError, match="population 'X' is not there, but E, I"):
        circuit().index("X")
    with pytest.raises(ValueError, match="population 'E' is not there: populations have no names"):
        circuit(sizes=[400, 100]).index("E")


def test_what_makes_units_and_sizes_is_not_traced():
    for name, value in (("membrane_time", 20.0), ("rest", -65.0), ("threshold", -50.0)):
        with pytest.raises(ValueError, match=f"^{name}.*: must be of plain numbers"):
            jax.grad(lambda x, name=name: circuit(**{name: x}).network.noise.sum())(value)


def test_adaptation_in_mV_and_ms():
    made = circuit(adaptation=[0.5, 0.0], adaptation_time=[100.0, 50.0])
    adaptation = made.network.adaptation
    np.testing.assert_allclose(adaptation.time_constant, [5.0, 2.5], rtol=1e-13)
    # At 10 Hz the input falls by 0.5 mV · 0.1 s · 10 Hz = 0.5 mV.
    lowered = adaptation.strength * made.units.rate(10.0) * made.units.scale
    np.testing.assert_allclose(lowered, [0.5, 0.0], rtol=1e-13)
    with pytest.raises(ValueError, match="adaptation: needs adaptation_time"):
        circuit(adaptation=0.5)
    with pytest.raises(ValueError, match="adaptation_time: needs adaptation"):
        circuit(adaptation_time=50.0)
