"""What is left when the weights to neurons without a target are cut."""

import jax.numpy as jnp
import numpy as np

from jaxnlif.experiments import spiketimes_cut, spiketimes_recurrent


def trained():
    """Some weights, as of the last of two trials."""
    rng = np.random.default_rng(3)
    n = spiketimes_recurrent.NEURONS
    history = {
        "weights": np.stack([np.zeros((n, n)), rng.normal(0, 0.7, (n, n))]),
        "potential": rng.normal(0, 0.2, (2, n)),
        "current": rng.normal(0, 0.2, (2, n)),
    }
    return spiketimes_recurrent.task(0), history


def test_others_answer_to_their_inputs_alone():
    task, history = trained()
    cut = spiketimes_cut.compared(task, history)
    learned = spiketimes_recurrent.learned_at(history, -1)
    num = len(task.targets)

    # neurons without a target: as in a network without any coupling
    alone = task.trial(learned._replace(weights=jnp.zeros_like(learned.weights)))
    np.testing.assert_allclose(cut.cut.spike_times[num:], alone.spike_times[num:], atol=1e-10)
    assert np.any(cut.whole.num_spikes[num:] != alone.num_spikes[num:])
    # trained ones still hear the others
    assert np.abs(cut.cut.times - alone.times).max() > 0.1

    for trial, errors in zip((cut.whole, cut.cut), cut.errors, strict=True):
        for k, targets in enumerate(task.targets):
            distance = np.abs(np.asarray(trial.times[k])[: len(targets)] - targets).max()
            np.testing.assert_allclose(errors[k], distance, rtol=1e-12)
    lines = spiketimes_cut.summary(cut)
    assert len(lines) == 1 + num
    assert f"{cut.errors[1, 0]:.3g}" in lines[1]
    assert len(spiketimes_cut.draw(task, cut).axes) == 2


def test_without_weights_nothing_is_cut():
    task, history = trained()
    cut = spiketimes_cut.compared(task, history, 0)
    np.testing.assert_array_equal(cut.errors[0], cut.errors[1])
    np.testing.assert_array_equal(cut.whole.spike_times, cut.cut.spike_times)
