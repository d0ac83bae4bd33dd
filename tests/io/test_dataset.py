"""What a dataset holds: dimensions, coordinates, units, and everything about the run."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import xarray

import jaxnlif as jn

from . import _solutions as solutions


def test_a_structured_network_has_all_dimensions():
    sol = solutions.solution("structured")
    data = jn.io.to_xarray(sol)
    assert data["density"].dims == ("time", "voltage", "weight")
    assert data["rates"].dims == data["weights"].dims == ("time", "weight")
    for name, values in (
        ("time", sol.ts),
        ("voltage", solutions.GRID.v.nodes),
        ("weight", solutions.GRID.w.centers),
        ("rate", sol.rate),
        ("density", sol.saved),
    ):
        np.testing.assert_array_equal(data[name], np.asarray(values, data[name].dtype))
    np.testing.assert_array_equal(
        data["density"].sel(weight=0.3, method="nearest").isel(time=-1), sol.density(-1)[:, 1]
    )


def test_everything_has_a_meaning_and_a_unit():
    for name in solutions.CASES:
        data = jn.io.to_xarray(solutions.solution(name))
        for name, variable in data.variables.items():
            if not str(name).startswith("saved"):
                assert variable.attrs["long_name"], name
                assert "units" in variable.attrs or "flag_meanings" in variable.attrs, name


def test_model_solver_and_versions_are_attributes():
    data = jn.io.to_xarray(solutions.solution("structured"))
    model, solver = (json.loads(data.attrs[name]) for name in ("model", "solver"))
    assert model["Network"]["drive"]["Bump"]["height"] == 2.0
    assert model["Network"]["learning"]["Hebbian"]["gain"]["Table"]["knots"] == [0.0, 1.0]
    assert model["Network"]["response"] == "Saturating"
    assert solver["FluxShift"]["coupling"]["Implicit"]["max_evaluations"] == 60
    assert solver["FluxShift"]["grid"]["Grid"]["v"]["VoltageGrid"]["num"] == 24
    assert json.loads(data.attrs["versions"])["jaxnlif"] == jn.__version__


def test_records_and_regimes_of_a_synchronous_run():
    sol = solutions.solution("multi-scale")
    data = jn.io.to_xarray(sol)
    np.testing.assert_array_equal(data["event_time"], sol.events.time)
    np.testing.assert_array_equal(data["switch_regime"], sol.switches.regime)
    np.testing.assert_array_equal(data["spike_neuron"], sol.raster.neuron)
    assert data["event_time"].size > 0
    assert data["regime"].attrs["flag_meanings"] == "density particles"
    assert data["density"].dims == ("time", "voltage")
    assert "weight" not in data.dims


def test_a_batch_has_members_and_fills_shorter_records():
    sol = solutions.solution("batch of events")
    data = jn.io.to_xarray(sol)
    assert data["density"].dims == ("member", "time", "voltage")
    assert data["time"].dims == ("time",)
    counts = np.asarray(sol.logs["events"].count)
    assert counts[0] == 0 < counts[1]
    assert data["event_time"].shape == (2, counts[1])
    np.testing.assert_array_equal(np.isnan(data["event_time"]).sum("event"), counts[1] - counts)
    assert data["result"].dims == ("member",)


def test_statistics_are_named_as_they_were_saved():
    data = jn.io.to_xarray(solutions.solution("statistics"))
    assert data["saved.mean"].dims == ("time",)
    assert data["saved.rest.a_b.1"].dims == ("time", "voltage", "weight")
    assert data["saved.rest.low"].dtype == bool
    assert data["saved.rest.narrow"].dtype == np.float32
    sol = solutions.solution("nothing")
    assert "saved" in jn.io.to_xarray(dataclasses.replace(sol, saved=sol.rate))


def test_other_tools_read_the_file(tmp_path):
    sol = solutions.solution("structured")
    jn.io.save(tmp_path / "run.nc", sol)
    with xarray.open_dataset(tmp_path / "run.nc") as data:
        assert data.identical(jn.io.to_xarray(sol))


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    sol = solutions.solution("unstructured")
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    for call in (
        lambda: jn.io.to_xarray(sol),
        lambda: jn.io.save(tmp_path / "run.nc", sol),
        lambda: jn.io.load(tmp_path / "run.nc"),
    ):
        with pytest.raises(ImportError, match=r"need h5netcdf: pip install 'jaxnlif\[io\]'"):
            call()
    jn.io.save(tmp_path / "run.npz", sol)


def test_only_solutions_become_datasets():
    with pytest.raises(ValueError, match="must be a Solution"):
        jn.io.to_xarray({"rate": 1.0})
