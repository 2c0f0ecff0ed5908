"""Latency percentiles from the log buckets of the segment: exact below 16 ns, then 16 buckets an octave, at most 6.25 % wide.

This is the inverse of bucket_of() in kernels/base/vmstat.py. Histograms of several CPUs are summed.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import HIST_BUCKETS, HIST_SUB_BITS

PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """The values [first, end) in nanoseconds that a bucket counts."""
    sub_buckets = 1 << HIST_SUB_BITS
    if bucket < sub_buckets:
        return bucket, bucket + 1
    exponent = (bucket >> HIST_SUB_BITS) - 1
    first = (sub_buckets + (bucket & (sub_buckets - 1))) << exponent
    return first, first + (1 << exponent)


_MIDDLES = np.array([(first + end - 1) / 2 for first, end in map(bucket_bounds, range(HIST_BUCKETS))])


def percentiles(counts: npt.NDArray[Any]) -> dict[str, float | None]:
    """The PERCENTILES of one summed histogram: the middle of each one's bucket; None if nothing was counted."""
    cumulative = np.cumsum(counts)
    total = int(cumulative[-1])
    if total == 0:
        return dict.fromkeys(PERCENTILES)
    ranks = [max(1, int(np.ceil(total * percent / 100))) for percent in PERCENTILES.values()]
    return {name: float(_MIDDLES[np.searchsorted(cumulative, rank)]) for name, rank in zip(PERCENTILES, ranks, strict=True)}
