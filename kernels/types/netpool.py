"""Page pools of network drivers: frames cut into fragments that other CPUs consume; the put of the last one recycles the frame.

Models      page_pool_alloc_frag(), page_pool_put_unrefed_netmem(), net/core/page_pool.c; pp_ref_count; P21
Differs     a pool per CPU; the CPU that puts the last fragment recycles the frame into its own cache; no DMA. u_inuse of the frame's
            descriptor is pp_ref_count, which is no folio's reference count: try_get never sees it
Invariants  F-2; I3: a frame has as many fragments in flight as its count says, and is in a cache exactly if that is 0
Protocol    the count is set before the first fragment can be found; a put subtracts (acq_rel), and the put that reaches zero owns
            the frame
"""

from kernels.alloc.release import free_uncounted
from kernels.base import counter
from kernels.base.atomics import cas_release, exchange_acquire, fetch_add_acq_rel, load_relaxed, store_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_NET_FRAGMENTS, NET_CACHE, NET_SLOTS, T_NETPOOL
from kernels.base.vmstat import count
from kernels.map.access import check_stamp, stamp_frame
from kernels.page.memdesc import word_desc
from kernels.page.udesc import udesc_alloc, udesc_publish, udesc_take

NET_STAMP = 1 << 56  # of a pool's frame, whose pfn is in the bits below


@kernel
def netpool_cached(mem, cpu):
    """A recycled frame of this CPU's pool.

    Models      page_pool_refill_alloc_cache(), net/core/page_pool.c
    Returns     pfn; -1 if there is none: the caller allocates one for netpool_add()
    Progress    wait-free
    """
    cached = mem.net_cached[cpu]
    if cached == 0:
        return -1
    mem.net_cached[cpu] = cached - 1
    return mem.net_frame[cpu * NET_CACHE + cached - 1]


@kernel
def netpool_add(mem, cpu, pfn):
    """Add a frame that the caller has allocated to this CPU's pool.

    Models      page_pool_set_pp_info(), net/core/page_pool.c
    Returns     False if there is no descriptor; the frame is still the caller's
    Progress    blocking on the pool of descriptors
    """
    udesc = udesc_alloc(mem, cpu, T_NETPOOL, pfn, cpu)
    if udesc < 0:
        return False
    stamp_frame(mem, pfn, NET_STAMP | pfn, 0)
    udesc_publish(mem, T_NETPOOL, udesc, pfn)
    return True


@kernel
def netpool_put(mem, cpu, pfn):
    """Put one fragment of a frame; the last one recycles the frame, or frees it if the cache is full.

    Models      page_pool_put_unrefed_netmem(), net/core/page_pool.c
    Progress    wait-free unless it frees
    """
    udesc = word_desc(load_relaxed(mem.memdesc, pfn))
    check_stamp(mem, cpu, pfn, NET_STAMP | pfn)
    # ORDER: acq_rel, every other CPU's use of its fragment comes before the last put recycles the frame
    before = fetch_add_acq_rel(mem.u_inuse, udesc, -1)
    if before <= 0:
        bug(mem, cpu, BUG_NET_FRAGMENTS, pfn, before, 1)
    if before == 1:
        cached = mem.net_cached[cpu]
        if cached < NET_CACHE:
            mem.net_frame[cpu * NET_CACHE + cached] = pfn
            mem.net_cached[cpu] = cached + 1
            count(mem, cpu, counter.NETPOOL_RECYCLED, 1)
        else:
            udesc_take(mem, cpu, T_NETPOOL, udesc)
            free_uncounted(mem, cpu, T_NETPOOL, udesc, pfn)


@kernel
def netpool_receive(mem, cpu, pfn, nr_fragments, slot):
    """Cut a frame into fragments, one for each slot from `slot` on; a fragment whose slot is taken is put immediately.

    Models      page_pool_alloc_frag(), net/core/page_pool.c, and a driver's receive ring
    Parameters  pfn: the caller's alone, its count 0; slot: the first slot to try
    Progress    wait-free
    """
    store_relaxed(mem.u_inuse, word_desc(load_relaxed(mem.memdesc, pfn)), nr_fragments)
    for k in range(nr_fragments):
        place = (slot + k) % (mem.nr_cpus * NET_SLOTS)
        # ORDER: release, pairs with netpool_consume's acquire: frame and count come with the fragment
        if cas_release(mem.net_slot, place, 0, pfn + 1) != 0:
            netpool_put(mem, cpu, pfn)


@kernel
def netpool_consume(mem, cpu, slot):
    """Take what is in a slot, and put it.

    Models      skb_free_frag()
    Returns     whether there was a fragment
    Progress    wait-free unless it frees
    """
    # ORDER: acquire, pairs with netpool_receive's release
    pfn = exchange_acquire(mem.net_slot, slot, 0) - 1
    if pfn < 0:
        return False
    if slot // NET_SLOTS != cpu:
        count(mem, cpu, counter.MET_NET_FRAGMENT_PUT_BY_OTHER, 1)
    netpool_put(mem, cpu, pfn)
    return True
