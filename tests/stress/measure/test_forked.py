"""Entries in forked and pinned processes: the command, and what a figure is made of."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kernels.base.layout import GANG
from stress.measure import machines
from stress.measure.forked import CHUNK_OPS, MAX_WORKERS, RINGS, WORKS, Forked

pytestmark = pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="measures")
ROOT = Path(__file__).parents[3]
CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture
def no_machine(monkeypatch):
    """A machine that no kernel looks at."""
    monkeypatch.setattr(machines, "reference_machine", lambda nr_cpus: None)


def test_a_figure_is_the_mean_of_the_workers(no_machine, monkeypatch):
    monkeypatch.setitem(WORKS, "hot", (lambda mem, cpu, first, nr_ops: nr_ops, CHUNK_OPS))
    assert 0 < Forked([CPUS[0], CPUS[-1]]).ns("hot", (0, 1)) < 1e6


def test_operations_that_fail_are_an_error(no_machine, monkeypatch, capfd):
    monkeypatch.setitem(WORKS, "hot", (lambda mem, cpu, first, nr_ops: nr_ops - 1, CHUNK_OPS))
    with pytest.raises(RuntimeError, match="hot: a worker failed"):
        Forked([CPUS[0]]).ns("hot", (0,))
    assert "operations failed" in capfd.readouterr().err


def test_each_worker_runs_on_its_processor(no_machine, monkeypatch):
    def on_its_own(mem, cpu, first, nr_ops):
        return nr_ops if os.sched_getaffinity(0) == {processors[cpu]} else 0

    processors = [CPUS[-1], CPUS[0]]
    monkeypatch.setitem(WORKS, "hot", (on_its_own, CHUNK_OPS))
    assert Forked(processors).ns("hot", (0, 1)) > 0


def test_a_walk_gets_its_ring(no_machine, monkeypatch):
    seen = []
    monkeypatch.setattr(machines, "link_ring", lambda mem, nr_descs: seen.append(nr_descs))
    for name in RINGS:
        monkeypatch.setitem(WORKS, name, (lambda mem, cpu, first, nr_ops: nr_ops, CHUNK_OPS))
        Forked([CPUS[0]]).ns(name, (0,))
    assert seen == list(RINGS.values())


def test_a_ring_leads_through_each_descriptor_once():
    mem = SimpleNamespace(arrays={"folio_next": np.zeros(64, np.int64), "gang_desc": np.zeros(2 * GANG, np.int64)})
    machines.link_ring(mem, 20)
    at, visited = int(mem.arrays["gang_desc"][0]), []
    for _ in range(20):
        visited.append(at)
        at = int(mem.arrays["folio_next"][at]) - 1
    assert sorted(visited) == list(range(20))
    assert at == visited[0]
    assert np.flatnonzero(mem.arrays["gang_desc"] == visited[0]).tolist() == [0, GANG], "each CPU's first walk"


def run(*words):
    command = [sys.executable, "-m", "stress.measure.forked", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_more_workers_than_processors_are_refused():
    refused = run("hot", min(len(CPUS), MAX_WORKERS) + 1)
    assert refused.returncode == 4
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_command_prints_the_cost_of_a_pair():
    done = run("hot", 1, "--figures", 1)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["ns_per_op"] > 0
    assert figures["retries_per_op"] == 0  # one worker, one line
