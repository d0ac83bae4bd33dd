"""Other codes, each in a process of its own that answers lines of JSON with lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Peer:
    """A process in which a script of this folder runs another code."""

    def __init__(self, name: str, process: subprocess.Popen):
        self.name, self.process = name, process

    @classmethod
    def start(cls, name: str, package: str, variable: str, script: str) -> Peer | None:
        """The process, or `None` where the package cannot be imported.

        **Arguments:** `variable`: of the environment, names the Python, by default this one.
        """
        python = os.environ.get(variable, sys.executable)
        found = subprocess.run([python, "-c", f"import {package}"], capture_output=True, text=True)
        if found.returncode != 0:
            why = found.stderr.strip().splitlines()[-1:] or ["no output"]
            print(f"# {name} is skipped: {python} cannot import it ({why[0]}); see {variable}")
            return None
        process = subprocess.Popen(
            [python, str(Path(__file__).with_name(script))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return cls(name, process)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.name} ended without an answer")
