"""What is measured of a classifier, and its figure."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxnlif.experiments import _classifier, _classifier_run, _classifier_training, yinyang
from jaxnlif.experiments import _classifier_setting as settings
from jaxnlif.experiments._classifier_figure import draw

SETTING = replace(settings.YIN_YANG["plain"], hidden=(6,), epochs=2, batch=100)


def small_task():
    whole = yinyang.task(SETTING)
    train, test = (_classifier.Samples(s.x[:100], s.label[:100]) for s in (whole.train, whole.test))
    return whole._replace(train=train, test=test)


def test_measures_are_those_of_the_trials(monkeypatch):
    """Whole batches and what is left over, with what a trial itself says."""
    monkeypatch.setattr(settings.Setting, "evaluated", 40)
    task = small_task()
    net = _classifier.start(SETTING, (task.inputs, 3), 1, jax.random.key(2)).net
    measures = _classifier.Trainer(SETTING, task.encoder, 1).evaluate(net, task.test)
    trial = net.trial(task.encoder(jnp.asarray(task.test.x), None), duration=SETTING.duration)
    first = trial.first_output
    expected = {
        "spikes_per_neuron": np.mean(trial.activity()),
        "silent_fraction": trial.silent_fraction(),
        "spikes_before_output": np.mean(trial.activity(first)),
        "silent_before_output": trial.silent_fraction(first),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(measures, name), value, rtol=1e-6, err_msg=name)
    assert measures.spikes_before_output < measures.spikes_per_neuron
    assert 0 < measures.silent_before_output < 1


def test_a_history_of_a_version_that_measured_less_goes_on():
    task = small_task()
    new = {"spikes_before_output", "silent_before_output"}
    names = [*_classifier.Measures._fields, "seconds"]
    older = {name: np.asarray([0.5, 0.25]) for name in names if name not in new}
    history = _classifier_training._complete(older)
    state = _classifier.start(SETTING, (task.inputs, 3), 1, jax.random.key(2))
    training = _classifier_training.Training(state, history)
    lines = _classifier_run.summary(SETTING, [training])
    assert [line.split()[1] for line in lines[-2:]] == ["nan", "nan"]

    measures = _classifier.Measures(*np.arange(1.0, 9.0) / 10)
    history = _classifier_training._appended(history, measures, 1.0)
    assert set(history) == set(names)
    for name in new:
        np.testing.assert_array_equal(history[name], [np.nan, np.nan, getattr(measures, name)])
    figure = draw(SETTING, task, [state.net] * 2, [history] * 2)
    assert [len(ax.get_lines()) for ax in figure.axes[2:]] == [2, 3, 2, 2]
