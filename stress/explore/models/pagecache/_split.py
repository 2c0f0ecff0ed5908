"""What the models of a split against lookups share: a cached folio of several pages, lookups of its last page, and the split.

Linux's lookup checks the slot again and not the folio. A split may unfreeze its head before, or after, it has updated the slots of the
other pieces. B8 is about what follows from that.
"""

from kernels.alloc.release import folio_put, lru_add_drain
from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_FOLIO_RANGE, LC_I_PAGES
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.pagecache import folio_contains, load_entry
from kernels.migrate.folio import expected_refs
from kernels.migrate.split import make_piece, settle_pieces, unlock_pieces
from kernels.page.folio import folio_lock, folio_unlock
from kernels.page.refcount import ref_freeze, ref_try_get, ref_unfreeze
from kernels.policy.filemap import create_folio, file_truncate
from stress.explore.models.pagecache._lookup import rely_on

HEAD, ORDER = 4, 2
LAST = HEAD + (1 << ORDER) - 1
DESC = 0  # scratch: the descriptor of the folio
TRIES = 3  # of a lookup; each is explored against every step of the split


@kernel
def prepare(mem, cpu):
    """A folio of 2^ORDER pages is cached; CPU 0 keeps the reference that a split needs."""
    mem.scratch[DESC] = create_folio(mem, cpu, 0, 0, HEAD, ORDER)
    lru_add_drain(mem, cpu)
    return 0


@kernel
def lookup(mem, cpu, index, check_range):
    """filemap_get_entry() with or without a check of the folio's range, and with few tries.

    Returns     the descriptor with a reference to put, or -1
    """
    for _ in range(TRIES):
        entry = load_entry(mem, 0, index)
        if entry == 0:
            return -1
        desc = entry - 1
        if not ref_try_get(mem, cpu, desc):
            count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
            continue
        if load_entry(mem, 0, index) == entry and (not check_range or folio_contains(mem, desc, index)):
            return desc
        count(mem, cpu, counter.MET_LOOKUP_RELOAD_CHANGED, 1)
        folio_put(mem, cpu, desc)
    return -1


@kernel
def look_up_last(mem, cpu, check_range):
    """Look the last page up, and rely on what is found.

    Returns     whether it was found
    """
    return rely_on(mem, cpu, lookup(mem, cpu, LAST, check_range), LAST)


@kernel
def split(mem, cpu, head_first):
    """split_folio() of an unmapped cached folio. The head is unfrozen before, or after, the slots of the other pieces change.

    Returns     whether it was split
    """
    desc = mem.scratch[DESC]
    order, pfn, file = mem.folio_order[desc], mem.folio_pfn[desc], 0
    folio_lock(mem, cpu, desc)
    spin_lock(mem, cpu, mem.lock_i_pages + file, LC_I_PAGES)
    frozen = ref_freeze(mem, cpu, desc, expected_refs(mem, desc))
    if frozen:
        if head_first:
            store_relaxed(mem.folio_order, desc, 0)
            ref_unfreeze(mem, cpu, desc, 2)
        for k in range(1, 1 << order):
            make_piece(mem, cpu, desc, k, True)
        if not head_first:
            store_relaxed(mem.folio_order, desc, 0)
            ref_unfreeze(mem, cpu, desc, 2)
    else:
        count(mem, cpu, counter.MET_SPLIT_REFUSED_BY_REFERENCE, 1)
    spin_unlock(mem, cpu, mem.lock_i_pages + file)
    if frozen:
        unlock_pieces(mem, cpu, pfn, order)
        settle_pieces(mem, cpu, pfn, order, True)
    folio_unlock(mem, cpu, desc)
    folio_put(mem, cpu, desc)
    return 1 if frozen else 0


@kernel
def check(mem, cpu):
    """Every page is cached by a folio that covers it, and is dropped."""
    for index in range(HEAD, LAST + 1):
        desc = load_entry(mem, 0, index) - 1
        if desc >= 0 and not folio_contains(mem, desc, index):
            bug(mem, cpu, BUG_FOLIO_RANGE, load_relaxed(mem.folio_pfn, desc), load_relaxed(mem.folio_index, desc), index)
        file_truncate(mem, cpu, 0, index)
    return 0
