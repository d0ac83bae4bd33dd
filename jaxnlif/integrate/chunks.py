"""The loop of every long computation on the host: compiled chunks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def run_chunks(
    chunks: Iterable[int],
    bar: Any,
    *,
    due: Callable[[], bool],
    save: Callable[[], None],
    stops: tuple[type[BaseException], ...] = (KeyboardInterrupt,),
) -> BaseException | None:
    """Runs chunks to the end, or until one of the exceptions `stops` comes, and shows progress.

    **Arguments:**

    - `chunks`: gives, after each chunk, how far the computation is.
    - `bar`: of an `AbstractProgress`.
    - `due`, `save`: whether it is time to save, and how. What follows the last chunk is left to
      save.

    **Returns:** the exception that stopped it, or `None`.
    """
    shown = 0
    try:
        for done in chunks:
            if due():
                save()
            bar.update(done - shown)
            shown = done
    except stops as stopped:
        return stopped
    return None
