"""Counters, buckets and the flight recorder of a CPU."""

import pytest

from kernels.base.layout import COUNTER, COUNTER_STRIDE, HIST_BUCKETS, NR_ROLES_MAX, RING_EVENTS
from tests.kernels import kit


def test_a_row_is_its_cpus_own(machine):
    machine.on(1).count(COUNTER["pgfault"], 3)
    rows = machine["counters"].reshape(3, COUNTER_STRIDE)
    assert rows[:, COUNTER["pgfault"]].tolist() == [0, 3, 0]


def test_buckets_ascend_and_are_exact_to_one_in_sixteen(machine):
    values = [*range(64), *(base + offset for base in (1 << 10, 1 << 20, 1 << 40) for offset in (-1, 0, 1, base >> 2))]
    buckets = [machine.bucket_of(value) for value in sorted(values)]
    assert buckets == sorted(buckets)
    assert buckets[:16] == list(range(16))
    assert machine.bucket_of(1 << 62) == HIST_BUCKETS - 1
    assert machine.bucket_of(1 << 10) == machine.bucket_of((1 << 10) + 63) != machine.bucket_of((1 << 10) + 64)


def test_latency_is_a_mean(machine):
    machine.on(1).record_latency(2, 4, 400)  # 1000 cycles per us: 1 cycle is 1 ns
    row = machine["hist"].reshape(3, NR_ROLES_MAX, HIST_BUCKETS)[1, 2]
    assert row[machine.bucket_of(100)] == row.sum() == 4


def test_the_ring_keeps_the_newest(machine):
    m = machine
    start = int(m["ring_head"][0])
    for number in range(RING_EVENTS + 3):
        m.trace(5, number, -number)
    assert m["ring_head"][0] == start + RING_EVENTS + 3
    newest = (start + RING_EVENTS + 2) % RING_EVENTS
    assert (m["ring_pfn"][newest], m["ring_result"][newest]) == (RING_EVENTS + 2, -RING_EVENTS - 2)
    assert m["ring_pfn"][(newest + 1) % RING_EVENTS] == 3


@pytest.mark.usefixtures("built")
def test_nothing_is_recorded_when_tracing_is_off():
    m = kit.make_machine(tracing=0)
    m.trace(5, 1, 2)
    assert m["ring_head"][0] == 0
