"""Stationary rates of a circuit by NNMT, run by a Python of its own.

`python _nnmt.py` reads lines of JSON, one a circuit: `in_degree`, `psp` (mV, to by from),
`external` (Hz), `external_psp` (mV), the numbers `tau`, `refractory`, `synaptic_time` (ms),
`threshold` and `reset` over rest (mV), `shift`, and `repeats`. Each is answered by the version of
NNMT, rates (Hz), and the median seconds of processor time of one evaluation.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version

import nnmt.lif.delta
import nnmt.lif.exp
import numpy as np


def rates(job: dict) -> dict:
    num = len(job["psp"])
    given = {
        "J": np.asarray(job["psp"]) / 1e3,
        "K": np.asarray(job["in_degree"]),
        "V_0_rel": job["reset"] / 1e3,
        "V_th_rel": job["threshold"] / 1e3,
        "tau_m": job["tau"] / 1e3,
        "tau_r": job["refractory"] / 1e3,
        "J_ext": np.diag(job["external_psp"]) / 1e3,
        "K_ext": np.eye(num),
        "nu_ext": np.asarray(job["external"]),
    }
    of = nnmt.lif.delta._firing_rates
    if job["shift"]:
        of, given["tau_s"] = nnmt.lif.exp._firing_rates, job["synaptic_time"] / 1e3
    seconds = []
    for _ in range(job["repeats"]):
        began = time.process_time()
        found = of(**given)
        seconds.append(time.process_time() - began)
    return {
        "version": version("nnmt"),
        "rates": [float(x) for x in found],
        "seconds": statistics.median(seconds),
    }


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(rates(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
