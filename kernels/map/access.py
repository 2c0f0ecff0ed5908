"""What a task does with its memory: reads and writes through translations, and checks what it finds.

Models      loads and stores of user space; get_user_pages_fast(), mm/gup.c; P6
Differs     contents are stamps: word 0 names the owner (family and virtual page, or file and index), word 1 counts writes, the
            last word mirrors the count, so that a torn copy shows
Invariants  I12, I13: the owner's stamp is found, and the count of writes in memory is never less than the count in the oracle,
            which is raised after memory was; I10
Protocol    the oracle's incarnation is read before and after: a page that was unmapped in between is not checked
"""

from kernels.alloc.release import folio_put, try_get_through
from kernels.base import counter
from kernels.base.atomics import cas_release, fence_seq_cst, fetch_add_relaxed, fetch_add_release, load_acquire, load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_LOST_WRITE,
    BUG_STRANGER,
    FAMILY_TASKS,
    INCARNATION_SHIFT,
    MAPPING_ANON,
    PTE_ACCESSED,
    PTE_DIRTY,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_PROTNONE,
    PTE_WRITE,
    STAMP_OWNER,
    STAMP_VERSION,
)
from kernels.base.vmstat import count
from kernels.map.tlb import current_pte, section_enter, section_exit, translate
from kernels.page.memdesc import is_folio

COUNT_MASK = (1 << INCARNATION_SHIFT) - 1
WALKER_BITS = PTE_ACCESSED | PTE_DIRTY


@kernel
def anon_mapping(space):
    """The mapping of a task's anonymous memory: its family's anon_vma.

    Progress    wait-free
    """
    return (space // FAMILY_TASKS + 1) << 1 | MAPPING_ANON


@kernel
def file_mapping(file):
    """The mapping of a file.

    Progress    wait-free
    """
    return (file + 1) << 1


@kernel
def owner_stamp(mapping, index):
    """The stamp of the frame that holds page `index` of a mapping.

    Progress    wait-free
    """
    return mapping << 32 | index


@kernel
def stamp_frame(mem, pfn, stamp, version):
    """Write the first contents of a frame that no other CPU can reach.

    Progress    wait-free
    """
    base = pfn * mem.words_per_frame
    store_relaxed(mem.contents, base + STAMP_OWNER, stamp)
    store_relaxed(mem.contents, base + STAMP_VERSION, version)
    store_relaxed(mem.contents, base + mem.words_per_frame - 1, version)


@kernel
def check_stamp(mem, cpu, pfn, stamp):
    """A bug if a frame belongs to another owner.

    Progress    wait-free
    """
    seen = load_relaxed(mem.contents, pfn * mem.words_per_frame + STAMP_OWNER)
    if seen != stamp:
        bug(mem, cpu, BUG_STRANGER, pfn, seen, stamp)


@kernel
def write_frame(mem, cpu, pfn):
    """Write a frame once: the count and its mirror.

    Returns     the count before
    Progress    wait-free
    """
    base = pfn * mem.words_per_frame
    before = fetch_add_relaxed(mem.contents, base + STAMP_VERSION, 1)
    chaos_point(mem, cpu)
    fetch_add_relaxed(mem.contents, base + mem.words_per_frame - 1, 1)
    return before


@kernel
def raise_oracle(mem, at, incarnation):
    """Count a write of anonymous page `at` that reached memory, unless the page has been unmapped since.

    Progress    lock-free
    """
    word = load_relaxed(mem.oracle, at)
    while word >> INCARNATION_SHIFT == incarnation:
        # ORDER: release, after the write of memory; readers load it with acquire
        seen = cas_release(mem.oracle, at, word, word + 1)
        if seen == word:
            return
        word = seen


@kernel
def task_access(mem, cpu, space, vpage, write):
    """One read or write of anonymous memory, verified.

    Parameters  write: 0 or 1
    Returns     0, or -1 if the access faults
    Progress    lock-free
    """
    at = space * mem.task_pages + vpage
    section_enter(mem, cpu, space)
    # ORDER: acquire, before memory is read; pairs with raise_oracle
    before = load_acquire(mem.oracle, at)
    pfn = translate(mem, cpu, space, vpage, write)
    if pfn < 0:
        section_exit(mem, cpu)
        return -1
    chaos_point(mem, cpu)
    check_stamp(mem, cpu, pfn, owner_stamp(anon_mapping(space), vpage))
    if write:
        version = write_frame(mem, cpu, pfn)
    else:
        # ORDER: acquire, so that the oracle is read again after memory
        version = load_acquire(mem.contents, pfn * mem.words_per_frame + STAMP_VERSION)
    after = load_relaxed(mem.oracle, at)
    if after >> INCARNATION_SHIFT == before >> INCARNATION_SHIFT and version < before & COUNT_MASK:
        bug(mem, cpu, BUG_LOST_WRITE, pfn, version, before & COUNT_MASK)
    if write:
        raise_oracle(mem, at, before >> INCARNATION_SHIFT)
    section_exit(mem, cpu)
    return 0


@kernel
def file_access(mem, cpu, space, vpage):
    """One read of mapped file memory, verified.

    Returns     0, or -1 if the access faults
    Progress    lock-free
    """
    file, index = space % mem.nr_files, vpage - mem.anon_pages
    at = file * mem.file_pages + index
    section_enter(mem, cpu, space)
    # ORDER: acquire, before memory is read; pairs with the writer's raise
    before = load_acquire(mem.file_oracle, at)
    pfn = translate(mem, cpu, space, vpage, 0)
    if pfn >= 0:
        check_stamp(mem, cpu, pfn, owner_stamp(file_mapping(file), index))
        check_file_version(mem, cpu, pfn, at, before)
    section_exit(mem, cpu)
    return 0 if pfn >= 0 else -1


@kernel
def check_file_version(mem, cpu, pfn, at, before):
    """A bug if a file's frame has seen fewer writes than the oracle had counted before.

    Progress    wait-free
    """
    # ORDER: acquire, so that the oracle is read again after memory
    version = load_acquire(mem.contents, pfn * mem.words_per_frame + STAMP_VERSION)
    after = load_relaxed(mem.file_oracle, at)
    if after >> INCARNATION_SHIFT == before >> INCARNATION_SHIFT and version < before & COUNT_MASK:
        bug(mem, cpu, BUG_LOST_WRITE, pfn, version, before & COUNT_MASK)


@kernel
def gup_fast(mem, cpu, space, vpage, write):
    """Pin the folio behind a virtual page without any lock.

    Models      gup_fast_pte_range(), mm/gup.c: (1) read the PTE, (2) reference with re-check of the folio, (3) re-check of the PTE
    Differs     a pin for writing raises pincount on folios of every order, where Linux biases the count of small ones; accessed and
                dirty bits that the walker sets in between do not fail the re-check
    Returns     the descriptor with a reference to put, and if it is for writing a pin to drop (unpin_folio); or -1
    Progress    lock-free
    """
    section_enter(mem, cpu, space)
    pte = current_pte(mem, space, vpage)
    desc = -1
    if pte & PTE_PRESENT != 0 and pte & PTE_PROTNONE == 0 and (not write or pte & PTE_WRITE != 0):
        pfn = pte >> PTE_PFN_SHIFT
        # a hint until a reference is taken, which acquires; the re-checks decide
        word = load_relaxed(mem.memdesc, pfn)
        chaos_point(mem, cpu)
        if is_folio(word):
            desc = try_get_through(mem, cpu, pfn, word)
        if desc >= 0:
            fetch_add_relaxed(mem.pincount, desc, 1)
            fence_seq_cst()  # ORDER: full, reference and pin before the PTE is read again: the Dekker pair of unmap and fork
            now = current_pte(mem, space, vpage)
            changed = now | WALKER_BITS != pte | WALKER_BITS
            if changed or not write:
                fetch_add_relaxed(mem.pincount, desc, -1)
            if changed:
                count(mem, cpu, counter.MET_GUP_PTE_CHANGED, 1)
                folio_put(mem, cpu, desc)
                desc = -1
    section_exit(mem, cpu)
    return desc


@kernel
def unpin_folio(mem, cpu, desc):
    """Drop the pin and the reference of a gup_fast() for writing.

    Models      unpin_user_folio(), mm/gup.c
    Progress    wait-free unless the put frees
    """
    # ORDER: release, pairs with the loads of pincount: what was written through the pin comes before a CPU finds no pin
    fetch_add_release(mem.pincount, desc, -1)
    folio_put(mem, cpu, desc)
