"""Role speculator: references are taken without locks, by pfn, by page-cache lookup and by GUP-fast, and some are held for a while."""

from kernels.alloc.pages import cpu_node
from kernels.alloc.pcp import pcp_frames_base
from kernels.alloc.release import count_overtaken, folio_put, recheck_through, try_get_pfn
from kernels.base import counter
from kernels.base.atomics import cpu_relax, load_acquire, load_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_FOLIO_RANGE,
    GANG,
    INCARNATION_SHIFT,
    MT_MOVABLE,
    NR_PCPTYPES,
    PCP_ORDERS,
    PCP_STRIDE,
    PIN_CAPACITY,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
)
from kernels.base.random import random_below
from kernels.base.vmstat import count
from kernels.map.access import anon_mapping, check_stamp, gup_fast, owner_stamp, raise_oracle, unpin_folio, write_frame
from kernels.map.pagecache import filemap_get_entry
from kernels.map.tlb import current_pte
from kernels.page.folio import folio_covers
from kernels.page.memdesc import is_counted, word_desc
from kernels.page.refcount import ref_try_get
from stress.roles._pick import pick_anon_page, pick_file_index, pick_space
from stress.roles._role import Role

# half of a gang retries a failed word this many times on average: its descriptor is one of those that are reused
STICKY_WORDS, STICKY_TRIES = GANG // 2, 512
INTERRUPTED_TURNS = 128  # the longest delay of a reader between its references and their re-checks: microseconds


@kernel
def pick_fresh_pfn(mem, cpu):
    """A frame that a CPU has just taken from its per-CPU list of movable frames: it is still in the slot above the top.

    Returns     pfn, or an arbitrary one if the slot was never used
    Progress    wait-free
    """
    target_cpu = random_below(mem, cpu, mem.nr_cpus)
    pcp = target_cpu * mem.nr_nodes + cpu_node(mem, target_cpu)
    which = random_below(mem, cpu, PCP_ORDERS - 1) * NR_PCPTYPES + MT_MOVABLE
    top = load_relaxed(mem.pcp_nr, pcp * PCP_STRIDE + which) + random_below(mem, cpu, 2)
    return load_relaxed(mem.pcp_frames, pcp_frames_base(mem, pcp, which) + min(top, mem.pcp_capacity - 1))


@kernel
def pick_pfn(mem, cpu):
    """A frame: one that was just allocated, one that a present PTE maps, or a random one.

    Progress    wait-free
    """
    choice = random_below(mem, cpu, 8)
    if choice < 4:
        return pick_fresh_pfn(mem, cpu)
    if choice < 7:
        pte = current_pte(mem, pick_space(mem, cpu), pick_anon_page(mem, cpu))
        if pte & PTE_PRESENT:
            return pte >> PTE_PFN_SHIFT
    return random_below(mem, cpu, mem.nr_frames)


@kernel
def put_speculative(mem, cpu, desc):
    """Put a speculative reference; count it if it was the last, because the owner has put its own.

    Progress    wait-free unless the put frees
    """
    if folio_put(mem, cpu, desc):
        count(mem, cpu, counter.SPEC_HELD_LAST_REFERENCE, 1)


@kernel
def read_word(mem, cpu, k):
    """Read the word of a frame into place `k` of the gang, for the next walk.

    Progress    wait-free
    """
    pfn = pick_pfn(mem, cpu)
    mem.gang_pfn[cpu * GANG + k] = pfn
    # ORDER: acquire, pairs with the publication; only the re-check decides
    mem.gang_word[cpu * GANG + k] = load_acquire(mem.memdesc, pfn)


@kernel
def reference_gang(mem, cpu):
    """Take a reference on the descriptor that each word of the gang pointed to when it was read.

    Progress    lock-free
    """
    base = cpu * GANG
    for k in range(GANG):
        word = mem.gang_word[base + k]
        mem.gang_desc[base + k] = -1
        if is_counted(word):
            count(mem, cpu, counter.SPEC_TRIED, 1)
            if ref_try_get(mem, cpu, word_desc(word)):
                mem.gang_desc[base + k] = word_desc(word)
            else:
                count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
                count_overtaken(mem, cpu, mem.gang_pfn[base + k])
                if load_relaxed(mem.memdesc, mem.gang_pfn[base + k]) == word:
                    count(mem, cpu, counter.MET_SPECULATION_ON_FROZEN, 1)


@kernel
def walk_gang(mem, cpu):
    """Take references through the words that earlier walks read, re-check them, then read words for the next walk.

    These are the widest windows that the protocol allows: the reader is delayed between word and reference, and again before the
    re-check. Descriptors are type-stable, so a word may be arbitrarily old.

    Models      a pfn walker that is preempted: page_idle, DAMON
    Returns     references that held
    Progress    lock-free
    """
    base = cpu * GANG
    reference_gang(mem, cpu)
    if random_below(mem, cpu, 2) == 0:
        for _ in range(random_below(mem, cpu, INTERRUPTED_TURNS)):
            cpu_relax()
    held = 0
    for k in range(GANG):
        desc = mem.gang_desc[base + k]
        if desc >= 0:
            desc = recheck_through(mem, cpu, mem.gang_pfn[base + k], mem.gang_word[base + k], desc)
        if desc >= 0:
            if not folio_covers(mem, desc, mem.gang_pfn[base + k]):
                bug(mem, cpu, BUG_FOLIO_RANGE, mem.gang_pfn[base + k], mem.folio_pfn[desc], mem.folio_order[desc])
            put_speculative(mem, cpu, desc)
            held += 1
        sticky = k < STICKY_WORDS and desc < 0 and is_counted(mem.gang_word[base + k])
        if not sticky or random_below(mem, cpu, STICKY_TRIES) == 0:
            read_word(mem, cpu, k)
    return held


@kernel
def pin_for_write(mem, cpu):
    """Pin a random page of a task for writing.

    Returns     1 if a pin was added
    Progress    lock-free
    """
    return pin_page(mem, cpu, pick_space(mem, cpu), pick_anon_page(mem, cpu))


@kernel
def pin_page(mem, cpu, space, vpage):
    """Pin a page of a task for writing, in the first free place of this CPU's pins.

    Models      pin_user_pages_fast(FOLL_WRITE), mm/gup.c
    Returns     1 if a pin was added
    Progress    lock-free
    """
    at = space * mem.task_pages + vpage
    # ORDER: acquire, pairs with forget_page: the same incarnation before and after means the pin is on its page
    before = load_acquire(mem.oracle, at) >> INCARNATION_SHIFT
    desc = gup_fast(mem, cpu, space, vpage, True)
    if desc < 0:
        return 0
    if load_relaxed(mem.oracle, at) >> INCARNATION_SHIFT != before:
        unpin_folio(mem, cpu, desc)
        return 0
    place = cpu * PIN_CAPACITY + mem.pin_count[cpu]
    pfn = mem.folio_pfn[desc] + vpage - mem.folio_index[desc]
    check_stamp(mem, cpu, pfn, owner_stamp(anon_mapping(space), vpage))
    mem.pin_desc[place], mem.pin_pfn[place], mem.pin_at[place], mem.pin_incarnation[place] = desc, pfn, at, before
    mem.pin_count[cpu] += 1
    return 1


@kernel
def write_through_pin(mem, cpu):
    """Write to a pinned page as a device does: without a translation and without a fault.

    Progress    lock-free
    """
    if mem.pin_count[cpu] > 0:
        place = cpu * PIN_CAPACITY + random_below(mem, cpu, mem.pin_count[cpu])
        write_frame(mem, cpu, mem.pin_pfn[place])
        raise_oracle(mem, mem.pin_at[place], mem.pin_incarnation[place])


@kernel
def unpin_one(mem, cpu):
    """Write to a pinned page and drop a pin; the last pin takes its place.

    Models      unpin_user_page_range_dirty_lock(), mm/gup.c
    Progress    wait-free unless the put frees
    """
    if mem.pin_count[cpu] > 0:
        write_through_pin(mem, cpu)
        place = cpu * PIN_CAPACITY + random_below(mem, cpu, mem.pin_count[cpu])
        last = cpu * PIN_CAPACITY + mem.pin_count[cpu] - 1
        desc = mem.pin_desc[place]
        mem.pin_desc[place], mem.pin_pfn[place] = mem.pin_desc[last], mem.pin_pfn[last]
        mem.pin_at[place], mem.pin_incarnation[place] = mem.pin_at[last], mem.pin_incarnation[last]
        mem.pin_count[cpu] -= 1
        unpin_folio(mem, cpu, desc)


@kernel
def lookup_gang(mem, cpu):
    """Look up eight pages in the page cache, and put each reference.

    Models      filemap_get_entry(), as readers use it
    Returns     pages found
    Progress    lock-free
    """
    file, found = random_below(mem, cpu, mem.nr_files), 0
    for _ in range(8):
        desc = filemap_get_entry(mem, cpu, file, pick_file_index(mem, cpu))
        if desc >= 0:
            chaos_point(mem, cpu)
            put_speculative(mem, cpu, desc)
            found += 1
    return found


@kernel
def speculator_step(mem, cpu):
    """Take and put references by pfn or by lookup, or take, write through or drop a pin; at most pin_target pins.

    Returns     0
    Progress    lock-free
    """
    choice = random_below(mem, cpu, 16)
    if choice < 9:
        walk_gang(mem, cpu)
    elif choice < 11:
        lookup_gang(mem, cpu)
    elif choice < 12:
        desc = try_get_pfn(mem, cpu, pick_pfn(mem, cpu))
        if desc >= 0:
            put_speculative(mem, cpu, desc)
    elif choice < 14:
        if mem.pin_count[cpu] >= mem.pin_target:
            unpin_one(mem, cpu)
        else:
            pin_for_write(mem, cpu)
    elif choice == 14:
        write_through_pin(mem, cpu)
    else:
        unpin_one(mem, cpu)
    return 0


ROLE = Role(
    "speculator",
    "references are taken without locks: pfn walks, page-cache lookups, GUP-fast pins that are written through",
    speculator_step,
)
