"""Slabs: objects, the list that a slab is on, and empty slabs that are freed."""

import pytest

from kernels.base.layout import NR_ULISTS, SLAB_MIN_EMPTY, UL_SLAB_EMPTY, UL_SLAB_PARTIAL, Bug, Type

OBJECTS = 2  # of four words in a frame of eight


def hold(m, nr_objects):
    found = []
    for _ in range(nr_objects):
        obj = m.slab_alloc(0, 7)
        found.append(obj if obj >= 0 else m.slab_alloc_new(m.alloc_frozen_pages(0, 0, 2), 7))
    return found


def listed(m):
    return m["u_listed"][UL_SLAB_PARTIAL], m["u_listed"][UL_SLAB_EMPTY]


def end(m):
    m.slab_shrink(0)
    assert not m["u_head"][:NR_ULISTS].any()
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert m.free_frames() == 512


def test_a_slab_is_on_the_list_for_its_number_of_objects(machine):
    m = machine
    first, second = hold(m, OBJECTS)
    assert first >> 8 == second >> 8
    assert m.word(first >> 8) & 15 == Type.SLAB
    assert listed(m) == (0, 0)
    m.slab_free(first, 7)
    assert listed(m) == (1, 0)
    m.slab_free(second, 7)
    assert listed(m) == (0, 1)
    again = hold(m, 1)[0]
    assert again >> 8 == first >> 8, "an empty slab is used again"
    m.slab_free(again, 7)
    end(m)


def test_no_reference_and_no_migration(machine):
    m = machine
    obj = hold(m, 1)[0]
    assert m.try_get_pfn(obj >> 8) == -1
    assert not m.is_movable(m.word(obj >> 8))
    m.slab_free(obj, 7)
    end(m)


@pytest.mark.meets("slab_shrunk_under_pressure")
def test_surplus_is_freed_immediately_and_the_rest_under_pressure(machine):
    m = machine
    held = hold(m, OBJECTS * (SLAB_MIN_EMPTY + 2))
    for obj in held:
        m.slab_free(obj, 7)
    assert listed(m) == (0, SLAB_MIN_EMPTY)
    assert m.shrink_node(0, 1) == SLAB_MIN_EMPTY
    assert (m.counter("nr_slab_freed"), m.counter("met_slab_shrunk_under_pressure")) == (SLAB_MIN_EMPTY, 1)
    assert m.slab_shrink(0) == 0
    end(m)


@pytest.mark.parametrize("how", ["twice", "another's"])
def test_a_wrong_free_is_a_bug(machine, how):
    m = machine
    first, _ = hold(m, 2)
    if how == "twice":
        m.slab_free(first, 7)
    m.expect_bug(Bug.HANDLE, lambda: m.slab_free(first, 7 if how == "twice" else 8))
    m["halt"][0] = 1  # the child left with the lock held


def test_out_of_descriptors(machine):
    m = machine
    top, m["udesc_top"][0] = int(m["udesc_top"][0]), 0
    pfn = m.alloc_frozen_pages(0, 0, 2)
    assert m.slab_alloc_new(pfn, 7) == -1
    m["udesc_top"][0] = top
    m.free_frozen_pages(pfn, 0)
