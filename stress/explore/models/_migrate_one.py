"""The migration of one folio as compaction does it, for models: isolate, unmap, flush, move, or put back."""

from kernels.alloc.release import lru_add_drain
from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION
from kernels.map.tlb import flush_deferred
from kernels.migrate.folio import folio_migrate_move, folio_migrate_unmap, folio_putback, freed_under_us
from kernels.migrate.targets import FROM_ALLOCATOR, alloc_target_folio, free_target_folio
from kernels.page.memdesc import is_folio
from kernels.types.folios import isolate_folio


@kernel
def migrate_one(mem, cpu, pfn):
    """Migrate the folio whose first frame is `pfn` to wherever the allocator says.

    Returns     whether it moved
    """
    # ORDER: acquire, pairs with the publication of the word; only the re-check decides
    word = load_acquire(mem.memdesc, pfn)
    if not is_folio(word):
        return 0
    desc = isolate_folio(mem, cpu, pfn, word, MR_COMPACTION)
    if desc < 0 or freed_under_us(mem, cpu, desc, MR_COMPACTION):
        return 0
    dst = alloc_target_folio(mem, cpu, desc, FROM_ALLOCATOR)
    moved = False
    if dst >= 0:
        pending = folio_migrate_unmap(mem, cpu, desc, dst, MIGRATE_ASYNC, MR_COMPACTION, 0)
        if pending >= 0:
            flush_deferred(mem, cpu, pending)
            moved = folio_migrate_move(mem, cpu, desc, dst, MR_COMPACTION) == 0
        if not moved:
            free_target_folio(mem, cpu, dst, FROM_ALLOCATOR)
    if not moved:
        folio_putback(mem, cpu, desc)
    return 1 if moved else 0


@kernel
def drain_all(mem):
    """Empty every CPU's LRU batch: what is left has no references but its own."""
    for cpu in range(mem.nr_cpus):
        lru_add_drain(mem, cpu)
