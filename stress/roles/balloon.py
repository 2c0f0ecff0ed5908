"""Role balloon: Offline frames, with or without a refcount by policy, inflated and deflated while compaction moves them."""

from kernels.alloc.pages import cpu_node
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, HELD_CAPACITY, MT_MOVABLE
from kernels.base.random import random_below
from kernels.policy.pagealloc import alloc_pages
from kernels.types.balloon import deflate, inflate, is_isolated_now, max_balloon_order
from stress.roles._role import Role

PLACES_SEEN = 64


@kernel
def pick_place(mem, cpu, held):
    """A place of the inventory to deflate: the first isolated one of PLACES_SEEN from a random place on, or that random place.

    A host that needs its memory back does not wait for compaction, so deflation must meet blocks that are isolated.

    Progress    wait-free
    """
    start = random_below(mem, cpu, held)
    for k in range(PLACES_SEEN):
        place = (start + k) % held
        pfn = load_relaxed(mem.balloon_pfn, cpu * HELD_CAPACITY + place)
        if is_isolated_now(mem, pfn):
            return place
    return start


@kernel
def balloon_step(mem, cpu):
    """Inflate or deflate by one block, around balloon_target frames; sometimes by a block of four.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    held = mem.balloon_pages[cpu]
    grow = held == 0 or (held < HELD_CAPACITY and random_below(mem, cpu, 2 * mem.balloon_target) >= held)
    if not grow:
        deflate(mem, cpu, cpu, pick_place(mem, cpu, held))
        return 0
    order = max_balloon_order(mem) if random_below(mem, cpu, 8) == 0 else 0
    pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), order, MT_MOVABLE)
    if pfn < 0:
        return -ENOMEM
    inflate(mem, cpu, cpu, pfn, order)
    return 0


ROLE = Role("balloon", "each CPU's balloon of PageOffline frames is inflated and deflated while compaction moves them", balloon_step)
