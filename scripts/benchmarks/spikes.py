"""Training steps of spiking networks on one core, beside other codes where they are at hand."""

from __future__ import annotations

import os

from . import spikes_eventax, spikes_feedforward, spikes_recurrent, spikes_single


def run(spikegd: str | os.PathLike | None = None) -> None:
    """Prints everything that is measured as `name value unit`.

    **Arguments:** `spikegd`: a copy of the repository chklos/spikegd, to compare with.
    """
    spikes_single.run(spikegd)
    if spikegd is not None:  # whose inputs and targets this step takes
        spikes_recurrent.run(spikegd)
    spikes_recurrent.run_batch()
    spikes_eventax.run()
    spikes_feedforward.run(spikegd)
