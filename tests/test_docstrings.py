"""Every public name has a docstring that says what its reader needs, in one vocabulary.

- The first line is a sentence.
- Every parameter and field is named: where there are more than two, at the start of a clause of
  its own, of **Arguments:** or of a list. Methods may leave that to the docstring of their class.
- Arrays have shapes, and quantities units: arguments, fields and results.
- A parenthesis with a word or sign of units holds units of `UNITS` and nothing else.
- Errors that the code raises are named in a section **Raises:**.
- What implements something published has a section **Reference:** with its source.

A section may be that of another name: *as*, *as in*, *as for* or *those of* `name`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

import pytest

import jaxnlif as jn
from jaxnlif.fitting.uncertainty import Uncertainty
from jaxnlif.integrate.log import Event, Spike, Switch
from jaxnlif.spikes import data

from ._docstrings import Public, public, public_names

NAMESPACES = {
    "jn": jn,
    "jn.circuits": jn.circuits,
    "jn.execution": jn.execution,
    "jn.io": jn.io,
    "jn.losses": jn.losses,
    "jn.plot": jn.plot,
    "jn.spikes": jn.spikes,
    "jn.spikes.data": data,
    "jn.stability": jn.stability,
    "jn.stationary": jn.stationary,
    "jn.statistics": jn.statistics,
}

RETURNED = (Event, Spike, Switch, Uncertainty)
"""What public names return and no namespace has."""

UNITS = {
    # Time that of the membrane, or ε times slower, of learning; with exact spikes that of τ.
    "membrane time",
    "learning time",
    "time",
    "time²",
    "1 / membrane time",
    "1 / time",
    "1 / learning time",
    # One voltage for potentials, drives, thresholds and kicks.
    "voltage",
    "voltage²",
    "voltage / membrane time",
    "1 / voltage",
    "voltage² / membrane time",
    # A weight w is in the unit in which w σ(N̄) is a voltage: for σ(N) = N, voltage × membrane time.
    "weight",
    "weight²",
    "1 / weight",
    "1 / voltage / weight",
    "voltage / weight",
    "voltage × weight",
    "voltage × membrane time",
    "weight² × membrane time²",
    "spikes / neuron",
    "spikes / neuron × learning time / membrane time",
    "spikes / neuron × learning time / membrane time / weight",
    "spikes / neuron / membrane time",
    "spikes / neuron / membrane time / weight",
    "spikes² / neuron² / membrane time",
    # In circuits, whose populations have membrane times of their own.
    "spikes / neuron / time",
    "spikes / neuron / time / voltage",
    "spikes / neuron / time / voltage² × membrane time",
    "spikes² / neuron² / time",
    # The natural units of theta neurons, and of QIF neurons.
    "1/ω",
    "q",
    "τ",
    "radians",
    "seconds",
    # Those of experiments, which `Units` converts.
    "mV",
    "1 / mV",
    "ms",
    "Hz",
    # Those of figures.
    "inches",
    "points",
    "1 / seconds",
    "1 / inches",
    "dimensionless",
}

PURE_NUMBERS = {
    *("counts", "epsilon", "loss", "losses", "mass", "numbers", "probability", "refractory"),
    *("regularisation", "size", "spread", "tolerance", "total"),
    *("c", "s", "n", "d"),  # points of a circle
}
"""Floating-point names that need no unit anywhere."""

WITHOUT_REFERENCE = {
    "is defined in full by what its docstring says": {
        *("jn.statistics.autocorrelation", "jn.statistics.remove_line"),
        "jn.statistics.remove_mean",
        *("jn.AbstractDelay", "jn.AbstractDrive", "jn.AbstractResponse", "jn.ExponentialDelay"),
        *("jn.AbstractCoupling", "jn.AbstractReset", "jn.AbstractSwitch", "jn.Coupled"),
        *("jn.spikes.AbstractNeuron", "jn.spikes.AbstractSmoothNeuron"),
        *("jn.Never", "jn.Bump", "jn.Constant", "jn.Pulse", "jn.Sinusoid", "jn.Table"),
        *("jn.Tabulated", "jn.Identity", "jn.Saturating", "jn.Hold"),
        *(
            "jn.AbstractTransport",
            "jn.AbstractMembrane",
            "jn.Leaky",
            "jn.Perfect",
            "jn.AbstractSynapse",
        ),
        *("jn.Between", "jn.Free", "jn.Positive"),
        *("jn.at_reset", "jn.from_samples", "jn.gaussian", "jn.normalise"),
        *("jn.losses.MeanRate", "jn.losses.Rate", "jn.losses.Rates", "jn.losses.Weights"),
        *("jn.spikes.latency", "jn.spikes.rate_coding"),
        *("jn.spikes.sorted_spikes", "jn.spikes.spike_time_loss"),
    },
    "says where or when to compute; how is the matter of a solver": {
        *("jn.Grid", "jn.VoltageGrid", "jn.WeightGrid", "jn.SaveAt", "jn.solve", "jn.sweep"),
        *("jn.AbstractStepSize", "jn.FixedStep", "jn.AbstractScheme"),
        *("jn.Checkpoint", "jn.ProgressBar", "jn.Units", "jn.execution"),
        *("jn.AbstractProgress", "jn.AbstractSolver"),
    },
    "holds what was computed, or says how that ended": {
        *(
            "jn.Fit",
            "jn.FitResult",
            "jn.Interrupted",
            "jn.Regime",
            "jn.Result",
            "jn.Snapshot",
            "jn.WarningFlag",
        ),
        *("jn.Log", "jn.Moved", "jn.Solution", "jn.SolveError", "jn.Sweep"),
        *(
            "jn.spikes.InputSpikes",
            "jn.spikes.Trial",
            "jn.spikes.Events",
            "jn.spikes.RecurrentTrial",
        ),
        *(
            "jn.spikes.Volleys",
            "jn.spikes.BinnedSpikes",
            "returned.Event",
            "returned.Spike",
            "returned.Switch",
        ),
    },
    "draws what is there": {"jn.plot"},
    "moves data between memory and files": {
        *("jn.io", "jn.spikes.data.Images", "jn.spikes.data.load_images"),
        *("jn.spikes.data.EventData", "jn.spikes.data.BinnedEvents", "jn.spikes.data.binned"),
        "jn.spikes.data.save_events",
    },
}
"""Names, and whole namespaces, without a source, by the reason why they have none."""

EXEMPT = set().union(*WITHOUT_REFERENCE.values())

UNIT_WORDS = re.compile(
    r"volt|weight|time|spikes?\b|unit|membrane|radian|second|byte|[/×²³]|(?<!['\w])m?[Vs]\b|Hz"
)
FLOATING = re.compile(r"\b(Float|Real|Num|ArrayLike|Data|float)\b")
ARRAY = re.compile(r"\b(?:Float|Real|Num|Int|Bool|UInt8)\[[^\[\]]*?'([^']*)'\]")
SHAPE = re.compile(
    r"`\([^`]*(?:,|…)[^`]*\)`|`\(\)`|\b(?:any|its|same|that|their|broadcast) shape\b"
    r"|\bshapes? (?:and unit of|of|that)\b"
)
OTHER_UNIT = re.compile(r"\bunit of (?:`|the |its |two )|\bany unit\b")
SOURCE = re.compile(r"arXiv \d{4}\.\d{4,5}|\b(?:19|20)\d\d\b|\bjaxnlif's\b")
SECTION = re.compile(r"\*\*(\w+):\*\*")
ELSEWHERE = re.compile(r"\b(?:as|as in|as for|those of|that of) `(\w+)`")

NAMES = {
    f"{found.namespace}.{found.name}": found
    for found in (
        *(one for name, module in NAMESPACES.items() for one in public_names(name, module)),
        *(one for kind in RETURNED for one in public("returned", kind.__name__, kind)),
    )
}


def section(public: Public, name: str) -> str:
    """The text of a section, with that of the names that it refers to; or nothing."""
    parts = SECTION.split(public.doc)
    texts = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if title == name]
    for other in ELSEWHERE.findall(" ".join(" ".join(texts).split())):
        found = NAMES.get(f"{public.namespace}.{other}")
        texts += [section(found, name)] if found and found.name != public.name else []
    return "\n\n".join(texts)


def clauses(text: str, parameters: Collection[str], *, common: bool = False) -> dict[str, str]:
    """What is said of each parameter: from its name, at the start of a clause, to the next ones.

    With `common`, what comes before the first is said of all.
    """
    text = re.sub(r"\s+", " ", re.sub(r"(^|\n)\s*- ", r"\1• ", text)).strip()
    pattern = r"(?:(?<=^)|(?<=[.;:•)] ))`\w+`(?:(?:, and |, | and )`\w+`)*"
    starts = [
        (match.start(), names)
        for match in re.finditer(pattern, text)
        if set(names := re.findall(r"`(\w+)`", match[0])) <= set(parameters)
    ]
    ends = [*(start for start, _ in starts), len(text)][1:]
    said: dict[str, str] = {}
    for (start, names), end in zip(starts, ends, strict=True):
        for name in names:
            said.setdefault(name, text[: starts[0][0] * common] + text[start:end])
    return said


def units(text: str) -> list[str]:
    """What stands in parentheses with a word or sign of units; code and formulas do not count."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|\$.*?\$|`.*?`", "", text, flags=re.DOTALL)
    inside = (" ".join(found.split()) for found in re.findall(r"\(([^()]*)\)", text))
    meant = (found for found in inside if UNIT_WORDS.search(found) or found in UNITS)
    return [unit for found in meant for unit in found.split(", ")]


def complaints(public: Public) -> Iterator[str]:
    """What is wrong with the docstring of a public name."""
    doc = public.doc
    if not doc:
        yield "no docstring"
        return
    first = doc.splitlines()[0]
    if not first.endswith((".", ":")) or re.match("[a-z]", first):
        yield f"first line: {first!r} is no sentence"
    yield from (f"({unit}) is none of UNITS" for unit in units(doc) if unit not in UNITS)
    yield from _about_parameters(public)
    yield from _about_result(public)
    yield from _about_errors(public)
    if public.owner is None:
        yield from _about_source(public)


def _about_parameters(public: Public) -> Iterator[str]:
    names = public.parameters
    text = section(public, "Arguments")
    said = clauses(text or public.doc, names, common=bool(text))
    if public.owner is not None:
        said = clauses(public.owner, names) | said
    few = len(names) <= 2 or public.owner is not None
    for name, annotation in names.items():
        if name not in said and not (few and re.search(rf"`[^`]*\b{name}\b[^`]*`", public.doc)):
            yield f"`{name}` is not described"
        else:
            about = said.get(name, public.doc)
            yield from _about_quantity(f"`{name}`", name, annotation, about)


def _about_result(public: Public) -> Iterator[str]:
    text = section(public, "Returns") or re.sub(
        r"(?s)\*\*Arguments:.*?(?=\*\*\w+:|$)", "", public.doc
    )
    name = public.name.rpartition(".")[2]
    yield from _about_quantity("what is returned", name, public.result, text)


def _about_quantity(what: str, name: str, annotation: str, text: str) -> Iterator[str]:
    text = " ".join(text.split())
    has_unit = UNITS & set(units(text)) or OTHER_UNIT.search(text)
    if FLOATING.search(annotation) and name not in PURE_NUMBERS and not has_unit:
        yield f"{what} has no unit"
    if any(shape.strip() for shape in ARRAY.findall(annotation)) and not SHAPE.search(text):
        yield f"{what} has no shape"


def _about_errors(public: Public) -> Iterator[str]:
    text = section(public, "Raises")
    missing = sorted(error for error in public.raises if f"`{error}`" not in text)
    if missing:
        yield f"**Raises:** does not name {', '.join(missing)}"


def _about_source(public: Public) -> Iterator[str]:
    exempt = {public.namespace, f"{public.namespace}.{public.name}"} & EXEMPT
    text = section(public, "Reference")
    if exempt and text:
        yield "**Reference:** is there, though WITHOUT_REFERENCE names it"
    elif not exempt and not SOURCE.search(text):
        yield "**Reference:** names no source"


@pytest.mark.parametrize("name", NAMES)
def test_docstring(name):
    assert list(complaints(NAMES[name])) == []


def test_exemptions_are_of_public_names():
    assert {*NAMES, *NAMESPACES} >= EXEMPT


# ---- the rules notice what is missing ----------------------------------------------------------

GOOD = Public(
    namespace="sample",
    name="rates",
    doc="""Rates of the neurons of each weight.

**Arguments:**

- `drive`: mean input (voltage), shape `(w,)`.
- `noise`: diffusion (voltage² / membrane time).
- `key`: a random key.

**Returns:** shape `(w,)` (spikes / neuron / membrane time).

**Raises:** `ValueError` unless `noise` is positive.

**Reference:** A. Author, arXiv 1234.56789.
""",
    parameters={"drive": "Float[Array, ' w']", "noise": "Float[Array, '']", "key": "PRNGKeyArray"},
    result="Float[Array, ' w']",
    raises=frozenset({"ValueError"}),
)


def test_a_good_docstring_passes():
    assert list(complaints(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (".*", "", "no docstring"),
        ("Rates of the neurons of each weight.", "rates", "first line: 'rates' is no sentence"),
        (r"\*\*Arguments.*key\.\n", "", "`drive` is not described"),
        ("- `key`: a random key.\n", "", "`key` is not described"),
        (r" \(voltage\)", "", "`drive` has no unit"),
        (r"\(voltage\)", "(s)", "(s) is none of UNITS"),
        (r"\(voltage\)", "(voltage units)", "(voltage units) is none of UNITS"),
        (r"\(voltage² / membrane time\)", "(a^2/τ)", "(a^2/τ) is none of UNITS"),
        (r"input \(voltage\), shape `\(w,\)`", "input (voltage)", "`drive` has no shape"),
        (r"\*\*Returns.*time\)\.\n", "", "what is returned has no unit"),
        (r"\*\*Returns.*time\)\.\n", "", "what is returned has no shape"),
        (r"\*\*Raises.*positive\.\n", "", "**Raises:** does not name ValueError"),
        (r"\*\*Reference.*", "", "**Reference:** names no source"),
        (r"A\. Author.*", "folklore.", "**Reference:** names no source"),
    ],
)
def test_what_is_missing_is_noticed(old, new, complaint):
    doc = re.sub(f"(?s){old}", new, GOOD.doc, count=1)
    assert doc != GOOD.doc
    assert complaint in list(complaints(replace(GOOD, doc=doc)))


def test_errors_are_found_where_they_are_raised():
    for name, errors in {
        "jn.solve": {"ValueError", "SolveError", "Interrupted"},
        "jn.Network": {"ValueError"},
        "jn.Network.input": set(),
        "jn.io.load": {"ValueError", "ImportError"},
        "jn.Solution.events": {"ValueError"},
    }.items():
        assert NAMES[name].raises == errors, name
