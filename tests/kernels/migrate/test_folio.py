"""Migration of one folio: what moves, what refuses, and what a failure leaves behind (I15)."""

import time

import numpy as np
import pytest

from kernels.base.layout import FL_DIRTY, FL_ISOLATED, FL_LOCKED, FL_WRITEBACK, PTE_MIGRATION, Mode, Reason, Type
from tests.kernels.kit import in_child, until, wait
from tests.kernels.map.test_pagecache import cached

FROM_ALLOCATOR = 1


def isolated(m, pfn):
    m.drain()
    desc = m.isolate_folio(pfn, m.word(pfn), 0)
    assert desc >= 0
    return desc


def target_for(m, desc):
    dst = m.alloc_target_folio(desc, FROM_ALLOCATOR)
    assert dst >= 0
    return dst


def migrate(m, desc, dst, mode=Mode.ASYNC):
    """Both phases with the flush between them; 0 or the first negative result."""
    pending = m.folio_migrate_unmap(desc, dst, mode, Reason.COMPACTION, 0)
    if pending < 0:
        return pending
    m.flush_deferred(pending)
    return m.folio_migrate_move(desc, dst, Reason.COMPACTION)


@pytest.mark.parametrize("order", [0, 2])
def test_anonymous_memory_shared_by_fork(machine, order):
    m = machine
    src_pfn = m.touch(0, 8, order=order)
    m.lru_add_drain()
    assert m.fork_range(0, 1, 8, 1 << order) == 1 << order
    desc = isolated(m, src_pfn)
    dst = target_for(m, desc)
    dst_pfn = int(m["folio_pfn"][dst])
    contents = m["contents"].reshape(-1, 8)[src_pfn : src_pfn + (1 << order)].copy()
    assert migrate(m, desc, dst) == 0
    assert (m["contents"].reshape(-1, 8)[dst_pfn : dst_pfn + (1 << order)] == contents).all()
    for space in (0, 1):
        assert [m.pte(space, 8 + k) >> 10 for k in range(1 << order)] == list(range(dst_pfn, dst_pfn + (1 << order)))
    assert m["mapcount"][dst] == 2 << order
    m.lru_add_drain()
    assert m.refs(dst) == 2 << order
    assert m.word(src_pfn) & 15 != Type.ANON
    assert m.counter("pgmigrate_success") == 1 << order
    assert m.touch(1, 8) != dst_pfn == m.pte(0, 8) >> 10, "copied on write, as before"
    m.zap_range(0, 0, 48), m.zap_range(1, 0, 48)
    assert m.free_frames() == 512


@pytest.mark.parametrize("order", [0, 2])
def test_a_dirty_cached_file_that_is_mapped(machine, order):
    m = machine
    desc = cached(m, 0, 4, order)
    assert m.file_write(0, 0, 4, 0) == 0
    vpage = m.mem.anon_pages + 4
    src_pfn = m.touch(2, vpage, write=0)
    isolated(m, src_pfn)
    dst = target_for(m, desc)
    dst_pfn = int(m["folio_pfn"][dst])
    assert migrate(m, desc, dst) == 0
    m.lru_add_drain()
    assert m.filemap_get_entry(0, 4 + (1 << order) - 1) == dst
    m.folio_put(dst)
    assert m["flags"][dst] & FL_DIRTY
    assert m.pte(2, vpage) >> 10 == dst_pfn
    assert m.refs(dst) == (1 << order) + 1
    assert m.file_read(0, 0, 4, 0) == 0
    assert m.file_writeback(0, 4) == 1 << order
    assert m["disk"][4] == 1


def snapshot(m, desc, dst):
    """What a failed migration must not change, of source and target (I15)."""
    fields = ("refcount", "mapcount", "folio_order", "folio_pfn", "mapping", "folio_index", "folio_type", "cpupid")
    words = [m[field][[desc, dst]].tolist() for field in fields]
    flags = (m["flags"][[desc, dst]] & ~FL_LOCKED).tolist()
    return words, flags, (m["pte"] & ~4).tolist(), m["cache"].tolist(), m["memdesc"].tolist()


@pytest.mark.parametrize("kind", ["anon", "file"])
@pytest.mark.meets("count_unexpected")
def test_an_extra_reference_refuses_and_changes_nothing(machine, kind):
    m = machine
    if kind == "anon":
        pfn = m.touch(0, 8)
    else:
        cached(m, 0, 4)
        pfn = m.touch(2, m.mem.anon_pages + 4, write=0)
    desc = isolated(m, pfn)
    assert m.on(1).try_get_pfn(pfn) == desc
    dst = target_for(m, desc)
    before = snapshot(m, desc, dst)
    contents = m["contents"].copy()
    assert migrate(m, desc, dst) < 0
    assert snapshot(m, desc, dst) == before
    assert (m["contents"] == contents).all(), "nothing was copied: the count is checked first"
    assert m.counter("cause_compaction_refcount") == 1
    m.on(1).folio_put(desc)
    assert migrate(m, desc, dst) == 0


def test_migration_entries_while_a_folio_moves(machine):
    m = machine
    pfn = m.touch(0, 8)
    desc = isolated(m, pfn)
    dst = target_for(m, desc)
    pending = m.folio_migrate_unmap(desc, dst, Mode.ASYNC, 0, 0)
    assert pending == 1
    assert m.pte(0, 8) & PTE_MIGRATION
    assert m.on(1).gup_fast(0, 8, 1) == -1
    assert m.on(1).task_access(0, 8, 0) == -1, "CPU 1 walks, and finds the entry"
    assert m.task_access(0, 8, 1) == 0, "CPU 0 has a translation until it is flushed"
    m.flush_deferred(pending)
    assert m.task_access(0, 8, 1) == -1
    m.folio_migrate_undo(desc, dst, m.anon_mapping(0))
    assert m.pte(0, 8) >> 10 == pfn
    assert m.task_access(0, 8, 1) == 0
    m.free_target_folio(dst, FROM_ALLOCATOR)
    m.folio_putback(desc)


@pytest.mark.parametrize("mode", [Mode.ASYNC, Mode.SYNC_LIGHT])
def test_writeback_is_not_waited_for(machine, mode):
    m = machine
    desc = cached(m, 0, 4)
    isolated(m, int(m["folio_pfn"][desc]))
    m.folio_set(desc, FL_WRITEBACK)
    dst = target_for(m, desc)
    assert m.folio_migrate_unmap(desc, dst, mode, 0, 0) == -16
    assert not m["flags"][desc] & FL_LOCKED
    m.folio_clear(desc, FL_WRITEBACK)
    m.free_target_folio(dst, FROM_ALLOCATOR)
    m.folio_putback(desc)


@pytest.mark.parametrize(("obstacle", "mode"), [("writeback", Mode.SYNC), ("lock", Mode.SYNC_LIGHT), ("lock", Mode.SYNC)])
def test_what_the_synchronous_modes_wait_for(machine, obstacle, mode):
    m = machine
    desc = cached(m, 0, 4)
    isolated(m, int(m["folio_pfn"][desc]))
    dst = target_for(m, desc)
    if obstacle == "writeback":
        m.folio_set(desc, FL_WRITEBACK)
    else:
        m.on(2).folio_lock(desc)

    def unmap():
        assert m.on(1).folio_migrate_unmap(desc, dst, mode, 0, 0) == 0
        assert m["park_request"][0] == 1, "it returned before the obstacle was gone"

    child = in_child(unmap)
    until(lambda: m["flags"][desc] & FL_LOCKED if obstacle == "writeback" else m["cpu_waits"][1])
    time.sleep(0.01)  # for an unmap that does not wait
    m["park_request"][0] = 1  # no worker runs that it would stop
    if obstacle == "writeback":
        m.folio_clear(desc, FL_WRITEBACK)
    else:
        m.on(2).folio_unlock(desc)
    assert wait(child) == 0
    assert m["flags"][desc] & m["flags"][dst] & FL_LOCKED
    m.on(1).folio_migrate_undo(desc, dst, m.file_mapping(0))
    m.free_target_folio(dst, FROM_ALLOCATOR)
    m.folio_putback(desc)


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_lock_that_is_taken(machine, which):
    m = machine
    desc = isolated(m, m.touch(0, 8))
    dst = target_for(m, desc)
    locked = desc if which == "source" else dst
    m.on(1).folio_lock(locked)
    assert m.folio_migrate_unmap(desc, dst, Mode.ASYNC, 0, 0) == -11
    assert m.counter("cause_compaction_lock" if which == "source" else "cause_compaction_dst_lock") == 1
    m.on(1).folio_unlock(locked)
    assert migrate(m, desc, dst) == 0


@pytest.mark.meets("isolation_raced_free")
def test_freed_under_us_is_a_success(machine):
    m = machine
    desc = isolated(m, m.touch(0, 8))
    assert not m.freed_under_us(desc, 0)
    m.zap_range(0, 8, 1)
    assert m.freed_under_us(desc, 0)
    assert m.free_frames() == 512
    assert not (m["flags"] & FL_ISOLATED).any()


def test_a_target_that_a_speculator_holds_is_freed_by_its_put(machine):
    m = machine
    desc = isolated(m, m.touch(0, 8))
    dst = target_for(m, desc)
    pfn = int(m["folio_pfn"][dst])
    assert m.on(1).try_get_pfn(pfn) == dst
    m.free_target_folio(dst, FROM_ALLOCATOR)
    assert m.on(1).folio_put(dst)
    m.folio_putback(desc)
    m.zap_range(0, 8, 1)
    assert m.free_frames() == 512


def test_copy_is_exact(machine):
    m = machine
    desc = isolated(m, m.touch(0, 8, order=2))
    dst = target_for(m, desc)
    src_pfn, dst_pfn = int(m["folio_pfn"][desc]), int(m["folio_pfn"][dst])
    frames = m["contents"].reshape(-1, 8)
    frames[src_pfn : src_pfn + 4] = np.arange(32).reshape(4, 8)
    before = frames.copy()
    m.folio_copy(desc, dst)
    before[dst_pfn : dst_pfn + 4] = before[src_pfn : src_pfn + 4]
    assert (frames == before).all()
    m.free_target_folio(dst, FROM_ALLOCATOR)
    m.folio_putback(desc)
