"""The layout's tables: nothing overlaps, nothing is named twice, and every bug names the invariant that it breaks."""

from itertools import pairwise

import pytest

from kernels.base import counter
from kernels.base.layout import (
    ARRAY_START,
    ARRAYS,
    COUNTER_STRIDE,
    COUNTERS,
    FIELDS,
    LENGTHS_WORD,
    LINE_PAIR_BYTES,
    PARAMS,
    SEGMENT_BYTES,
    Bug,
)


@pytest.mark.parametrize("spec", ARRAYS, ids=lambda spec: spec.name)
def test_fields_of_a_record_are_aligned_and_do_not_overlap(spec):
    assert all(field.offset % (field.bits // 8) == 0 for field in spec.fields)
    ends = [0] + [field.offset + field.bits // 8 for field in spec.fields]
    assert all(end <= field.offset for end, field in zip(ends, spec.fields, strict=False))
    assert ends[-1] <= spec.stride


def test_arrays_of_the_largest_size_do_not_overlap():
    ranges = sorted((start, start + spec.bytes_max) for start, spec in zip(ARRAY_START, ARRAYS, strict=True))
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges))
    assert ranges[-1][1] <= SEGMENT_BYTES


def test_no_name_is_used_twice():
    fields = [field.name for spec in ARRAYS for field in spec.fields]
    for names in (COUNTERS, fields, [spec.name for spec in ARRAYS], [*PARAMS, *fields]):
        assert len(set(names)) == len(names)
    assert len(FIELDS) == len(fields)


def test_parameters_and_lengths_fit_the_header():
    assert len(PARAMS) <= LENGTHS_WORD
    assert LENGTHS_WORD + len(ARRAYS) <= ARRAYS[0].length(None)


def test_no_two_cpus_share_a_line_of_counters():
    assert len(COUNTERS) <= COUNTER_STRIDE
    assert COUNTER_STRIDE * 8 % LINE_PAIR_BYTES == 0


def test_a_kernel_counts_what_python_reads(machine):
    machine.on(1).count(counter.MET_COW_ON_PINNED, 2)
    machine.on(2).count(counter.CAUSE_NUMA_MISPLACED_NOMEM, 3)
    assert (machine.counter("met_cow_on_pinned"), machine.counter("cause_numa_misplaced_nomem")) == (2, 3)


def test_every_bug_breaks_an_invariant():
    assert all(bug.invariant and bug.summary and bug.seen and bug.wanted for bug in Bug)
