"""Counting and recording, per CPU: counters, latency histograms, the flight recorder.

Models      mm/vmstat.c (per-CPU counters); include/trace/events/*
Differs     rows are never folded into a global one: readers sum the rows
Invariants  only its CPU writes a row, a histogram or a ring, so nothing here is atomic
"""

from kernels.base.atomics import ctz, cycles
from kernels.base.jit import kernel
from kernels.base.layout import COUNTER_STRIDE, HIST_BUCKETS, HIST_SUB_BITS, NR_ROLES_MAX, RING_EVENTS, WAITS

NR_WAITS = len(WAITS)


@kernel
def count(mem, cpu, item, amount):
    """Add `amount` to counter `item` (kernels.base.counter) of this CPU.

    Models      count_vm_events(), include/linux/vmstat.h
    Progress    wait-free
    """
    mem.counters[cpu * COUNTER_STRIDE + item] += amount


@kernel
def log2_floor(value):
    """The position of the highest set bit of a positive value.

    Returns     0..62
    Progress    wait-free
    """
    value |= value >> 1
    value |= value >> 2
    value |= value >> 4
    value |= value >> 8
    value |= value >> 16
    value |= value >> 32
    return ctz(value + 1) - 1


@kernel
def bucket_of(value):
    """The histogram bucket of a value: exact below 16, then 16 buckets an octave.

    Parameters  value: >= 0, nanoseconds
    Returns     0..HIST_BUCKETS-1
    Progress    wait-free
    """
    if value < 1 << HIST_SUB_BITS:
        return max(value, 0)
    exponent = log2_floor(value) - HIST_SUB_BITS
    bucket = ((exponent + 1) << HIST_SUB_BITS) + ((value >> exponent) & ((1 << HIST_SUB_BITS) - 1))
    return min(bucket, HIST_BUCKETS - 1)


@kernel
def record_latency(mem, cpu, role, nr_ops, elapsed_cycles):
    """Put the mean of `nr_ops` operations that took `elapsed_cycles` into the histogram of (cpu, role), in ns.

    Progress    wait-free
    """
    elapsed_ns = elapsed_cycles * 1000 // mem.cycles_per_us
    mem.hist[(cpu * NR_ROLES_MAX + role) * HIST_BUCKETS + bucket_of(elapsed_ns // nr_ops)] += nr_ops


@kernel
def record_wait(mem, cpu, wait, elapsed_cycles):
    """Put the duration of one long operation into the histogram of (cpu, wait), in ns.

    Parameters  wait: layout.WAIT_*
    Progress    wait-free
    """
    mem.waits[(cpu * NR_WAITS + wait) * HIST_BUCKETS + bucket_of(elapsed_cycles * 1000 // mem.cycles_per_us)] += 1


@kernel
def trace(mem, cpu, event, pfn, result):
    """Append to this CPU's flight recorder, overwriting the oldest of RING_EVENTS.

    Models      the ring of trace_event_raw_event_*()
    Progress    wait-free
    """
    if mem.tracing:
        head = mem.ring_head[cpu]
        slot = cpu * RING_EVENTS + (head & (RING_EVENTS - 1))
        mem.ring_cycles[slot] = cycles()
        mem.ring_event[slot] = event
        mem.ring_pfn[slot] = pfn
        mem.ring_result[slot] = result
        mem.ring_head[cpu] = head + 1
