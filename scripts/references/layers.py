"""A feed-forward network of theta neurons integrated as differential equations."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def integrate(
    net, inputs: np.ndarray, duration: float
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Spike times of every neuron of every layer, and the phases at the end.

    The variable is ψ with $V - 1/2 = \\tan(ψ/2)$, smooth at the spike ψ = π:
    $τ ψ' = 2 (\\sin²(ψ/2) + q² \\cos²(ψ/2))$.
    """
    tau, q, end = (float(x) for x in (net.neuron.tau, net.neuron.q, duration))
    senders = [np.array([t]) for t in inputs]
    spikes, phases = [], []
    for weights, initial, delay in zip(net.layer_weights, net.initial, net.delays, strict=True):
        delay = np.zeros(len(senders)) if delay is None else np.asarray(delay)
        arrivals = [
            (t + d, i)
            for i, (times, d) in enumerate(zip(senders, delay, strict=True))
            for t in times
            if t + d < end
        ]
        layer = [
            _neuron(tau, q, end, sorted(arrivals), np.asarray(weights, float)[n], float(phase))
            for n, phase in enumerate(initial)
        ]
        senders = [times for times, _ in layer]
        spikes.append(senders)
        phases.append(np.array([phase for _, phase in layer]))
    return spikes, phases


def _neuron(tau, q, end, arrivals, weights, phase):
    def speed(_, y):
        return 2 * (np.sin(y / 2) ** 2 + q**2 * np.cos(y / 2) ** 2) / tau

    psi, t, spikes = 2 * np.arctan(-q / np.tan(q / tau * phase)), 0.0, []
    for arrival, sender in [*arrivals, (end, None)]:
        if arrival > t:
            crossing = lambda _, y: np.cos(y[0] / 2)  # noqa: E731
            part = solve_ivp(
                speed, (t, arrival), [psi], "DOP853", rtol=1e-13, atol=1e-14, events=crossing
            )
            spikes += list(part.t_events[0])
            psi, t = part.y[0, -1], arrival
        if sender is not None:
            turns = np.round(psi / (2 * np.pi))
            psi = 2 * (np.arctan(np.tan(psi / 2) + weights[sender]) + np.pi * turns)
    voltage = np.tan(psi / 2)
    return np.array(spikes), tau / q * (np.arctan(voltage / q) + np.pi / 2)
