"""MESI: traces counted by hand, and what holds for any trace."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.predict.coherence import Coherence, LineCosts, Traffic

FREE = LineCosts(0.0, 0.0, 0.0)


def played(trace, sockets=(0, 0, 1, 1), costs=FREE, cache_lines=None):
    """The traffic of a trace of (CPU, "r" or "w", line), one access after the other has ended."""
    caches, now_ns = Coherence(list(sockets), costs, cache_lines), 0.0
    for cpu, what, line in trace:
        now_ns = (caches.read if what == "r" else caches.write)(cpu, line, now_ns) + 1000.0
    return caches.traffic


@pytest.mark.parametrize(
    ("trace", "wanted"),
    [
        ([(0, "r", 1), (0, "w", 1), (0, "w", 1)], {"fills": 1}),  # exclusive, then modified without a request
        ([(0, "w", 1), (1, "r", 1)], {"fills": 1, "transfers": 1}),
        ([(0, "w", 1), (1, "r", 1), (0, "w", 1)], {"fills": 1, "transfers": 1, "upgrades": 1, "invalidations": 1}),
        ([(0, "w", 1), (1, "r", 1), (2, "r", 1), (0, "w", 1)],
         {"fills": 1, "transfers": 1, "socket_transfers": 1, "upgrades": 1, "invalidations": 2}),
        ([(0, "w", 1), (2, "w", 1)], {"fills": 1, "socket_transfers": 1, "invalidations": 1}),
        ([(0, "r", 1), (2, "r", 1), (3, "r", 1)], {"fills": 1, "socket_transfers": 1, "transfers": 1}),  # the nearest copy answers
        ([(0, "w", 1), (1, "w", 2)], {"fills": 2}),
    ],
)  # fmt: skip
def test_a_trace_counts_what_a_hand_counts(trace, wanted):
    assert asdict(played(trace)) == asdict(Traffic(**wanted))


def test_two_cpus_that_write_in_turn_move_the_line_once_a_write():
    turns = 50
    traffic = played([(number % 2, "w", 7) for number in range(turns)])
    assert (traffic.fills, traffic.transfers, traffic.invalidations, traffic.upgrades) == (1, turns - 1, turns - 1, 0)


TRACES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("rw"), st.integers(0, 5)), max_size=80)


@settings(deadline=None)
@given(TRACES)
def test_every_miss_is_a_fill_a_transfer_or_an_upgrade(trace):
    """A copy for each CPU and line, kept beside the caches by the plainest rules."""
    copies, alone, misses, invalidated = {}, {}, 0, 0
    for cpu, what, line in trace:
        have = copies.setdefault(line, set())
        if what == "r":
            misses += cpu not in have
            alone[line] = cpu if not have else alone.get(line) if cpu in have else None
            have.add(cpu)
        else:
            misses += alone.get(line) != cpu
            invalidated += len(have - {cpu})
            copies[line], alone[line] = {cpu}, cpu
    traffic = played(trace)
    assert traffic.fills + traffic.transfers + traffic.socket_transfers + traffic.upgrades == misses
    assert traffic.invalidations == invalidated
    assert traffic.fills == len({line for *_, line in trace})


@given(TRACES)
def test_one_cpu_moves_nothing(trace):
    traffic = played([(0, what, line) for _, what, line in trace])
    assert asdict(traffic) == asdict(Traffic(fills=len({line for *_, line in trace})))


@given(TRACES)
def test_one_socket_has_no_transfers_across(trace):
    one, two = played(trace, sockets=(0, 0, 0, 0)), played(trace)
    assert one.socket_transfers == 0
    assert one.transfers == two.transfers + two.socket_transfers


def test_a_full_cache_evicts_the_least_recently_used():
    trace = [(0, "r", 1), (0, "r", 2), (0, "r", 1), (0, "r", 3), (0, "r", 1), (0, "r", 2)]
    traffic = played(trace, cache_lines=2)
    assert (traffic.fills, traffic.evictions) == (4, 2)  # 2 went for 3, and 3 went for 2


def test_a_request_waits_for_the_requests_before_it():
    caches = Coherence([0, 0, 0], LineCosts(0.0, 10.0, 99.0))
    assert caches.write(0, 1, 0.0) == 0.0
    assert caches.write(1, 1, 5.0) == 15.0
    assert caches.write(2, 1, 6.0) == 25.0


def test_the_owner_uses_a_line_until_the_request_arrives():
    costs = LineCosts(10.0, 10.0, 99.0)
    caches = Coherence([0, 0], costs, seed=1)
    caches.write(0, 1, 0.0)
    arrives_ns = caches.write(1, 1, 5.0)
    leaves_ns = arrives_ns - costs.transfer_ns
    assert 5.0 <= leaves_ns <= 5.0 + 2 * costs.hold_ns
    assert caches.write(0, 1, (5.0 + leaves_ns) / 2) == (5.0 + leaves_ns) / 2
    assert caches.write(0, 1, leaves_ns + 1) > arrives_ns
    assert caches.traffic.transfers == 2


def test_a_posted_store_leaves_no_copy_behind():
    caches = Coherence([0, 0], LineCosts(10.0, 10.0, 99.0))
    caches.write(0, 1, 0.0)
    caches.write(1, 1, 5.0, posted=True)
    assert caches.read(0, 1, 5.0) > 5.0
