"""The contract of the asv suite: three benchmarks of a timed cell, explicit versions and units, older commits without what is newer."""

import importlib
import inspect
import json
import math
import pkgutil
import sys
from collections import Counter

import pytest

import stress.benchmarks
from stress.benchmarks import common
from stress.measure import grid

THREE = {"track_ratio": "calibrations", "track_cost": "seconds", "track_slow_share": "share"}
MODULES = [importlib.import_module(f"stress.benchmarks.{info.name}") for info in pkgutil.iter_modules(stress.benchmarks.__path__)]


def classes(module):
    return [each for name, each in vars(module).items() if inspect.isclass(each) and each.__module__ == module.__name__ and name[0] != "_"]


def tracks(klass):
    return {name: value for name, value in inspect.getmembers(klass, inspect.isfunction) if name.startswith("track_")}


CLASSES = [(module, klass) for module in MODULES for klass in classes(module)]


@pytest.mark.parametrize(("module", "klass"), CLASSES, ids=lambda each: each.__name__)
def test_a_class_has_the_three_or_figures_that_are_no_timings(module, klass):
    found = tracks(klass)
    assert found
    if set(found) & set(THREE):
        assert {name: function.unit for name, function in found.items()} == THREE
    else:
        assert not {function.unit for function in found.values()} & {"seconds", "calibrations"}
    for function in found.values():
        assert function.version.isdigit()


@pytest.mark.parametrize(("module", "klass"), CLASSES, ids=lambda each: each.__name__)
def test_parameters_are_unique_and_fit_the_signature(module, klass):
    params = getattr(klass, "params", ())
    assert len(params) <= 1
    for values in params:
        assert values
        assert len(set(values)) == len(values)
    for function in tracks(klass).values():
        assert len(inspect.signature(function).parameters) == 2 + len(params)  # self, what setup_cache returned, the parameter


def test_every_group_of_the_grid_is_measured_by_one_module_once():
    sources = {module.__name__: inspect.getsource(module) for module in MODULES if hasattr(module, "setup_cache")}
    groups = Counter(group for group in grid.GROUPS for source in sources.values() if f'common.measured("{group}")' in source)
    assert groups == Counter(dict.fromkeys(grid.GROUPS, 1))
    assert all(module.setup_cache.timeout >= 600 for module in MODULES if hasattr(module, "setup_cache"))


def test_names_are_unique():
    names = Counter(f"{klass.__name__}.{name}" for _, klass in CLASSES for name in tracks(klass))
    assert max(names.values()) == 1


def test_a_cell_that_is_absent_is_not_applicable_and_one_that_failed_is_an_error():
    timed = common._Timed()
    results = {"cells": {"slow only": {"ratio": 2.0, "cost_ns": None, "slow_share": 1.0}, "broken": {"error": "operations failed"}}}
    assert math.isnan(timed.track_ratio(results, "newer"))
    assert math.isnan(timed.track_cost(results, "slow only"))
    assert timed.track_ratio(results, "slow only") == 2.0
    assert timed.track_slow_share(results, "slow only") == 1.0
    with pytest.raises(RuntimeError, match="operations failed"):
        timed.track_ratio(results, "broken")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A commit's package, and a checkout whose measuring code prints what the package says, or fails."""
    package, checkout = tmp_path / "package", tmp_path / "checkout"
    for root in (package, checkout):
        for name in ("kernels", "stress/measure", "stress/snapshot/recordings"):
            (root / name).mkdir(parents=True)
            (root / name / "__init__.py").write_text("")
        (root / "stress" / "__init__.py").write_text("")
    (package / "kernels" / "__init__.py").write_text("ANSWER = 7")
    (package / "pfnstorm.py").write_text("")
    (checkout / "stress" / "measure" / "cells.py").write_text(
        "import json, sys, kernels, pfnstorm\nassert kernels.__file__.startswith(pfnstorm.__file__.removesuffix('pfnstorm.py'))\n"
        "print(json.dumps({'cells': {sys.argv[1]: kernels.ANSWER}, 'figures': {}}))\n"
    )
    monkeypatch.setattr(common, "_PACKAGE", package)
    monkeypatch.setattr(common, "_CHECKOUT", checkout)
    return package, checkout


@pytest.mark.slow
def test_the_commits_package_is_measured_by_the_checkouts_code(folders):
    assert common.measured("memory") == {"cells": {"memory": 7}, "figures": {}}


@pytest.mark.slow
def test_what_does_not_run_is_not_applicable_on_an_older_commit_and_an_error_on_a_newer_one(folders):
    package, _ = folders
    (package / "kernels" / "__init__.py").write_text("")
    assert common.measured("memory") == {"cells": {}, "figures": {}}
    (package / "stress" / "measure" / "cells.py").write_text("")
    with pytest.raises(RuntimeError, match="ANSWER"):
        common.measured("memory")


def test_names_of_cells_are_those_of_the_grid():
    assert common.cell_names("memory") == [spec.name for spec in grid.cells("memory")]
    assert json.dumps(common.contended_names("memory"))
    assert not [name for name in common.contended_names("references") if "1 worker" in name]
    assert "stress.measure.grid" in sys.modules
