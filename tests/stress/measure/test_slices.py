"""The kernels' half of `make limits`: workers that run slices, and what the machines hold."""

import os

import numpy as np
import pytest

from stress.measure import slices
from stress.measure.limits import SOURCE
from stress.measure.slices import DENSITIES, RINGS, WORKS, SlicedKernels, fill_bitmaps, make_machines

CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture
def works(monkeypatch):
    """Replace the work called hot."""

    def replace(work):
        monkeypatch.setitem(WORKS, "hot", work)

    return replace


def test_a_slice_is_timed_in_ns_per_operation(works):
    works(lambda machine, cpu, done: 1_000)
    with SlicedKernels([CPUS[0], CPUS[-1]], machine="none") as kernels:
        assert 0 < kernels.ns("hot", (0,), 1_000) < 1e6
        assert 0 < kernels.ns("hot", (0, 1), 1_000) < 1e6


def test_workers_keep_their_processor_and_their_memory(works):
    seen = np.zeros(1)

    def work(machine, cpu, done):
        seen[0] += 1  # in the worker: its memory lives between slices
        return 10 if os.sched_getaffinity(0) == {[CPUS[-1], CPUS[0]][cpu]} and machine == "the machine" else 0

    works(work)
    with SlicedKernels([CPUS[-1], CPUS[0]], machine="the machine") as kernels:
        assert kernels.ns("hot", (0, 1), 200) > 0
        assert kernels.ns("hot", (1,), 200) > 0
    assert seen[0] == 0


def test_operations_that_fail_are_an_error(works, capfd):
    works(lambda machine, cpu, done: 0)
    with SlicedKernels([CPUS[0]], machine="none") as kernels, pytest.raises(RuntimeError, match="hot: a worker failed"):
        kernels.ns("hot", (0,), 100)
    assert "operations failed" in capfd.readouterr().err


def test_every_work_has_a_twin_in_c():
    text = SOURCE.read_text()
    assert all(f'{{ "{name}", ' in text for name in WORKS)


def test_bitmaps_have_their_densities():
    words = np.zeros(64, np.int64)
    fill_bitmaps(words)
    counts = [int(np.bitwise_count(words[8 * row : 8 * row + 8].view(np.uint64)).sum()) for row in range(4)]
    assert counts == list(DENSITIES.values()) == [512, 256, 51, 8]


@pytest.mark.slow
@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="measures")
def test_every_work_runs_on_its_machine(monkeypatch):
    monkeypatch.setattr(slices, "COPY_FRAMES", 1 << 12)
    machine = make_machines(1)
    next_desc = machine.small.arrays["folio_next"]
    for ring, length in enumerate(RINGS.values()):
        start = at = int(machine.small.arrays["gang_desc"][ring])
        for _ in range(min(length, 5_000)):
            at = int(next_desc[at]) - 1
        assert length > 5_000 or at == start, "a ring"
    for name, work in WORKS.items():
        assert work(machine, 0, 0) > 0, name
