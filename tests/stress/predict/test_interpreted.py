"""Workloads on virtual CPUs, in processes whose kernels are interpreted."""

import pytest

from stress.errors import HostError
from stress.predict.interpreted import Interpreters, VirtualJob

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results():
    with Interpreters(2) as interpreters:
        yield lambda *jobs: list(interpreters.results(jobs))


def test_one_cpu_moves_nothing_and_two_on_one_line_do(results):
    alone, both = results(VirtualJob("get_put_shared", 1), VirtualJob("get_put_shared", 2))
    assert (alone.transfers, alone.upgrades, alone.invalidations, alone.pauses) == (0, 0, 0, 0)
    assert (alone.plain, alone.atomics) == (1, 2)  # load, compare-exchange, add
    assert both.transfers > 0.1
    assert both.ops_per_us < alone.ops_per_us


def test_a_turn_moves_the_line_there_and_back(results):
    (turns,) = results(VirtualJob("turns", 2, hold_ns=0.0, transfer_ns=50.0))
    assert turns.transfers == pytest.approx(1, abs=0.1)  # per write: the other CPU reads it
    assert turns.upgrades == pytest.approx(1, abs=0.1)
    assert 1000 * 2 / turns.ops_per_us == pytest.approx(200, rel=0.1)  # four times 50 ns a turn of both


def test_work_apart_scales_and_moves_nothing(results):
    one, many = results(VirtualJob("get_put_own", 1), VirtualJob("get_put_own", 16))
    assert many.ops_per_us == pytest.approx(16 * one.ops_per_us, rel=0.05)
    assert many.transfers + many.socket_transfers + many.upgrades == 0


def test_dearer_sockets_cost_time_and_are_counted_apart(results):
    near, far = results(*(VirtualJob("add", 8, sockets=2, socket_ns=ns) for ns in (50.0, 500.0)))
    assert near.socket_transfers > 0
    assert far.ops_per_us < near.ops_per_us
    (one,) = results(VirtualJob("add", 8, sockets=1))
    assert one.socket_transfers == 0


def test_the_same_seed_gives_the_same_schedule(results):
    first, again, other = results(*(VirtualJob("fault", 2, max_accesses=20_000, seed=seed) for seed in (1, 1, 2)))
    assert first == again
    assert first != other


def test_a_lock_is_handed_over_and_waited_for(results):
    (bulk,) = results(VirtualJob("bulk", 4))
    assert bulk.ops > 100
    assert bulk.pauses > 0
    assert bulk.transfers > 0


def test_a_small_cache_evicts(results):
    small, large = results(VirtualJob("bulk", 1, cache_lines=64), VirtualJob("bulk", 1))
    assert small.evictions > 0
    assert large.evictions == 0


def test_a_job_that_fails_is_one_error():
    with Interpreters(1) as interpreters, pytest.raises(HostError, match="no-such"):
        list(interpreters.results([VirtualJob("no-such", 2)]))


def test_a_job_that_would_end_too_late_does_not_begin(results):
    with Interpreters(1) as interpreters:
        assert list(interpreters.results([VirtualJob("add", 1)], end_s=0.0)) == []
