"""Role hugepage: large folios are faulted in with direct compaction, written, split and unmapped."""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM
from kernels.base.random import random_below
from kernels.map.access import gup_fast
from kernels.map.rmap import zap_range
from kernels.migrate.split import split_folio
from kernels.page.folio import folio_trylock, folio_unlock
from kernels.policy.fault import do_anonymous_page
from stress.roles._pick import pick_space
from stress.roles._role import Role
from stress.roles.anon import touch


@kernel
def try_split(mem, cpu, space, vpage):
    """Split the folio that a page is mapped to, if it is large and has no other references.

    Models      split_huge_pages_in_file(), mm/huge_memory.c (debugfs)
    Progress    blocking on PTLs
    """
    desc = gup_fast(mem, cpu, space, vpage, False)
    if desc >= 0:
        if mem.folio_order[desc] > 0 and folio_trylock(mem, cpu, desc):
            if mem.folio_order[desc] > 0:
                split_folio(mem, cpu, desc)
            folio_unlock(mem, cpu, desc)
        folio_put(mem, cpu, desc)


@kernel
def hugepage_step(mem, cpu):
    """Unmap a range, fault in a large folio there, write to it, and in half of the cases split it.

    Returns     0, or -ENOMEM if no block of that order was free
    Progress    bounded
    """
    order = mem.max_order_anon if random_below(mem, cpu, 4) == 0 else random_below(mem, cpu, mem.max_order_anon + 1)
    space = pick_space(mem, cpu)
    first = random_below(mem, cpu, mem.anon_pages) & ~((1 << order) - 1)
    zap_range(mem, cpu, space, first, 1 << order)
    if order > 0 and do_anonymous_page(mem, cpu, space, first, order) < 0:
        return -ENOMEM
    result = 0
    for _ in range(4):
        vpage = min(first + random_below(mem, cpu, 1 << order), mem.anon_pages - 1)
        result = min(result, touch(mem, cpu, space, vpage, 1, 0))
    if random_below(mem, cpu, 2):
        try_split(mem, cpu, space, first)
    return result


ROLE = Role("hugepage", "large folios are faulted in with direct compaction, written, split and unmapped", hugepage_step)
