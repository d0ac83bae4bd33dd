"""Training steps of spiking networks on one core, beside the authors' code where it is at hand."""

from __future__ import annotations

import os

from . import spikes_feedforward


def run(spikegd: str | os.PathLike | None = None) -> None:
    """Prints everything that is measured as `name value unit`.

    **Arguments:** `spikegd`: a copy of the repository chklos/spikegd, to compare with.
    """
    spikes_feedforward.run(spikegd)
