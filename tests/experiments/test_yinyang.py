"""Yin-Yang points are learned."""

from dataclasses import replace

import pytest

from jaxnlif.experiments import _classifier_setting as settings
from jaxnlif.experiments import yinyang
from jaxnlif.experiments._classifier_training import train


@pytest.mark.slow
def test_yin_yang_is_learned():
    setting = replace(settings.YIN_YANG["plain"], epochs=3, batch=50)
    history = train(setting, yinyang.task(setting), 0).history
    assert history["accuracy"][-1] > 0.6 > history["accuracy"][0]
