"""One source, several executions: the suite interpreted and with bounds checks, one trace to the same bytes, what entries are made of."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.base import flavour, jit
from kernels.base.cache import cache_key, cache_root, import_closure
from kernels.base.flavour import BOUNDS, INTERPRETED
from kernels.base.layout import ARRAY, EXIT_BUG, Bug
from stress.process.build import build_entries, import_all_entries
from stress.storm.entries import ENTRY_PACKAGES
from tests.kernels import entries, kit

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"interpreted": {"NUMBA_DISABLE_JIT": "1", "PFNSTORM_FLAVOUR": "checked"}, "bounds": {"PFNSTORM_FLAVOUR": "bounds"}}
FAST_COMPILED = flavour.FLAVOUR == "fast" and not INTERPRETED
outer = pytest.mark.skipif(not FAST_COMPILED, reason="starts the other executions, and this is one of them")


def run(*arguments, timeout=280, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=timeout)


@outer
@pytest.mark.slow
@pytest.mark.parametrize("execution", OTHERS)
def test_the_kernel_suite_passes_in_every_execution(execution):
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels", **OTHERS[execution])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@outer
@pytest.mark.slow
def test_the_same_trace_ends_in_the_same_bytes():
    done = [run("-m", "tests.kernels.trace_digest", "6", "25", **environment) for environment in ({}, {"NUMBA_DISABLE_JIT": "1"})]
    assert [each.returncode for each in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    compiled, interpreted = (json.loads(each.stdout) for each in done)
    differing = [name for name, digest in compiled["digests"].items() if interpreted["digests"][name] != digest]
    assert not differing
    assert compiled["ran"] == interpreted["ran"]
    assert sum(count > 0 for count in compiled["ran"].values()) >= 8


# ------------------------------------------------------------------------------------------------------------------ bounds

OUT_OF_BOUNDS = [
    (name, index)
    for name in (
        "contents.read",
        "contents.write",
        "contents.load_relaxed",
        "contents.fetch_add_seq_cst",
        "contents.cas_acquire",
        "refcount.store_release",
        "refcount.read",
    )
    for index in (-1, "length", 1 << 40)
]


@pytest.mark.skipif(not (INTERPRETED or BOUNDS), reason="the fast flavour does not check")
@pytest.mark.parametrize(("name", "index"), OUT_OF_BOUNDS)
def test_out_of_bounds_is_refused(machine, name, index):
    m = machine
    field = name.partition(".")[0]
    length = len(m[field])
    index = length if index == "length" else index
    arguments = [index, 0, 0][: entries.OPS[name][1]]
    if INTERPRETED:
        with pytest.raises(IndexError):
            m.op(name, *arguments)
        return
    status = kit.wait(kit.in_child(lambda: m.op(name, *arguments)))
    assert status == EXIT_BUG
    array = {"contents": "contents", "refcount": "descs"}[field]
    assert [int(m[f"bug_{part}"][0]) for part in ("code", "pfn", "seen", "wanted")] == [Bug.BOUNDS, ARRAY[array], index, length]
    assert m["halt"][0] == 1


@pytest.mark.skipif(not (INTERPRETED or BOUNDS), reason="the fast flavour does not check")
def test_the_last_element_is_in_bounds(machine):
    m = machine
    last = len(m["contents"]) - 1
    assert m.op("contents.read", last) == m.op("contents.load_acquire", last) == m.op("contents.fetch_add_relaxed", last, 0) == 0


# ----------------------------------------------------------------------------------------------------------------- entries


@pytest.fixture(scope="module")
def all_entries(built):
    import_all_entries(ENTRY_PACKAGES)
    # only those: what another test of this process has imported may have no code in this flavour, as the explorer's scheduler
    packages = tuple(f"{package}." for package in ENTRY_PACKAGES)
    chosen = {name: each for name, each in jit.ENTRIES.items() if name.startswith(packages) or each is entries.do}
    build_entries(list(chosen), out=io.StringIO())
    return chosen


@pytest.mark.skipif(not FAST_COMPILED, reason="about compiled entries")
@pytest.mark.slow
def test_entries_have_one_signature(all_entries):
    assert {name: len(each.dispatcher.signatures) for name, each in all_entries.items()} == dict.fromkeys(all_entries, 1)


@pytest.mark.skipif(not FAST_COMPILED, reason="about compiled entries")
@pytest.mark.slow
def test_a_machine_of_another_size_needs_no_other_code(all_entries):
    small, large = kit.make_machine(), kit.make_machine(kit.Geometry(nr_cpus=5, nr_nodes=1, frames_per_node=2048, words_per_frame=64))
    assert small.touch(0, 1) >= 0
    assert large.touch(0, 1) >= 0
    assert len(entries.do.dispatcher.signatures) == 1


@pytest.mark.skipif(not FAST_COMPILED, reason="about compiled entries")
@pytest.mark.slow
def test_no_entry_counts_references_to_arrays(all_entries):
    for entry in all_entries.values():
        folder = cache_root() / "kernels" / cache_key(entry.function.__module__)
        objects = [path for path in folder.rglob("*.nbc") if f".{entry.__name__}-" in path.name]
        assert objects, f"{entry.name} is not in the cache"
        code = b"".join(path.read_bytes() for path in objects)
        assert b"NRT_" not in code, entry.name
        if entry.name == entries.do.name:
            assert b"sched_yield" in code, "the search would see a symbol"


def test_every_kernel_has_a_number():
    import_all_entries(ENTRY_PACKAGES)
    declared = {each.__name__ for each in jit.KERNELS if each.__module__.startswith("kernels.")}
    assert declared - set(entries.OPS) == set()


def test_code_of_the_tests_is_cached_under_every_kernel():
    assert set((ROOT / "kernels").rglob("*.py")) <= set(import_closure(entries.do.function.__module__))


def test_no_two_kernels_share_a_number():
    numbers = [number for number, _ in entries.OPS.values()]
    assert len(set(numbers)) == len(numbers)
