"""KSM: pages of a family with the same contents become one read-only page until a task writes.

Models      try_to_merge_two_pages(), write_protect_page(), replace_page(), mm/ksm.c; P17
Differs     merges pages of two tasks of one family at one virtual page, so that the walk of rmap.py finds a KSM folio as any other and no
            list of rmap items is kept; contents are equal if owner and version are. The KSM page is a new one, where Linux turns the
            first page into it: here a live frame's type does not change. There is no stable tree, so no page is merged into an
            existing KSM page.
Invariants  I13: no task can write between the comparison and the replacement, or afterwards; a KSM page is never writable
Protocol    under a task's PTL: PTE to 0, flush, and only then check for references beyond the mappings, and compare (the Dekker pair
            with GUP-fast); PTE to the KSM page, or back to what it was. A write copies, even if one mapping is left.
"""

from kernels.alloc.pages import cpu_node
from kernels.alloc.release import folio_add_lru, folio_put
from kernels.base import counter
from kernels.base.atomics import copy_words, exchange_relaxed, load_acquire, load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    LC_PTL,
    PTE_ACCESSED,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_PROTNONE,
    STAMP_OWNER,
    STAMP_VERSION,
    T_ANON,
    T_KSM,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.access import anon_mapping
from kernels.map.rmap import map_page, ptl_of, remove_rmap
from kernels.map.tlb import flush_space
from kernels.page.folio import folio_publish
from kernels.page.memdesc import word_desc, word_type
from kernels.page.refcount import ref_get
from kernels.policy.pagealloc import alloc_folio, discard_folio


@kernel
def same_contents(mem, pfn, other_pfn):
    """Whether two frames hold the same; exact if no task can write them, else a hint.

    Models      pages_identical(), mm/util.c
    Progress    wait-free
    """
    base, other = pfn * mem.words_per_frame, other_pfn * mem.words_per_frame
    return load_relaxed(mem.contents, base + STAMP_OWNER) == load_relaxed(mem.contents, other + STAMP_OWNER) and load_relaxed(
        mem.contents, base + STAMP_VERSION
    ) == load_relaxed(mem.contents, other + STAMP_VERSION)


@kernel
def ksm_page_of(mem, space, vpage):
    """The anonymous page of order 0 that a task has at a virtual page; PTL held, or a hint.

    Returns     pfn or -1
    Progress    wait-free
    """
    pte = load_relaxed(mem.pte, space * mem.task_pages + vpage)
    if pte & (PTE_PRESENT | PTE_PROTNONE) != PTE_PRESENT:
        return -1
    word = load_relaxed(mem.memdesc, pte >> PTE_PFN_SHIFT)
    if word_type(word) != T_ANON or load_relaxed(mem.folio_order, word_desc(word)) != 0:
        return -1
    return pte >> PTE_PFN_SHIFT


@kernel
def replace_page(mem, cpu, space, vpage, ksm, fresh):
    """Let a task map a KSM page in place of its own, if the two are the same and its own has no references but mappings.

    Models      write_protect_page(), replace_page(), mm/ksm.c
    Parameters  ksm: a KSM folio; fresh: whether it is not published yet, and becomes a copy of this task's page
    Returns     True if the task maps it now; a fresh one then has a further reference
    Progress    blocking on the PTL and on other CPUs' sections
    """
    at, lock = space * mem.task_pages + vpage, ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    pfn, replaced = ksm_page_of(mem, space, vpage), False
    old = word_desc(load_relaxed(mem.memdesc, max(pfn, 0)))
    if pfn >= 0:
        before = exchange_relaxed(mem.pte, at, 0)  # one atomic update, since the walker sets bits too; the flush orders
        flush_space(mem, cpu, space)
        chaos_point(mem, cpu)
        # ORDER: acquire, pairs with the release of each put, a pin's too: what was written through the reference is compared
        replaced = load_acquire(mem.refcount, old) == load_relaxed(mem.mapcount, old)
        to = mem.folio_pfn[ksm]
        if replaced and fresh:
            copy_words(mem.contents, to * mem.words_per_frame, pfn * mem.words_per_frame, mem.words_per_frame)
            folio_publish(mem, cpu, ksm, 2)
        elif replaced:
            replaced = same_contents(mem, pfn, to)
            if replaced:
                ref_get(mem, ksm, 1)
        else:
            count(mem, cpu, counter.MET_KSM_REFUSED_BY_REFERENCE, 1)
        if replaced:
            map_page(mem, cpu, space, vpage, ksm, to, PTE_ACCESSED)
        else:
            store_relaxed(mem.pte, at, before)  # as it was: it publishes no contents
    spin_unlock(mem, cpu, lock)
    if replaced:
        remove_rmap(mem, cpu, old)
    return replaced


@kernel
def ksm_merge(mem, cpu, space, other, vpage):
    """Merge what two tasks of a family have at a virtual page.

    Models      try_to_merge_two_pages(), mm/ksm.c
    Returns     mappings that the KSM page has got
    Progress    as alloc_pages, and as replace_page
    """
    pfn, other_pfn = ksm_page_of(mem, space, vpage), ksm_page_of(mem, other, vpage)
    if pfn < 0 or other_pfn < 0 or pfn == other_pfn or not same_contents(mem, pfn, other_pfn):
        return 0
    ksm = alloc_folio(mem, cpu, cpu_node(mem, cpu), 0, T_KSM, anon_mapping(space), vpage)
    if ksm < 0:
        return 0
    if not replace_page(mem, cpu, space, vpage, ksm, True):
        discard_folio(mem, cpu, ksm)
        return 0
    merged = 1
    if replace_page(mem, cpu, other, vpage, ksm, False):
        merged = 2
        count(mem, cpu, counter.KSM_MERGED, 1)
    folio_add_lru(mem, cpu, ksm)
    folio_put(mem, cpu, ksm)
    return merged
