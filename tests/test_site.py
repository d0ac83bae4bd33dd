"""The documentation builds, and whatever it warns of is an error."""

import os
import subprocess
import sys
from pathlib import Path

from .conftest import needs_double

ROOT = Path(__file__).parents[1]


@needs_double  # once is enough
def test_the_site_builds(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("index.html")}
    for page in ("index.html", "theory/density/index.html", "api/solvers/index.html"):
        assert page in pages
    assert "jaxnlif.FluxShift" in (tmp_path / "api/solvers/index.html").read_text()
