"""Records of fixed size."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnlif.integrate.log import Event, Log, Spike


def empty(capacity):
    return Log.empty(Event(jnp.zeros(()), jnp.zeros(())), capacity)


def test_rows_are_kept_in_order():
    log = empty(4)
    for n in range(5):
        log = log.append(jnp.asarray(n % 2 == 0), Event(jnp.asarray(float(n)), jnp.asarray(0.5)))
    np.testing.assert_array_equal(log.table().time, [0.0, 2.0, 4.0])
    assert not log.overflowed


def test_several_rows_at_once():
    log = Log.empty(Spike(jnp.zeros(()), jnp.zeros((), jnp.int32)), 4)
    mask = jnp.array([True, False, True])
    rows = Spike(jnp.full(3, 0.5), jnp.arange(3))
    log = log.extend(mask, rows).extend(mask, rows)
    np.testing.assert_array_equal(log.table().neuron, [0, 2, 0, 2])


def test_full_logs_keep_what_they_have_and_say_so():
    log = empty(2)
    for n in range(3):
        log = log.append(jnp.asarray(True), Event(jnp.asarray(float(n)), jnp.asarray(1.0)))
    assert log.overflowed
    np.testing.assert_array_equal(log.table().time, [0.0, 1.0])


def test_a_traced_table_has_every_row():
    def times(value):
        return empty(3).append(jnp.asarray(True), Event(value, value)).table().time

    assert jax.jit(times)(jnp.asarray(2.0)).shape == (3,)


def test_a_batch_keeps_every_row():
    def log(value):
        return empty(3).append(value > 0, Event(value, value))

    batch = jax.vmap(log)(jnp.array([2.0, -1.0]))
    assert batch.capacity == 3
    np.testing.assert_array_equal(batch.table().time, [[2.0, 0, 0], [0, 0, 0]])
