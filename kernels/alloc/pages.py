"""Frames without a count: allocation and freeing through per-CPU lists, zones in fallback order, watermarks.

Models      mm/page_alloc.c: get_page_from_freelist(), rmqueue_pcplist(), free_frozen_pages(), free_pcppages_bulk(),
            drain_all_pages(), zone_pcp_disable() (linux-mm tree, 00cb34b034a5); P12
Differs     orders up to PAGE_ALLOC_COSTLY_ORDER have per-CPU lists, where Linux has one for THPs too; pcp.py says how they differ. The
            frames of a block are all checked, where Linux looks at them under CONFIG_DEBUG_VM only. Nodes fall back in a ring
Invariants  I2, I8; I18: MIGRATE_ISOLATE frames never enter a per-CPU list once it is disabled
Protocol    per-CPU lists are under pcp->lock, taken by trylock; zone->lock nests inside it; the migratetype read before the
            lock only chooses a list, and free_one_block reads it again under zone->lock
"""

from kernels.alloc.buddy import free_one_block, get_pageblock_migratetype, nid_of, rmqueue_block
from kernels.alloc.pcp import pcp_drain_list, pcp_frames_base, pcp_make_room, pcp_refill
from kernels.alloc.zone import give_bits, take_bits
from kernels.base import counter
from kernels.base.atomics import fetch_add_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.flavour import CHECKED
from kernels.base.jit import fast_kernel, kernel, outlined_kernel, slow_kernel
from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    BUG_WORD_CHANGED,
    EV_PAGE_ALLOC,
    EV_PAGE_FREE,
    LC_PCP,
    LC_ZONE,
    MT_ISOLATE,
    MT_MOVABLE,
    NONE_WORD,
    NR_PCPTYPES,
    PCP_HIGH,
    PCP_LISTS,
    PCP_ORDERS,
    PCP_STRIDE,
    PCP_TOTAL,
    SH_BUDDY,
    SH_OWNED,
    SH_PCP,
)
from kernels.base.lock import spin_lock, spin_trylock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.page.shadow import shadow_move


@kernel
def check_one_none(mem, cpu, pfn):
    """A bug if a frame between two owners carries a word: an owner did not clear it, or the frame has another owner.

    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    if word != NONE_WORD:
        bug(mem, cpu, BUG_WORD_CHANGED, pfn, word, NONE_WORD)


@slow_kernel
def check_tails_none(mem, cpu, pfn, order):
    """Check all frames of a block but the first.

    Progress    wait-free
    """
    if not CHECKED:
        # Plain loads, since LLVM combines no atomic ones into vectors: 512 frames take 20 ns instead of 200 ns. They race with no store
        # unless the frames have another owner, and that is the bug to be found.
        differing = 0
        for k in range(1 << order):
            differing |= mem.memdesc[pfn + k] ^ NONE_WORD
        if differing == 0:
            return
    for k in range(1, 1 << order):
        check_one_none(mem, cpu, pfn + k)


@fast_kernel
def check_none(mem, cpu, pfn, order):
    """Check frames on their way from one owner to another.

    Models      check_new_pages(), mm/page_alloc.c
    Progress    wait-free
    """
    check_one_none(mem, cpu, pfn)
    # Linux looks at the frames of a block under CONFIG_DEBUG_VM only. Without free lists they need not be touched, so that is done here.
    if order > 0 and (CHECKED or order < PCP_ORDERS or mem.policy_allocator != ALLOCATOR_BITFIELD):
        check_tails_none(mem, cpu, pfn, order)


@fast_kernel
def pcp_alloc(mem, cpu, nid, order, migratetype):
    """Take 2^order frames from this CPU's list, refilling it from the zone.

    Models      rmqueue_pcplist(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    a trylock, then zone->lock once a batch
    """
    pcp = cpu * mem.nr_nodes + nid
    if not spin_trylock(mem, cpu, mem.lock_pcp + pcp, LC_PCP):
        count(mem, cpu, counter.MET_PCP_LOCK_CONTENDED, 1)
        return -1
    slot = pcp * PCP_STRIDE + order * NR_PCPTYPES + migratetype
    held = mem.pcp_nr[slot]
    if held == 0:
        held = pcp_refill(mem, cpu, pcp, nid, order, migratetype)
    pfn = -1
    if held > 0:
        pfn = mem.pcp_frames[pcp_frames_base(mem, pcp, order * NR_PCPTYPES + migratetype) + held - 1]
        mem.pcp_nr[slot] = held - 1
        mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] -= 1 << order
        shadow_move(mem, cpu, pfn, order, SH_PCP, SH_OWNED)
    spin_unlock(mem, cpu, mem.lock_pcp + pcp)
    return pfn


@slow_kernel
def buddy_alloc(mem, cpu, nid, order, migratetype):
    """Take 2^order frames from a zone.

    Models      rmqueue_buddy(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    blocking on zone->lock; lock-free under allocator = bitfield
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return take_bits(mem, cpu, nid, order, migratetype)
    spin_lock(mem, cpu, nid, LC_ZONE)
    pfn = rmqueue_block(mem, cpu, nid, order, migratetype)
    if pfn >= 0:
        shadow_move(mem, cpu, pfn, order, SH_BUDDY, SH_OWNED)
    spin_unlock(mem, cpu, nid)
    return pfn


@kernel
def zone_watermark_ok(mem, nid, order, mark):
    """Whether a zone keeps more than `mark` free frames after giving 2^order.

    Models      zone_watermark_fast(), mm/page_alloc.c
    Progress    wait-free
    """
    return load_relaxed(mem.zone_free, nid) - (1 << order) >= mark


@kernel
def setup_zone_wmarks(mem, nid):
    """Set a zone's watermarks by the frames that it manages; zone->lock held, or no other CPU running yet.

    Models      __setup_per_zone_wmarks(), mm/page_alloc.c
    Progress    wait-free
    """
    least = max(mem.zone_managed[nid] >> 7, 4)
    store_relaxed(mem.zone_min, nid, least)
    store_relaxed(mem.zone_low, nid, 2 * least)
    store_relaxed(mem.zone_high, nid, 4 * least)  # as with a raised vm.watermark_scale_factor


@kernel
def finish_alloc(mem, cpu, pfn, order):
    """Check and count frames on their way to a new owner.

    Models      prep_new_page(), mm/page_alloc.c
    Returns     pfn
    Progress    wait-free
    """
    check_none(mem, cpu, pfn, order)
    count(mem, cpu, counter.PGALLOC, 1 << order)
    if CHECKED:
        trace(mem, cpu, EV_PAGE_ALLOC, pfn, order)
    return pfn


@kernel
def alloc_on_node(mem, cpu, nid, order, migratetype):
    """2^order frames of one node, or nothing.

    Models      rmqueue(), mm/page_alloc.c
    Returns     pfn of frames whose words are NONE, or -1
    Progress    as pcp_alloc, buddy_alloc
    """
    pfn = -1
    if order < PCP_ORDERS and mem.policy_allocator != ALLOCATOR_BITFIELD:
        pfn = pcp_alloc(mem, cpu, nid, order, migratetype)
    if pfn < 0:
        pfn = buddy_alloc(mem, cpu, nid, order, migratetype)
    if pfn >= 0:
        finish_alloc(mem, cpu, pfn, order)
    return pfn


@kernel
def cpu_node(mem, cpu):
    """The node of a CPU.

    Models      cpu_to_node()
    Progress    wait-free
    """
    return mem.cpu_nid[cpu]


@kernel
def is_movable_node(mem, nid):
    """Whether a node is all ZONE_MOVABLE, where nothing is allocated that could not be moved: the last movable_nodes are.

    Models      is_zone_movable_page(); the boot options movable_node and movablecore=
    Progress    wait-free
    """
    return nid >= mem.nr_nodes - mem.movable_nodes


@kernel
def first_node(mem, nid, migratetype):
    """The node to try first on behalf of a CPU of node `nid`: the first of its zonelist.

    Models      gfp_zone(), first_zones_zonelist(), include/linux/mmzone.h
    Progress    wait-free
    """
    if migratetype != MT_MOVABLE and is_movable_node(mem, nid):
        return nid % (mem.nr_nodes - mem.movable_nodes)
    return nid


@slow_kernel
def alloc_frozen_fallback(mem, cpu, nid, order, migratetype):
    """2^order frames from `nid` or the nodes after it: above the low watermark, else above the min watermark.

    Models      get_page_from_freelist(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    as alloc_on_node
    """
    for attempt in range(2):
        for k in range(mem.nr_nodes):
            at = nid + k if nid + k < mem.nr_nodes else nid + k - mem.nr_nodes
            mark = load_relaxed(mem.zone_low, at) if attempt == 0 else load_relaxed(mem.zone_min, at)
            allowed = migratetype == MT_MOVABLE or not is_movable_node(mem, at)
            if allowed and zone_watermark_ok(mem, at, order, mark):
                pfn = alloc_on_node(mem, cpu, at, order, migratetype)
                if pfn >= 0:
                    if k == 0:
                        count(mem, cpu, counter.NUMA_HIT, 1)
                    else:
                        count(mem, cpu, counter.NUMA_MISS, 1)
                    return pfn
    return -1


@outlined_kernel
def alloc_frozen_bits(mem, cpu, nid, order, migratetype):
    """alloc_frozen_pages() under allocator = bitfield, out of line, so that the fast path of the per-CPU lists has registers to spare.

    Returns     pfn or -1
    Progress    lock-free
    """
    # The common case: the pageblock that this CPU takes from has a frame.
    if zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_low, nid)):
        pfn = take_bits(mem, cpu, nid, order, migratetype)
        if pfn >= 0:
            count(mem, cpu, counter.NUMA_HIT, 1)
            return finish_alloc(mem, cpu, pfn, order)
    return alloc_frozen_fallback(mem, cpu, nid, order, migratetype)


@kernel
def alloc_frozen_pages(mem, cpu, nid, order, migratetype):
    """2^order frames without a count, from `nid` or the nodes after it, respecting the low, then the min watermark.

    Models      __alloc_frozen_pages_noprof(), mm/page_alloc.c
    Differs     does not reclaim or compact: policy/pagealloc.py does
    Parameters  order: 0..10; migratetype: unmovable, movable, reclaimable
    Returns     pfn of frames whose words are NONE, or -1
    Progress    as alloc_on_node
    """
    nid = first_node(mem, nid, migratetype)
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return alloc_frozen_bits(mem, cpu, nid, order, migratetype)
    # The common case: this CPU's list for this node has a frame.
    if order < PCP_ORDERS and zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_low, nid)):
        pfn = pcp_alloc(mem, cpu, nid, order, migratetype)
        if pfn >= 0:
            count(mem, cpu, counter.NUMA_HIT, 1)
            return finish_alloc(mem, cpu, pfn, order)
    return alloc_frozen_fallback(mem, cpu, nid, order, migratetype)


@slow_kernel
def free_to_zone(mem, cpu, pfn, order, before):
    """Give 2^order frames straight to the zone.

    Models      free_one_page(), mm/page_alloc.c
    Parameters  before: the state in which the shadow expects them (layout.SH_*)
    Progress    blocking on zone->lock; wait-free under allocator = bitfield
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        give_bits(mem, cpu, pfn, order, before)
        return
    nid = nid_of(mem, pfn)
    spin_lock(mem, cpu, nid, LC_ZONE)
    shadow_move(mem, cpu, pfn, order, before, SH_BUDDY)
    free_one_block(mem, cpu, pfn, order)
    spin_unlock(mem, cpu, nid)


@fast_kernel
def pcp_free(mem, cpu, nid, pfn, order, migratetype):
    """Put 2^order frames on this CPU's list, draining a batch if it is full.

    Models      free_frozen_page_commit(), mm/page_alloc.c
    Returns     False if the list is unavailable: disabled, or its lock taken
    Progress    a trylock, then zone->lock once a batch
    """
    pcp = cpu * mem.nr_nodes + nid
    if not spin_trylock(mem, cpu, mem.lock_pcp + pcp, LC_PCP):
        count(mem, cpu, counter.MET_PCP_LOCK_CONTENDED, 1)
        return False
    which = order * NR_PCPTYPES + migratetype
    slot = pcp * PCP_STRIDE + which
    if mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] + (1 << order) > mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH]:
        if not pcp_make_room(mem, cpu, pcp, nid, which):
            spin_unlock(mem, cpu, mem.lock_pcp + pcp)
            return False
    held = mem.pcp_nr[slot]
    shadow_move(mem, cpu, pfn, order, SH_OWNED, SH_PCP)
    mem.pcp_frames[pcp_frames_base(mem, pcp, which) + held] = pfn
    mem.pcp_nr[slot] = held + 1
    mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] += 1 << order
    spin_unlock(mem, cpu, mem.lock_pcp + pcp)
    return True


@outlined_kernel
def free_frozen_bits(mem, cpu, pfn, order):
    """free_frozen_pages() under allocator = bitfield, out of line as alloc_frozen_bits() is.

    Progress    wait-free
    """
    give_bits(mem, cpu, pfn, order, SH_OWNED)


@kernel
def free_frozen_pages(mem, cpu, pfn, order):
    """Give back 2^order frames that have no count; their words must be NONE.

    Models      free_frozen_pages(), mm/page_alloc.c
    Progress    as pcp_free, free_to_zone
    """
    check_none(mem, cpu, pfn, order)
    count(mem, cpu, counter.PGFREE, 1 << order)
    if CHECKED:
        trace(mem, cpu, EV_PAGE_FREE, pfn, order)
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        free_frozen_bits(mem, cpu, pfn, order)
        return
    migratetype = get_pageblock_migratetype(mem, pfn)
    chaos_point(mem, cpu)
    if order < PCP_ORDERS and migratetype != MT_ISOLATE:
        if pcp_free(mem, cpu, nid_of(mem, pfn), pfn, order, migratetype):
            return
    free_to_zone(mem, cpu, pfn, order, SH_OWNED)


@kernel
def drain_lists(mem, cpu, target_cpu, nid):
    """Give all of one CPU's lists of a node back to the zone; that CPU's pcp->lock held.

    Progress    blocking on zone->lock
    """
    pcp = target_cpu * mem.nr_nodes + nid
    if mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] > 0:
        for which in range(PCP_LISTS):
            pcp_drain_list(mem, cpu, pcp, nid, which, mem.pcp_capacity)
        if target_cpu != cpu:
            count(mem, cpu, counter.PCP_DRAIN_REMOTE, 1)


@kernel
def drain_pages(mem, cpu, target_cpu, nid):
    """Take the lock of one CPU's lists of a node and drain them.

    Models      drain_pages_zone(), mm/page_alloc.c
    Progress    blocking on that CPU's pcp->lock
    """
    lock = mem.lock_pcp + target_cpu * mem.nr_nodes + nid
    spin_lock(mem, cpu, lock, LC_PCP)
    drain_lists(mem, cpu, target_cpu, nid)
    spin_unlock(mem, cpu, lock)


@kernel
def drain_all_pages(mem, cpu, nid):
    """Drain the lists of every CPU for one node.

    Models      drain_all_pages(), mm/page_alloc.c
    Differs     takes every pcp->lock, where Linux first reads pcp->count without it and skips CPUs that show none
    Progress    blocking
    """
    for target_cpu in range(mem.nr_cpus):
        drain_pages(mem, cpu, target_cpu, nid)


@kernel
def pcp_update_high(mem, cpu, nid):
    """Set the high mark of every CPU's lists of a node: 0 while they are disabled, and drain them then.

    Models      zone_set_pageset_high_and_batch(), mm/page_alloc.c
    Differs     Linux holds pcp_batch_high_lock from disabling to enabling; here several CPUs may disable at a time; each mark
                is set under its pcp->lock from their number, so that the last enable and the next disable may overlap
    Progress    blocking on each pcp->lock
    """
    for target_cpu in range(mem.nr_cpus):
        pcp = target_cpu * mem.nr_nodes + nid
        spin_lock(mem, cpu, mem.lock_pcp + pcp, LC_PCP)
        if load_relaxed(mem.zone_pcp_disabled, nid) > 0:
            mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH] = 0
            drain_lists(mem, cpu, target_cpu, nid)
        else:
            mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH] = mem.pcp_high
        spin_unlock(mem, cpu, mem.lock_pcp + pcp)


@kernel
def zone_pcp_disable(mem, cpu, nid):
    """Keep frames of a node off per-CPU lists, and empty those. Nests.

    Models      zone_pcp_disable(), mm/page_alloc.c
    Progress    blocking
    """
    # relaxed: it is read under each pcp->lock, which is taken and released below
    fetch_add_relaxed(mem.zone_pcp_disabled, nid, 1)
    pcp_update_high(mem, cpu, nid)


@kernel
def zone_pcp_enable(mem, cpu, nid):
    """Undo one zone_pcp_disable.

    Models      zone_pcp_enable(), mm/page_alloc.c
    Progress    blocking
    """
    fetch_add_relaxed(mem.zone_pcp_disabled, nid, -1)
    pcp_update_high(mem, cpu, nid)
