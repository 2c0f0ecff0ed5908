"""Virtual CPUs that make accesses by hand: their times, their order, what they wait for."""

import numpy as np
import pytest

from kernels.base import points
from kernels.base.points import BYTES_SHIFT, CAS, FENCE, FETCH_ADD, LOAD, STORE, WAIT
from stress.predict.coherence import Coherence, LineCosts
from stress.predict.virtual import AccessCosts, VirtualCpus

pytest.importorskip("greenlet")

PLAIN_NS, ATOMIC_NS, PAUSE_NS, TRANSFER_NS = 1.0, 5.0, 20.0, 40.0
LINE_WORDS = 8


class Bench:
    """Some CPUs and a few lines of memory, one word of each line used."""

    def __init__(self, nr_cpus, seed=1, max_accesses=20_000):
        whole = np.zeros(10 * LINE_WORDS, np.int64)
        first = -whole.ctypes.data % 64 // 8  # so that words 0, 8, 16 begin a line each
        self.words = whole[first : first + 8 * LINE_WORDS]
        caches = Coherence([0] * nr_cpus, LineCosts(0.0, TRANSFER_NS, TRANSFER_NS))
        self.cpus = VirtualCpus(caches, nr_cpus, AccessCosts(PLAIN_NS, ATOMIC_NS, PAUSE_NS), seed, max_accesses)

    def access(self, kind, line=0, first=0, second=0):
        """One access as a kernel requests it; its result."""
        request = (kind | 8 << BYTES_SHIFT, self.words.ctypes.data + 64 * line, first, second)
        points.STATE[points.REQUESTS : points.REQUESTS + 4] = request
        assert self.cpus.serve()
        return points.STATE[points.RESULT]

    def add(self, line=0):
        """Add to a word: an operation that succeeds."""
        self.access(FETCH_ADD, line, 1)
        return 1

    def run(self, work, calls=50):
        return self.cpus.run(work, 2, calls)


@pytest.mark.parametrize(
    ("kinds", "wanted_ns"),
    [
        ((LOAD,), PLAIN_NS),
        ((STORE,), PLAIN_NS),
        ((FETCH_ADD,), ATOMIC_NS),
        ((FENCE,), ATOMIC_NS),
        ((LOAD, FETCH_ADD), PLAIN_NS + ATOMIC_NS),
    ],
)
def test_a_cpu_alone_pays_for_its_accesses_only(kinds, wanted_ns):
    bench = Bench(1)

    def work(_):
        for kind in kinds:
            bench.access(kind)
        return 1

    run = bench.run(work)
    assert run.ns / run.ops == pytest.approx(wanted_ns)
    assert run.traffic.transfers == run.traffic.fills == 0


def test_cpus_on_lines_of_their_own_do_not_disturb_each_other():
    bench, alone = Bench(4), Bench(1)
    together = bench.run(bench.add)
    single = alone.run(alone.add)
    assert together.ops_per_us == pytest.approx(4 * single.ops_per_us, rel=0.05)
    assert together.traffic.transfers == 0


def test_no_addition_to_a_shared_word_is_lost_and_each_moves_the_line():
    bench, made = Bench(3), [0]

    def work(_):
        bench.access(FETCH_ADD, 0, 1)
        made[0] += 1
        return 1

    run = bench.run(work)
    assert made[0] <= bench.words[0] <= made[0] + 2, "a CPU may be stopped between its addition and its count"
    assert run.traffic.transfers >= 0.9 * run.ops
    assert run.ns / run.ops >= TRANSFER_NS


def test_a_compare_exchange_stores_only_over_what_it_expects():
    bench, seen = Bench(1), []

    def work(_):
        seen.append((bench.access(CAS, 0, 7, 9), int(bench.words[0])))
        return 1

    bench.words[0] = 7
    bench.run(work, calls=3)
    assert seen[:3] == [(7, 9), (9, 9), (9, 9)]


def test_a_cpu_that_waits_sleeps_until_the_line_that_it_read_is_written():
    """CPU 0 stores the number of its turn after a thousand loads of another line; CPU 1 waits for each."""
    bench, turn = Bench(2), [0]

    def work(cpu):
        if cpu == 0:
            for _ in range(1000):
                bench.access(LOAD, 1)
            turn[0] += 1
            bench.access(STORE, 0, turn[0])
        else:
            before = bench.access(LOAD, 0)
            while bench.access(LOAD, 0) == before:
                bench.access(WAIT)
        return 1

    run = bench.run(work, calls=5)
    assert run.tally.pauses <= 4 * run.ops, "a spin loop that looked each time would pause 50 times a turn"


def test_cpus_that_all_wait_for_each_other_are_an_error():
    bench = Bench(2)

    def work(_):
        while bench.access(LOAD) == 0:
            bench.access(WAIT)
        return 1

    with pytest.raises(RuntimeError, match="every virtual CPU waits"):
        bench.run(work)
    assert points.interpreter is None


def test_the_seed_decides_the_order():
    def contended(seed):
        bench, order = Bench(3, seed), []
        bench.run(lambda cpu: order.append(cpu) or bench.add())
        return order

    assert contended(1) == contended(1)
    assert contended(1) != contended(2)


def test_a_run_ends_when_its_accesses_are_used_up():
    bench = Bench(2, max_accesses=300)
    run = bench.run(bench.add, calls=10**9)
    assert run.tally.atomics <= 300
    assert run.ops > 0
