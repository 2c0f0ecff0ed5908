"""Allocators by pattern: which blocks each pattern frees, what the figures are, the command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stress.errors import HostError, UserError
from stress.measure import allocators
from stress.measure.allocators import GET, PAIR, PATTERNS, PUT, ROUNDS, Workload, check, cpu_ns, line, result_of, work

ROOT = Path(__file__).parents[3]
BLOCKS = 50


class Idle:
    """Workers that wait for no other."""

    def wait(self, worker):
        pass


@pytest.fixture
def freed(monkeypatch):
    """A stand-in for the entries: block k of worker w is frame 1000 * w + k. What each call frees, in order."""
    mem, freed = SimpleNamespace(arrays={"ev_pfn": np.zeros(2 * BLOCKS, np.int64)}), []

    def alloc_blocks(mem, cpu, order, first, nr_blocks):
        mem.arrays["ev_pfn"][first : first + nr_blocks] = 1000 * cpu + np.arange(nr_blocks)
        return nr_blocks

    def free_blocks(mem, cpu, order, first, nr_blocks):
        freed.append(mem.arrays["ev_pfn"][first : first + nr_blocks].tolist())
        return nr_blocks

    alloc_blocks(mem, 1, 0, BLOCKS, BLOCKS)  # the other worker has its blocks
    fakes = SimpleNamespace(alloc_blocks=alloc_blocks, free_blocks=free_blocks, alloc_free=lambda mem, cpu, order, nr_ops: nr_ops)
    monkeypatch.setattr(allocators, "entries", fakes)
    return mem, freed


def rounds_of(freed, pattern, nr_workers=2):
    figures = np.zeros((2, nr_workers, 3))
    work(freed[0], Workload(pattern, 0, nr_workers, BLOCKS), 0, Idle(), figures)
    return figures


def test_bulk_frees_its_own_in_order(freed):
    rounds_of(freed, "bulk")
    assert freed[1] == [list(range(BLOCKS))] * 2


def test_random_frees_its_own_in_another_order_each_round(freed):
    rounds_of(freed, "random")
    first, second = freed[1]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(BLOCKS))
    assert first != sorted(first)


def test_remote_frees_the_other_worker_s(freed):
    rounds_of(freed, "remote")
    assert freed[1] == [[1000 + k for k in range(BLOCKS)]] * 2


def test_remote_with_one_worker_is_bulk(freed):
    rounds_of(freed, "remote", nr_workers=1)
    assert freed[1] == [list(range(BLOCKS))] * 2


def test_a_pair_is_timed_whole_and_the_others_in_halves(freed):
    pair, bulk = rounds_of(freed, "pair"), rounds_of(freed, "bulk")
    assert (pair[:, 0, PAIR] > 0).all()
    assert not pair[:, :, [GET, PUT]].any()
    assert (bulk[:, 0] > 0).all()
    assert bulk[:, 0, PAIR] == pytest.approx(bulk[:, 0, GET] + bulk[:, 0, PUT])
    assert not bulk[:, 1].any(), "the other worker's figures are its own"


def test_operations_that_fail_are_an_error():
    with pytest.raises(RuntimeError, match="9 of 10"):
        cpu_ns(lambda: 9, 10)


def test_a_figure_is_the_median_of_the_workers_means():
    figures = np.zeros((3, 2, 3))
    figures[:, 0, PUT], figures[:, 1, PUT] = (10, 20, 90), (20, 40, 10)
    found = result_of(Workload("bulk", 3, 2, 7), "buddy", figures)
    assert found["put_ns"]["rounds"] == [15, 30, 50]
    assert found["put_ns"]["median"] == 30
    assert found["put_ns"]["coverage"] == 0.75
    assert line(found) == "buddy, bulk, order 3, 2 worker(s), 7 blocks each: get 0.0, put 30.0, get + put 0.0 ns"
    assert line(result_of(Workload("pair", 3, 2, 7), "buddy", figures)).endswith("7 blocks each: get + put 0.0 ns")


@pytest.mark.parametrize(
    ("load", "error", "said"),
    [
        (Workload("pair", 11, 1, 1), UserError, "order 11"),
        (Workload("pair", -1, 1, 1), UserError, "order -1"),
        (Workload("pair", 0, 0, 1), UserError, "at least 1"),
        (Workload("pair", 0, 1, 0), UserError, "at least 1"),
        (Workload("pair", 0, 3, 1), HostError, "3 workers, 2 processors"),
    ],
)
def test_impossible_workloads_are_refused(load, error, said):
    with pytest.raises(error, match=said):
        check(load, [0, 1])


def run(*words):
    command = [sys.executable, "-m", "stress.measure.allocators", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status"), [(("pair", 0, 1000, 1), 4), (("pair", 99, 1, 1), 2), (("bulk", 0, 1, 1, "--json", "/nosuch/x"), 2)]
)
def test_mistakes_are_one_line(words, status):
    refused = run(*words)
    assert refused.returncode == status
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="measures")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_command_measures_every_pattern(pattern, tmp_path):
    nr_workers = min(2, len(os.sched_getaffinity(0)))
    done = run(pattern, 1, nr_workers, 500, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["schema"] == allocators.SCHEMA
    assert (found["pattern"], found["order"], found["nr_workers"], found["nr_blocks"]) == (pattern, 1, nr_workers, 500)
    assert len(found["pair_ns"]["rounds"]) == ROUNDS
    assert min(found["pair_ns"]["rounds"]) > 0
    assert ("put_ns" in found) == (pattern != "pair")
    assert done.stdout.startswith(f"buddy, {pattern}, order 1, ")
