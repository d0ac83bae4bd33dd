"""Every solver with every feature and every pair of them: right, or refused by name."""

import pytest
from references.matrix import (
    FEATURES,
    SOLVERS,
    Cell,
    cells,
    covering,
    names_a_feature,
    not_taken,
    refusal,
    schemes,
)
from references.matrix_page import PAGE, written
from references.matrix_rates import outcome

LATER = {
    "MultiScale": {
        "weight axis",
        "excitation",
        "`response=Saturating()`",
        "`noise` in time",
        "`membrane=Perfect()`",
        "`membrane=Quadratic()`",
        "`epsilon=0.1`",
        "`coupling=Corrected()`",
        "`coupling=Implicit()`",
        "`step_size=FixedStep()`",
    }
}
"""What takes too long to compile here; `reproduce.py density --only matrix` runs it."""


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_is_refused_is_named(number):
    count = 0
    for cell in cells(number):
        if not_taken(cell):
            continue
        alone = [Cell(cell.solver, cell.scheme, (feature,)) for feature in cell.features]
        if number > 1 and any(map(refusal, alone)):  # nor together; the script looks at them too
            continue
        message = refusal(cell)
        count += message is None
        assert message is None or names_a_feature(message, cell), f"{cell.name}: {message}"
    assert count >= (3, 55, 500)[number]


def test_every_feature_is_run():
    for solver in SOLVERS:
        for scheme in schemes(solver):
            run = {f.name for c in covering() if c[:2] == (solver, scheme) for f in c.features}
            single = [Cell(solver, scheme, (feature,)) for feature in FEATURES]
            follows = {c.features[0].name for c in single if not not_taken(c) and not refusal(c)}
            assert run == follows - LATER.get(solver, set()), (solver, scheme)


@pytest.mark.parametrize("cell", [*covering()], ids=lambda cell: f"{cell.solver}-{cell.scheme}")
def test_the_rate_is_that_of_the_quadratures(cell):
    found = outcome(cell)
    assert found.right, f"{cell.name}: {found}"


def test_the_page_of_the_documentation_is_of_today():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: cd scripts && python -m references.matrix_page"
