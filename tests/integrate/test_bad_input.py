"""Wrong types as a user meets them: without the run-time shape checks of the tests."""

import json
import os
import subprocess
import sys

import pytest

CASES = {
    "jn.VoltageGrid('low', 2.0, reset=1.0, num=24)": "minimum = 'low': must be a number",
    "jn.VoltageGrid([0.0, 1.0], 2.0, reset=1.0, num=24)": "minimum",
    "jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24.0)": "num = 24.0: must be an integer",
    "jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24, dtype='real')": "dtype",
    "jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24, dtype=jnp.float16)": "dtype",
    "jn.WeightGrid(0.0, 1.0, num=2.5)": "num = 2.5: must be an integer",
    "jn.Network(noise=[1.0, 2.0])": "noise",
    "jn.Network(noise_slope=[1.0, 2.0])": "noise_slope",
    "jn.Network(epsilon=[1.0, 2.0])": "epsilon",
    "jn.Network(weight=[1.0, 2.0])": "weight",
    "jn.Network(drive=[1.0, 2.0])": "drive",
    "jn.Network(drive='loud')": "drive = 'loud': must be a number",
    "jn.Network(learning=0.3)": "learning",
    "jn.Network(response=3)": "response",
    "jn.Table([0.0, 1.0], [1.0])": "values: shape (1,) must equal",
    "jn.Tabulated([1.0, 2.0], w=0.0)": "w: shape () must be (k,)",
    "jn.SaveAt(num=2.5)": "num = 2.5: must be an integer",
    "jn.SaveAt(ts=['now'])": "ts",
    "jn.Checkpoint(3)": "directory = 3: must be the path of one",
    "jn.Checkpoint('here', every='often')": "every = 'often': must be a number",
    "jn.Checkpoint('here', keep=1.5)": "keep = 1.5: must be an integer",
    "jn.gaussian(grid, v=-1.0)": "v",
    "jn.gaussian(grid, v=(-1.0, 0.5, 3.0))": "v",
    "jn.gaussian(grid, v=([0.0, 1.0], 1.0))": "v mean",
    "solve(y0='flat')": "y0",
    "solve(y0=None)": "y0",
    "solve(dt='short')": "dt = 'short': must be a number",
    "solve(dt=[0.1, 0.2])": "dt",
    "solve(t1=None)": "t1",
    "solve(saveat=5)": "saveat",
    "solve(progress=True)": "progress",
    "solve(checkpoint='here')": "checkpoint = 'here': must be a Checkpoint(directory)",
}

SCRIPT = """
import json, sys
import jax.numpy as jnp
import numpy as np
import jaxnlif as jn

grid = jn.Grid(v=jn.VoltageGrid(-4.0, 2.0, reset=1.0, num=24))

def solve(**arguments):
    defaults = {"y0": jn.gaussian(grid, v=(-1.0, 0.5)), "t1": 1.0, "dt": 0.1}
    return jn.solve(jn.Network(weight=0.5), jn.FluxShift(grid), **(defaults | arguments))

outcomes = {}
for case in json.load(sys.stdin):
    try:
        eval(case)
        outcomes[case] = ["nothing", ""]
    except Exception as error:
        outcomes[case] = [type(error).__name__, str(error)]
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def outcomes():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(list(CASES)),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_each_gets_one_line_that_names_the_argument(outcomes, case):
    kind, message = outcomes[case]
    assert kind == "ValueError", f"{kind}: {message}"
    assert CASES[case] in message
    assert "\n" not in message
