"""Requests to a scheduler: the words of operations, and which accesses are points. tests/stress/explore tests how tasks switch."""

import pytest

from kernels.base import points
from kernels.base.layout import ARRAY_START, FIELDS
from kernels.base.memory import FieldType


@pytest.mark.parametrize("name", ["memdesc", "refcount", "ev_kind", "u_word"])
@pytest.mark.parametrize("kind", [points.LOAD, points.CAS, points.AWAIT])
def test_the_word_of_an_operation_is_unpacked(name, kind):
    word = points.operation(kind, 5, name)
    assert word & points.KIND_MASK == kind
    assert word >> points.ORDER_SHIFT & points.ORDER_MASK == 5
    assert word >> points.BYTES_SHIFT & points.BYTES_MASK == FIELDS[name][1] // 8
    assert points.FIELD_NAMES[word >> points.FIELD_SHIFT] == name


def test_every_kind_has_a_name_and_fits():
    assert points.KIND_NAMES[points.AWAIT] == "await"
    assert len(points.KIND_NAMES) - 1 == points.AWAIT <= points.KIND_MASK


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_known_by_where_it_is(name):
    field = FieldType(*FIELDS[name])
    assert points.field_name(field) == name
    assert points.is_scheduled(field) == (name not in points.UNSCHEDULED)


def test_shared_words_are_points_and_the_statistics_of_a_cpu_are_not():
    for name in ("memdesc", "refcount", "flags", "pte", "lock_word", "cache", "contents", "tlb_generation", "rcu_seq", "zone_free"):
        assert name not in points.UNSCHEDULED
    for name in ("counters", "hist", "ring_event", "rng0", "shadow", "halt", "bug_code", "nr_frames"):
        assert name in points.UNSCHEDULED or name not in FIELDS


def test_an_address_is_that_of_the_element():
    slot, _, stride, offset = FIELDS["mapping"]
    assert points.field_address(1 << 40, "mapping", 3) == (1 << 40) + ARRAY_START[slot] + offset + 3 * stride


def test_without_a_scheduler_nothing_is_asked():
    assert not points.schedules()
