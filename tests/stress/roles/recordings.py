"""Traces for role replay, made up by a seed."""

import numpy as np

from stress.storm.trace import read_trace


def write_trace(path, events):
    """Parameters  events: (cpu, alloc, pfn, order, migratetype), one a nanosecond."""
    cpu, alloc, pfn, order, migratetype = (np.array(column) for column in zip(*events, strict=True))
    np.savez(path, t_ns=np.arange(len(events)), cpu=cpu, alloc=alloc.astype(bool), pfn=pfn, order=order, migratetype=migratetype)
    return read_trace(path)


def random_events(nr_events, nr_cpus, max_order, seed):
    """Allocations of all orders and types; two in three are freed again, half of those by another CPU."""
    random = np.random.default_rng(seed)
    live, events = [], []
    for number in range(nr_events):
        cpu = int(random.integers(nr_cpus))
        if live and random.random() < 0.45:
            pfn, order = live.pop(int(random.integers(len(live))))
            events.append((cpu, 0, pfn, order, -1))
        else:
            order = int(random.integers(max_order + 1)) if random.random() < 0.3 else 0
            live.append((number << 10, order))
            events.append((cpu, 1, number << 10, order, int(random.integers(3))))
    return events
