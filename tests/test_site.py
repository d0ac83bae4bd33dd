"""The documentation builds, and whatever it warns of is an error."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .test_api import SHOWN

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The directory of the site that was built."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return site


def words(site: Path, page: str) -> str:
    """What a page says, without its tags."""
    source = (site / page / "index.html").read_text(encoding="utf-8")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", source)).split())


def test_every_page_is_built(site):
    pages = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    sources |= {path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert pages == {path.with_suffix("").as_posix() for path in sources} - {"index"} | {"."}


def test_notebooks_show_what_they_printed_and_drew(site):
    assert "assert" in words(site, "notebooks/01_first_run")
    page = (site / "notebooks/01_first_run/index.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img alt="img" src="([^"]+)"', page)
    assert pictures
    assert all((site / "notebooks/01_first_run" / path).is_file() for path in pictures)


def test_names_have_a_place_and_a_signature(site):
    api = "".join(page.read_text(encoding="utf-8") for page in site.glob("api/*/index.html"))
    assert set(re.findall(r'id="(jaxnlif[\w.]+)"', api)) >= set(SHOWN)
    for page, signature in {
        "api/solve": "solve( model: Any, solver: AbstractSolver, *, y0: Any,",
        "api/model": "Bump(base, height, center, width)",  # of an eqx.Module, whose fields convert
        "api/solvers": "FluxShift( grid: Grid, coupling: AbstractCoupling = Lagged(), *, events:",
        "api/spikes": 'Images( train: UInt8[ndarray, "n pixels"],',  # of a NamedTuple
    }.items():
        assert signature in words(site, page)


def test_formulas_are_left_to_mathjax(site):
    density = (site / "theory/density/index.html").read_text(encoding="utf-8")
    assert density.count('class="arithmatex"') > 20
    assert "$" not in words(site, "theory/density")


def test_no_page_loads_anything_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|img|iframe|link|source|video|audio)\b[^>]*?
        \b(?:src|href)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""",
        re.VERBOSE,
    )
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 40
    assert [address for page in pages.values() for address in loads.findall(page)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", styles)
    assert loads.search('<script src="https://cdn.example.org/mathjax.js"></script>')


def test_mathjax_and_its_letters_are_part_of_the_site(site):
    page = (site / "theory/density/index.html").read_text(encoding="utf-8")
    assert re.search(r'<script src="(?:\.\./)+mathjax/tex-chtml\.js"', page)
    script = (site / "mathjax/tex-chtml.js").read_text(encoding="utf-8")
    letters = site / "mathjax/output/chtml/fonts/woff-v2"
    wanted = set(re.findall(r"%%URL%%/([\w-]+\.woff)", script))
    assert wanted
    assert wanted <= {path.name for path in letters.iterdir()}
    assert "Apache License" in (site / "mathjax/LICENSE").read_text(encoding="utf-8")
    assert "enableMenu: false" in (site / "mathjax.js").read_text(encoding="utf-8")


def test_figures_are_those_of_the_readme(site):
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    shown = words(site, "benchmarks")
    assert len(rows) > 30
    assert all(" ".join(row.split()) in shown for row in rows if set(row) != {"-"})
