"""Progress of a long run, shown from the host between compiled chunks."""

# pyright: reportIncompatibleMethodOverride=false
# A static method stands for one that needs no object.

from __future__ import annotations

import abc
import sys
import time
from typing import Any

import equinox as eqx

_SECONDS_PER_LINE = 10.0


class AbstractProgress(eqx.Module):
    """Something that shows how far a run is. Silent under `jit`, `grad` and `vmap`."""

    @abc.abstractmethod
    def start(self, total: int) -> Any:
        """A display of `total` steps: an object with `update(steps)` and `close()`.

        The first update comes when the run has been compiled and has taken its first steps, with
        those that a run before it took; what remains is estimated from later ones.
        """


class ProgressBar(AbstractProgress):
    """A bar with the time left on a terminal, a widget in notebooks, and plain lines elsewhere.

    **Arguments:** `label`: a short text before the bar; `unit`: the name of what is counted.
    """

    label: str = "solve"
    unit: str = "step"

    def start(self, total: int) -> Any:
        from tqdm.auto import tqdm  # only here: without widgets, notebooks make it warn

        stream = sys.stderr
        if stream is None:
            return _Nothing()
        widget = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
        if widget or stream.isatty():
            return _Bar(tqdm, self.label, self.unit, total, stream)
        return _Lines(self.label, total, stream)


class NoProgress(AbstractProgress):
    """Shows nothing."""

    @staticmethod
    def start(total: int) -> Any:
        return _Nothing()


class _Nothing:
    def update(self, steps: int) -> None:
        pass

    def close(self) -> None:
        pass


class _Bar:
    """A bar of tqdm, whose clock starts at the first update."""

    def __init__(self, tqdm: Any, label: str, unit: str, total: int, stream: Any):
        self._label = label
        self._compiles = True
        self._bar = tqdm(
            total=total,
            desc=f"{label}: compiling...",
            bar_format="{desc}",
            unit=unit,
            file=stream,
            leave=False,
            dynamic_ncols=True,
        )

    def update(self, steps: int) -> None:
        if not self._compiles:
            self._bar.update(steps)
            return
        self._compiles, bar = False, self._bar
        bar.n = bar.last_print_n = bar.initial = steps
        bar.start_t = bar.last_print_t = time.time()
        bar.bar_format = None
        bar.set_description(self._label)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """A line every now and then, for files and pipes."""

    def __init__(self, label: str, total: int, stream: Any):
        self._label, self._total, self._stream = label, total, stream
        self._done = self._begun = 0
        self._start: float | None = None
        self._last = time.monotonic()
        self._print("compiling...")

    def update(self, steps: int) -> None:
        self._done += steps
        now = time.monotonic()
        if self._start is None:
            self._start = self._last = now
            self._begun = self._done
        elif now - self._last >= _SECONDS_PER_LINE and self._done > self._begun:
            pace = (now - self._start) / (self._done - self._begun)
            left = pace * (self._total - self._done)
            self._print(f"{self._done / self._total:.0%}, {_clock(left)} left")
            self._last = now

    def _print(self, text: str) -> None:
        print(f"{self._label}: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        pass


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
