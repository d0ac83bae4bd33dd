"""Arrays that are none, or wrong ones, given to everything public: one line, or a result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from jaxnlif import _check

# Without the run-time shape checks of the tests, as a user meets it.
SCRIPT = """
import json
from checks.trust import numbers
print(json.dumps(list(numbers.failures(300, seed=0))))
"""


def test_of_300_odd_arguments_each_is_refused_in_one_line_or_gives_numbers():
    scripts = Path(__file__).parents[1] / "scripts"
    path = os.pathsep.join([str(scripts), str(scripts.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_numbers_are_not_written_out_where_nothing_is_wrong():
    class Silent(np.ndarray):
        def __repr__(self):
            raise AssertionError("written out")

    numbers = np.ones((2, 3)).view(Silent)
    _check.check_positive("numbers", numbers)
    _check.check_scalar("number", numbers[0, 0].view(Silent))
