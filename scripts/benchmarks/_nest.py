"""Circuits of spiking neurons in NEST, run by a Python of its own.

`python _nest.py` reads lines of JSON, one a circuit, whose populations have `sizes`, `in_degree`
and `psp` (mV, to by from), `external` (Hz, all of their external spikes), `external_psp` (mV),
`delay` and `delay_std` (ms, to by from), `synaptic_time` (ms, or null for jumps), and the numbers
`psp_spread` (standard deviation over size), `tau`, `refractory`, `threshold`, `reset`, `rest`,
`dt`, `warm` and `duration` (mV, ms). With `given` rates (Hz, or null), its neurons are not
connected: each gets Poisson spikes of its own at these rates in place of those of the populations.
Each is answered by the version of NEST, rates (Hz), and seconds of processor time to build and to
simulate.
"""

from __future__ import annotations

import json
import sys
import time

import nest

_CAPACITY = 250.0  # pF


def simulate(job: dict) -> dict:
    began = time.process_time()
    nest.ResetKernel()
    nest.set(resolution=job["dt"], local_num_threads=1, rng_seed=1, print_time=False)
    populations, recorders, unit = _neurons(job)
    _drive(job, populations, unit)
    if job["given"] is None:
        _connect(job, populations, unit)
    nest.Prepare()
    built = time.process_time()
    nest.Run(job["warm"] + job["duration"])
    nest.Cleanup()
    ended = time.process_time()
    seconds = job["duration"] / 1e3
    rates = [r.n_events / (n * seconds) for r, n in zip(recorders, job["sizes"], strict=True)]
    return {
        "version": nest.__version__,
        "rates": rates,
        "build": built - began,
        "simulate": ended - built,
    }


def _neurons(job: dict) -> tuple[list, list, float]:
    """Populations, their recorders, and the weight of a jump of one mV."""
    slow = job["synaptic_time"]
    own = {
        "C_m": _CAPACITY,
        "tau_m": job["tau"],
        "t_ref": job["refractory"],
        "E_L": job["rest"],
        "V_th": job["threshold"],
        "V_reset": job["reset"],
    }
    if slow is not None:
        own |= {"tau_syn_ex": slow, "tau_syn_in": slow}
    unit = 1.0 if slow is None else _CAPACITY / slow  # pA: of the same charge
    populations, recorders = [], []
    for size in job["sizes"]:
        new = nest.Create("iaf_psc_delta" if slow is None else "iaf_psc_exp", size, own)
        spread = job["threshold"] - job["rest"]
        new.V_m = nest.random.uniform(job["rest"], job["rest"] + 0.9 * spread)
        recorders.append(nest.Create("spike_recorder", params={"start": job["warm"]}))
        nest.Connect(new, recorders[-1])
        populations.append(new)
    return populations, recorders, unit


def _drive(job: dict, populations: list, unit: float) -> None:
    """Poisson spikes, independent in each neuron: one generator for each size of jumps."""
    for k, target in enumerate(populations):
        total = {job["external_psp"][k]: job["external"][k]}
        for i, rate in enumerate(job["given"] or []):
            psp = job["psp"][k][i]
            total[psp] = total.get(psp, 0.0) + job["in_degree"][k][i] * rate
        for psp, rate in total.items():
            source = nest.Create("poisson_generator", params={"rate": rate})
            nest.Connect(source, target, syn_spec={"weight": unit * psp, "delay": job["dt"]})


def _connect(job: dict, populations: list, unit: float) -> None:
    for k, target in enumerate(populations):
        for i, source in enumerate(populations):
            number = round(job["in_degree"][k][i])
            if number == 0:
                continue
            mean, std = job["delay"][k][i], job["delay_std"][k][i]
            delay = mean
            if std > 0:
                normal = nest.random.normal(mean, std)
                delay = nest.math.redraw(normal, min=job["dt"] / 2, max=1e3)
            weight = unit * job["psp"][k][i]
            if job["psp_spread"] > 0:
                weight = nest.random.normal(weight, job["psp_spread"] * abs(weight))
            nest.Connect(
                source,
                target,
                {"rule": "fixed_indegree", "indegree": number},
                {"weight": weight, "delay": delay},
            )


def main() -> None:
    nest.set_verbosity("M_ERROR")
    for line in sys.stdin:
        print(json.dumps(simulate(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
