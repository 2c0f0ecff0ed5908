"""Percentiles from log buckets, against a sorted list."""

import numpy as np
import pytest

from kernels.base.layout import HIST_BUCKETS
from stress.storm.latency import bucket_bounds, percentiles


def bucket_of(value):
    """The bucket that holds a value, by looking at all of them."""
    return next(bucket for bucket in range(HIST_BUCKETS) if bucket_bounds(bucket)[0] <= value < bucket_bounds(bucket)[1])


def test_buckets_cover_every_value_once_within_their_error():
    end = 0
    for bucket in range(HIST_BUCKETS):
        first, next_end = bucket_bounds(bucket)
        assert first == end
        assert next_end - first <= max(1, first / 16)
        end = next_end
    assert end > 10**12


def test_percentiles_are_within_a_bucket_of_the_exact_ones():
    values = sorted(int(value) for value in np.random.default_rng(3).lognormal(6, 2, 1000))
    counts = np.zeros(HIST_BUCKETS, np.int64)
    for value in values:
        counts[bucket_of(value)] += 1
    found = percentiles(counts)
    for name, rank in (("p50", 500), ("p99", 990), ("p99.9", 999)):
        assert found[name] == pytest.approx(values[rank - 1], rel=1 / 16, abs=1)


def test_nothing_counted_is_no_percentile():
    assert percentiles(np.zeros(HIST_BUCKETS, np.int64)) == {"p50": None, "p99": None, "p99.9": None}
