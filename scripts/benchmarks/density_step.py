"""The Fokker–Planck step against the one tuned by hand with numba, as XLA's options stand.

`benchmark.py density` runs this section with inlined row loops and without, turn and turn about.
"""

from __future__ import annotations

import numpy as np
from _report import print_value

from . import density
from ._timing import Case, interleaved

REPEATS = 9


def run() -> None:
    """Prints the speed of the step over that of the tuned one, which is in double precision."""
    for num_v, num_w in density.SIZES:
        double, single = (
            density.FokkerPlanck(num_v, num_w, dtype) for dtype in (np.float64, np.float32)
        )
        timings = interleaved(
            {
                "float64": density.case(double),
                "tuned": Case(density.tuned(double), density.STEPS),
                "float32": density.case(single),
            },
            repeats=REPEATS,
        )
        for name in ("float64", "float32"):
            ratio = timings["tuned"].step / timings[name].step
            print_value(f"speed_over_tuned/{num_v}x{num_w}/{name}", ratio, "times")
