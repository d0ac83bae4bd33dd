"""The option of XLA that makes loops over rows fast: set in time, respected, or refused."""

import os
import subprocess
import sys

import jax
import pytest

import jaxnlif as jn
from jaxnlif.cli import main
from jaxnlif.execution import INLINED_LOOPS

LOOP = """
import os
import numpy as np
import jax
from jax import lax
import jaxnlif as jn
{before}
def loop(x):
    return lax.fori_loop(0, 9, lambda _, x: 2 * x + 1, x)
print("small_call" in jax.jit(loop).lower(np.ones(4000, np.float32)).compile().as_text())
try:
    jn.execution.fast_loops()
    print(os.environ.get("XLA_FLAGS"))
except RuntimeError as error:
    print(error)
"""


def printed(before, flags):
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | flags
    command = [sys.executable, "-c", LOOP.format(before=before)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_loops_are_inlined_if_it_comes_first():
    # JAX and jaxnlif are imported before; what else the flags say stays.
    others = "--xla_backend_extra_options=xla_cpu_optimize_for_size --xla_cpu_enable_fast_min_max"
    inlined, flags = printed("jn.execution.fast_loops()", {"XLA_FLAGS": others})
    assert inlined == "True"
    assert flags == f"{others} {INLINED_LOOPS}"


def test_too_late_is_one_line_and_changes_nothing():
    inlined, message = printed("", {})
    assert inlined == "False"
    assert message.startswith("fast_loops(): too late")


def test_the_option_of_the_user_stays(monkeypatch):
    flags = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=7"
    monkeypatch.setenv("XLA_FLAGS", flags)
    jn.execution.fast_loops()
    assert os.environ["XLA_FLAGS"] == flags


def test_here_it_is_too_late(monkeypatch):
    jax.local_devices()
    devices = jax.config.jax_num_cpu_devices
    monkeypatch.setenv("XLA_FLAGS", "")
    with pytest.raises(RuntimeError, match="too late"):
        jn.execution.fast_loops()
    assert os.environ["XLA_FLAGS"] == ""
    assert jax.config.jax_num_cpu_devices == devices


def test_the_command_line_does_it(tmp_path, monkeypatch, capsys):
    def refuse():
        raise ValueError("asked for fast loops")

    monkeypatch.setattr("jaxnlif.execution.fast_loops", refuse)
    assert main(["run", "learning", "--out", str(tmp_path)]) == 2
    assert "asked for fast loops" in capsys.readouterr().err
