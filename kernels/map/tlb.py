"""Translations that persist: a TLB per CPU, sections in which it is used, and the shootdown that waits for them.

Models      arch/x86/mm/tlb.c: flush_tlb_mm_range(), generations (mm->context.tlb_gen); mm/rmap.c: try_to_unmap_flush(); P14
Differs     instead of interrupting a CPU the flusher waits until that CPU is outside of its section of the space; a CPU that is
            not in one finds its entries stale by their generation when it comes back. An IPI's cost is a parameter, ipi_ns.
            Entries are direct-mapped and a flush is of a whole space.
Invariants  I12: after flush_space() returns, no CPU uses a translation that was read before it
Protocol    user: section odd (space published), full fence, load generation, use entries of that generation only or walk, exit
            (release). flusher: change PTEs, generation + 1, full fence, wait for sections of that space. The two fences are
            the Dekker pair. A CPU never waits for a lock inside a section.
"""

from kernels.base import counter
from kernels.base.atomics import cas_relaxed, cycles, fence_seq_cst, fetch_add_release, load_acquire, load_relaxed, store_release
from kernels.base.bug import chaos_point, relax
from kernels.base.jit import kernel
from kernels.base.layout import (
    EV_TLB_FLUSH,
    FLUSH_CAPACITY,
    PTE_ACCESSED,
    PTE_DIRTY,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_PROTNONE,
    PTE_WRITE,
    SECTION_SPACE_BITS,
    TLB_ENTRIES,
)
from kernels.base.vmstat import count, trace

SPACE_MASK = (1 << SECTION_SPACE_BITS) - 1


@kernel
def section_enter(mem, cpu, space):
    """Begin to use translations of a space.

    Models      what a CPU with interrupts off means to a TLB shootdown
    Progress    wait-free
    """
    sequence = (mem.section[cpu] >> SECTION_SPACE_BITS) + 1
    # ORDER: release, as section_exit's: a flusher that waits for the previous section may see this one instead of its end
    store_release(mem.section, cpu, sequence << SECTION_SPACE_BITS | space + 1)
    fence_seq_cst()  # ORDER: full, the Dekker pair of flush_space: publish the section, then read the generation


@kernel
def section_exit(mem, cpu):
    """End the section.

    Progress    wait-free
    """
    # ORDER: release, so that a flusher that sees this CPU outside sees what it wrote through its translations
    store_release(mem.section, cpu, mem.section[cpu] & ~SPACE_MASK)


@kernel
def wait_for_sections(mem, cpu, space):
    """Wait until every other CPU is outside of the section of `space` (-1: of any space) that it is in now.

    Progress    blocking on sections, which are short and wait for nothing
    """
    for other in range(mem.nr_cpus):
        # ORDER: acquire, pairs with section_exit
        seen = load_acquire(mem.section, other)
        inside = seen & SPACE_MASK
        if other != cpu and inside != 0 and (space < 0 or inside == space + 1):
            count(mem, cpu, counter.MET_SHOOTDOWN_WAITED, 1)
            count(mem, cpu, counter.NR_TLB_REMOTE_FLUSH_RECEIVED, 1)
            spins = 0
            while load_acquire(mem.section, other) == seen:  # ORDER: acquire, pairs with section_exit
                spins = relax(mem, cpu, spins)


@kernel
def pay_ipi(mem, cpu):
    """Spend the time that the interrupts of a shootdown cost on the modelled machine.

    Progress    bounded
    """
    if mem.ipi_ns > 0:
        end = cycles() + mem.ipi_ns * mem.cycles_per_us // 1000
        spins = 0
        while cycles() < end:
            spins = relax(mem, cpu, spins)


@kernel
def flush_space(mem, cpu, space):
    """Make every translation of a space that was read before this call unusable. Not inside a section.

    Models      flush_tlb_mm_range(), arch/x86/mm/tlb.c
    Progress    blocking on other CPUs' sections
    """
    # ORDER: release, after the PTE changes before it; pairs with translate's acquire
    fetch_add_release(mem.tlb_generation, space, 1)
    fence_seq_cst()  # ORDER: full, the flusher's half of the Dekker pair: raise the generation, then read the sections
    count(mem, cpu, counter.NR_TLB_REMOTE_FLUSH, 1)
    pay_ipi(mem, cpu)
    wait_for_sections(mem, cpu, space)
    trace(mem, cpu, EV_TLB_FLUSH, space, 1)


@kernel
def defer_flush(mem, cpu, space, pending):
    """Add a space to this CPU's deferred flush.

    Models      set_tlb_ubc_flush_pending(), mm/rmap.c
    Parameters  pending: spaces in it already
    Returns     spaces in it now
    Progress    wait-free, but flushes when the list is full
    """
    base = cpu * FLUSH_CAPACITY
    for k in range(pending):
        if mem.flush_spaces[base + k] == space:
            return pending
    if pending == FLUSH_CAPACITY:
        pending = flush_deferred(mem, cpu, pending)
    mem.flush_spaces[base + pending] = space
    return pending + 1


@kernel
def flush_deferred(mem, cpu, pending):
    """Flush all spaces of the deferred flush with one wait. Must come before any copy.

    Models      try_to_unmap_flush(), mm/rmap.c
    Returns     0
    Progress    blocking on other CPUs' sections
    """
    if pending > 0:
        for k in range(pending):
            # ORDER: release, as flush_space
            fetch_add_release(mem.tlb_generation, mem.flush_spaces[cpu * FLUSH_CAPACITY + k], 1)
        fence_seq_cst()  # ORDER: full, as flush_space
        count(mem, cpu, counter.NR_TLB_REMOTE_FLUSH, 1)
        pay_ipi(mem, cpu)
        wait_for_sections(mem, cpu, -1)
        trace(mem, cpu, EV_TLB_FLUSH, -1, pending)
    return 0


@kernel
def translate(mem, cpu, space, vpage, write):
    """The frame behind a virtual page, from the TLB or by a walk that sets accessed and dirty. Inside a section.

    Models      the processor's page walk
    Parameters  write: 1 if the access writes
    Returns     pfn, or -1 if the access faults
    Progress    lock-free; a retry means that the PTE moved
    """
    generation = load_acquire(mem.tlb_generation, space)  # ORDER: acquire, so that PTEs changed before it are seen
    slot = cpu * TLB_ENTRIES + ((vpage ^ space * 17) & (TLB_ENTRIES - 1))
    tag = space << 32 | vpage
    if mem.tlb_tag[slot] == tag:
        value = mem.tlb_value[slot]
        if mem.tlb_filled[slot] == generation:
            if not write or value & PTE_DIRTY != 0:
                return value >> PTE_PFN_SHIFT
        elif mem.tlb_filled[slot] != 0:
            count(mem, cpu, counter.MET_STALE_TLB_MET_FLUSH, 1)
            mem.tlb_filled[slot] = 0
    at = space * mem.task_pages + vpage
    # ORDER: acquire, pairs with the release store of the PTE: the frame's contents come with it
    word = load_acquire(mem.pte, at)
    while word & PTE_PRESENT != 0 and word & PTE_PROTNONE == 0 and (not write or word & PTE_WRITE != 0):
        wanted = word | PTE_ACCESSED | (PTE_DIRTY if write else 0)
        # The walker's locked update of accessed and dirty. Relaxed: no CPU infers other stores from these bits. If it fails, the frame is
        # the same or the entry is not present: a CPU that maps another frame waits for this section first.
        seen = word if wanted == word else cas_relaxed(mem.pte, at, word, wanted)
        if seen == word:
            chaos_point(mem, cpu)
            mem.tlb_tag[slot] = tag
            mem.tlb_filled[slot] = generation
            mem.tlb_value[slot] = wanted
            return wanted >> PTE_PFN_SHIFT
        word = seen
    return -1


@kernel
def current_pte(mem, space, vpage):
    """The PTE of a virtual page, without its lock.

    Models      ptep_get_lockless()
    Progress    wait-free
    """
    return load_relaxed(mem.pte, space * mem.task_pages + vpage)
