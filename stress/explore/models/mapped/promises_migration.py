"""What migration promises of its cost, and of what it reports about failures, without another CPU.

CPU 0 is also in its own way: it puts a folio under writeback, keeps one locked, keeps one in an LRU batch, and leaves no target for any. A
folio under writeback is neither isolated nor unmapped. A folio that can move is not reported as held. A tail is no candidate. A folio that
was not tried has not failed. A single page is not split. A locked folio is tried as often as the mode promises.
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    C_CAUSE,
    CAUSE_LOCK,
    CAUSE_LRU_BATCH,
    EBUSY,
    FL_WRITEBACK,
    MIGRATE_ASYNC,
    MR_COMPACTION,
    NR_CAUSES,
    PTE_PFN_SHIFT,
    REFUSAL_MOVABLE,
)
from kernels.map.tlb import current_pte
from kernels.migrate.folio import folio_migrate_unmap, folio_putback
from kernels.migrate.legacy import migrate_pages
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates, scan_step, what_is_there
from kernels.migrate.targets import FROM_ALLOCATOR, FROM_SCANNER, alloc_target_folio, free_target_folio
from kernels.page.folio import folio_clear, folio_set, folio_trylock, folio_unlock
from kernels.page.memdesc import word_desc
from kernels.policy.fault import do_anonymous_page
from kernels.types.folios import isolate_folio
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, new_page, unmap_everything
from stress.explore.models._promises import counted, expect

MOVABLE, OTHER, LARGE, BATCHED = 0, 1, 2, 4
PASSES = 3  # NR_MAX_MIGRATE_ASYNC_RETRY
NEVER = 1 << 40
CAUSE = C_CAUSE + MR_COMPACTION * NR_CAUSES


@kernel
def frame_of(mem, vpage):
    """The frame of a page of task 0."""
    return current_pte(mem, 0, vpage) >> PTE_PFN_SHIFT


@kernel
def prepare(mem, cpu):
    """Two single pages side by side, and a large folio, are on the LRU."""
    new_page(mem, cpu, 0, MOVABLE)
    new_page(mem, cpu, 0, OTHER)
    do_anonymous_page(mem, cpu, 0, LARGE, 1)
    drain_all(mem)
    return 0


@kernel
def wait_for_writeback(mem, cpu):
    """A folio under writeback is not isolated; if it was isolated before, it is not unmapped."""
    pfn = frame_of(mem, MOVABLE)
    word = load_relaxed(mem.memdesc, pfn)
    desc = word_desc(word)
    folio_set(mem, desc, FL_WRITEBACK)
    expect(mem, cpu, isolate_folio(mem, cpu, pfn, word, MR_COMPACTION), -1)
    folio_clear(mem, desc, FL_WRITEBACK)
    expect(mem, cpu, isolate_folio(mem, cpu, pfn, word, MR_COMPACTION), desc)
    folio_set(mem, desc, FL_WRITEBACK)
    dst = alloc_target_folio(mem, cpu, desc, FROM_ALLOCATOR)
    expect(mem, cpu, folio_migrate_unmap(mem, cpu, desc, dst, MIGRATE_ASYNC, MR_COMPACTION, 0), -EBUSY)
    free_target_folio(mem, cpu, dst, FROM_ALLOCATOR)
    folio_clear(mem, desc, FL_WRITEBACK)
    folio_putback(mem, cpu, desc)
    drain_all(mem)


@kernel
def say_why(mem, cpu):
    """A folio that can move is reported as movable, a tail is no candidate, and a folio in a batch is reported as such."""
    expect(mem, cpu, what_is_there(mem, frame_of(mem, MOVABLE)), REFUSAL_MOVABLE)
    tail = frame_of(mem, LARGE + 1)
    expect(mem, cpu, scan_step(mem, tail, load_relaxed(mem.memdesc, tail)), -1)
    do_anonymous_page(mem, cpu, 0, BATCHED, 0)
    before, pfn = counted(mem, cpu, CAUSE + CAUSE_LRU_BATCH), frame_of(mem, BATCHED)
    expect(mem, cpu, isolate_folio(mem, cpu, pfn, load_relaxed(mem.memdesc, pfn), MR_COMPACTION), -1)
    expect(mem, cpu, counted(mem, cpu, CAUSE + CAUSE_LRU_BATCH), before + 1)


@kernel
def lack_targets(mem, cpu, base_pfn, nr_frames):
    """Of two folios without a target the first has failed, and the second was not tried; neither is split."""
    least = load_relaxed(mem.zone_min, 0)
    store_relaxed(mem.zone_min, 0, NEVER)
    failed, split = counted(mem, cpu, counter.PGMIGRATE_FAIL), counted(mem, cpu, counter.THP_MIGRATION_SPLIT)
    migrate_pages(mem, cpu, base_pfn, nr_frames, MIGRATE_ASYNC, MR_COMPACTION, FROM_SCANNER)
    expect(mem, cpu, counted(mem, cpu, counter.PGMIGRATE_FAIL) - failed, 1)
    drain_all(mem)
    fill_candidates(mem, cpu, base_pfn, nr_frames)
    migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_COMPACTION, FROM_SCANNER)
    expect(mem, cpu, counted(mem, cpu, counter.PGMIGRATE_FAIL) - failed, 2)
    expect(mem, cpu, counted(mem, cpu, counter.THP_MIGRATION_SPLIT) - split, 0)
    drain_all(mem)
    store_relaxed(mem.zone_min, 0, least)


@kernel
def meet_lock(mem, cpu, base_pfn, nr_frames):
    """A folio that stays locked is tried in each pass."""
    desc = word_desc(load_relaxed(mem.memdesc, frame_of(mem, MOVABLE)))
    expect(mem, cpu, 1 if folio_trylock(mem, cpu, desc) else 0, 1)
    before = counted(mem, cpu, CAUSE + CAUSE_LOCK)
    migrate_pages(mem, cpu, base_pfn, nr_frames, MIGRATE_ASYNC, MR_COMPACTION, FROM_ALLOCATOR)
    expect(mem, cpu, counted(mem, cpu, CAUSE + CAUSE_LOCK) - before, PASSES)
    folio_unlock(mem, cpu, desc)


@kernel
def steps(mem, cpu):
    """All of it.

    Returns     0
    """
    wait_for_writeback(mem, cpu)
    say_why(mem, cpu)
    base_pfn = min(frame_of(mem, MOVABLE), frame_of(mem, OTHER))
    nr_frames = max(frame_of(mem, MOVABLE), frame_of(mem, OTHER)) + 1 - base_pfn
    expect(mem, cpu, nr_frames, 2)
    lack_targets(mem, cpu, base_pfn, nr_frames)
    meet_lock(mem, cpu, base_pfn, nr_frames)
    return 0


MODEL = Model(
    "promises-migration",
    "migration alone: what cannot move is left alone, tried as often as promised, and counted by its cause",
    "P7-P9; C12, L1, promise",
    small_geometry(1, nr_tasks=4),
    prepare,
    steps,
    unmap_everything,
    params={"window_frames": 64},
    meetings=("cause_compaction_lock", "cause_compaction_nomem"),
)
